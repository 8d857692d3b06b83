package main

import (
	"bufio"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	official "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"go.smobi.com/outhook/signer"
)

// oddBody is bytes that any re-encoding would change.
const oddBody = "{ \"n\":1e2, \"n\":\"<\u2028😀\\u00e9\" }\n\n"

func headersOf(t *testing.T, text string) http.Header {
	t.Helper()
	headers, err := textproto.NewReader(bufio.NewReader(strings.NewReader(text + "\r\n"))).ReadMIMEHeader()
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return http.Header(headers)
}

func TestSign(t *testing.T) {
	secret := signer.NewSecret().Reveal()
	got := commandWith(t, oddBody, nil, "sign", "--secret", secret, "--id", "evt_1")
	if got.code != exitDone || got.errOut != "" || strings.Count(got.out, "\n") != 3 {
		t.Fatalf("code %d, stdout %q, stderr %q", got.code, got.out, got.errOut)
	}
	theirs, err := official.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	headers := headersOf(t, got.out)
	if err := theirs.Verify([]byte(oddBody), headers); err != nil || headers.Get("webhook-id") != "evt_1" {
		t.Errorf("the official library: %v; %v", err, headers)
	}
}

func TestSignAtATime(t *testing.T) {
	secret := signer.NewSecret().Reveal()
	args := []string{"sign", "--secret", secret, "--id", "evt_1", "--timestamp", "1767225600"}
	first, second := commandWith(t, oddBody, nil, args...), commandWith(t, oddBody, nil, args...)
	if first.code != exitDone || first.out != second.out || !strings.Contains(first.out, "webhook-timestamp: 1767225600\n") {
		t.Errorf("code %d, stdout %q and %q", first.code, first.out, second.out)
	}
}

func TestSignUsage(t *testing.T) {
	secret := signer.NewSecret().Reveal()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no secret":       {[]string{"--id", "evt_1"}, "--secret or --secret-file: is required"},
		"no id":           {[]string{"--secret", secret}, "--id: is required"},
		"id with a dot":   {[]string{"--secret", secret, "--id", "evt.1"}, "invalid webhook id"},
		"no seconds":      {[]string{"--secret", secret, "--id", "evt_1", "--timestamp", "now"}, "--timestamp: must be Unix seconds"},
		"before 1970":     {[]string{"--secret", secret, "--id", "evt_1", "--timestamp", "-5"}, "invalid webhook timestamp"},
		"an argument":     {[]string{"--secret", secret, "--id", "evt_1", "body.json"}, "unexpected argument"},
		"an unknown flag": {[]string{"--secrets", "x"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			got := commandWith(t, "{}", nil, append([]string{"sign"}, c.args...)...)
			if got.code != exitUsage || got.out != "" || !strings.Contains(got.errOut, c.want) || strings.Count(got.errOut, "\n") != 1 {
				t.Errorf("code %d, stdout %q, stderr %q, want %q", got.code, got.out, got.errOut, c.want)
			}
		})
	}
}
