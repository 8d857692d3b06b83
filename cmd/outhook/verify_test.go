package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	official "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"go.smobi.com/outhook/signer"
)

// headerFlags gives each line of the output of sign as --header.
func headerFlags(out string) []string {
	var args []string
	for line := range strings.Lines(out) {
		args = append(args, "--header", strings.TrimSuffix(line, "\n"))
	}
	return args
}

func TestSignThenVerify(t *testing.T) {
	private := signer.NewPrivateKey()
	secret := signer.NewSecret().Reveal()
	for name, c := range map[string]struct{ signs, verifies string }{
		"hmac":    {secret, secret},
		"ed25519": {private.Reveal(), private.Public().String()},
	} {
		t.Run(name, func(t *testing.T) {
			signed := commandWith(t, oddBody, nil, "sign", "--secret", signer.NewSecret().Reveal(), "--secret", c.signs, "--id", "evt_1")
			args := append([]string{"verify", "--secret", c.verifies}, headerFlags(signed.out)...)
			args = append(args, "--header", "Content-Type: application/json")
			if got := commandWith(t, oddBody, nil, args...); got.code != exitDone || got.out != "verified\n" || got.errOut != "" {
				t.Errorf("code %d, stdout %q, stderr %q", got.code, got.out, got.errOut)
			}
			if got := commandWith(t, oddBody+" ", nil, args...); got.code != exitFailed || got.out != "" ||
				got.errOut != "outhook: verify: no matching webhook signature\n" {
				t.Errorf("one byte more: code %d, stdout %q, stderr %q", got.code, got.out, got.errOut)
			}
		})
	}
}

func TestVerifyWhatTheOfficialLibrarySigned(t *testing.T) {
	secret := signer.NewSecret().Reveal()
	theirs, err := official.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	signature, err := theirs.Sign("evt_1", at, []byte(oddBody))
	if err != nil {
		t.Fatal(err)
	}
	got := commandWith(t, oddBody, nil, "verify", "--secret", secret, "--id", "evt_1",
		"--timestamp", strconv.FormatInt(at.Unix(), 10), "--signature", signature)
	if got.code != exitDone || got.out != "verified\n" {
		t.Errorf("code %d, stdout %q, stderr %q", got.code, got.out, got.errOut)
	}
}

func TestVerifyAge(t *testing.T) {
	secret := signer.NewSecret().Reveal()
	signed := commandWith(t, "{}", nil, "sign", "--secret", secret, "--id", "evt_1", "--timestamp", "1767225600")
	args := append([]string{"verify", "--secret", secret}, headerFlags(signed.out)...)
	if got := commandWith(t, "{}", nil, args...); got.code != exitFailed || !strings.Contains(got.errOut, "invalid webhook timestamp: too") {
		t.Errorf("code %d, stderr %q", got.code, got.errOut)
	}
	if got := commandWith(t, "{}", nil, append(args, "--tolerance", "876000h")...); got.code != exitDone {
		t.Errorf("with a tolerance: code %d, stderr %q", got.code, got.errOut)
	}
}

func TestVerifyUsage(t *testing.T) {
	secret := signer.NewSecret().Reveal()
	three := []string{"--id", "evt_1", "--timestamp", "1", "--signature", "v1,x"}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no secret":           {three, exitUsage, "--secret or --secret-file: is required"},
		"no headers":          {[]string{"--secret", secret}, exitUsage, "--id, --timestamp and --signature are required"},
		"two of three":        {append([]string{"--secret", secret}, three[:4]...), exitUsage, "are required"},
		"both ways":           {append([]string{"--secret", secret, "--header", "webhook-id: x"}, three...), exitUsage, "--header: give it in place of"},
		"no colon":            {[]string{"--secret", secret, "--header", "webhook-id"}, exitUsage, "--header: must be 'name: value'"},
		"no tolerance":        {append([]string{"--secret", secret, "--tolerance", "0"}, three...), exitUsage, "--tolerance: must be more than 0"},
		"a header is missing": {[]string{"--secret", secret, "--header", "webhook-id: x"}, exitFailed, "webhook-timestamp is missing"},
		"a header is double":  {[]string{"--secret", secret, "--header", "webhook-id: x", "--header", "Webhook-Id: x"}, exitFailed, "webhook-id is there 2 times"},
	} {
		t.Run(name, func(t *testing.T) {
			got := commandWith(t, "{}", nil, append([]string{"verify"}, c.args...)...)
			if got.code != c.code || got.out != "" || !strings.Contains(got.errOut, c.want) {
				t.Errorf("code %d, want %d, stdout %q, stderr %q", got.code, c.code, got.out, got.errOut)
			}
		})
	}
}
