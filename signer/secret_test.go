package signer_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"go.smobi.com/outhook/signer"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func standardText(prefix string, n int) string {
	return prefix + base64.StdEncoding.EncodeToString(randomBytes(n))
}

func TestParseSecretAcceptsEveryAllowedLength(t *testing.T) {
	for n := 24; n <= 64; n++ {
		text := standardText("whsec_", n)
		secret, err := signer.ParseSecret(text)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if secret.Reveal() != text {
			t.Errorf("%d bytes: Reveal returns another text", n)
		}
		if want := text[len(text)-4:]; secret.Hint() != want {
			t.Errorf("%d bytes: Hint %q, want %q", n, secret.Hint(), want)
		}
	}
}

func TestParseSecretRefuses(t *testing.T) {
	urlSafe := base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\xff\xef\xbe", 8)))
	good := standardText("whsec_", 32)
	tests := []struct{ name, text, reason string }{
		{"empty", "", "empty"},
		{"prefix alone", "whsec_", "too short, 0 bytes"},
		{"no prefix", good[len("whsec_"):], "missing prefix whsec_"},
		{"prefix in capitals", strings.Replace(good, "whsec_", "WHSEC_", 1), "missing prefix whsec_"},
		{"private key", standardText("whsk_", 64), "starts with whsk_, want whsec_"},
		{"public key", standardText("whpk_", 32), "starts with whpk_, want whsec_"},
		{"too short", standardText("whsec_", 23), "too short, 23 bytes"},
		{"too long by one", standardText("whsec_", 65), "too long, 65 bytes"},
		{"far too long", standardText("whsec_", 1<<20), "too long, want at most 64 bytes"},
		{"url-safe", "whsec_" + urlSafe, "url-safe"},
		{"unpadded", strings.TrimRight(good, "="), "without padding"},
		{"half padded", strings.TrimSuffix(standardText("whsec_", 25), "="), "not padded standard base64"},
		{"too much padding", good + "=", "not padded standard base64"},
		{"bits after the end", good[:len(good)-2] + "/=", "not padded standard base64"},
		{"foreign character", good[:10] + "!" + good[11:], "not padded standard base64"},
		{"leading space", " " + good, "white space"},
		{"trailing line end", good + "\n", "white space"},
		{"line end inside", good[:20] + "\r\n" + good[20:], "white space"},
		{"no-break space", good[:20] + "\u00a0" + good[20:], "white space"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			secret, err := signer.ParseSecret(tt.text)
			if !errors.Is(err, signer.ErrKey) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error %v, want ErrKey with %q", err, tt.reason)
			}
			if !secret.IsZero() {
				t.Error("a secret came with the error")
			}
		})
	}
}

func TestNewSecret(t *testing.T) {
	secret := signer.NewSecret()
	again, err := signer.ParseSecret(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(secret.Reveal()[len("whsec_"):])
	if err != nil || len(raw) != 32 {
		t.Errorf("%d bytes (%v), want 32", len(raw), err)
	}
	if !secret.Equal(again) {
		t.Error("not equal to itself read back")
	}
	if secret.Equal(signer.NewSecret()) {
		t.Error("two new secrets are equal")
	}
}

func TestZeroSecret(t *testing.T) {
	var zero signer.Secret
	if !zero.IsZero() || zero.Reveal() != "" || zero.Hint() != "" {
		t.Error("the zero secret has a text")
	}
	if !zero.Equal(signer.Secret{}) || zero.Equal(signer.NewSecret()) || signer.NewSecret().Equal(zero) {
		t.Error("the zero secret equals itself only")
	}
}
