package signer_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.smobi.com/outhook/signer"
)

func TestParsePrivateKeyReadsBothForms(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	long := "whsk_" + base64.StdEncoding.EncodeToString(private)
	seed := "whsk_" + base64.StdEncoding.EncodeToString(private.Seed())
	for _, text := range []string{long, seed} {
		key, err := signer.ParsePrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if key.Reveal() != long {
			t.Error("Reveal does not return seed and public key")
		}
		if want := long[len(long)-4:]; key.Hint() != want {
			t.Errorf("Hint %q, want %q", key.Hint(), want)
		}
		if want := "whpk_" + base64.StdEncoding.EncodeToString(public); key.Public().String() != want {
			t.Errorf("public key %v, want %s", key.Public(), want)
		}
	}
}

func TestParsePrivateKeyRefuses(t *testing.T) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	mixed := slices.Concat(private.Seed(), randomBytes(32))
	good := signer.NewPrivateKey().Reveal()
	tests := []struct{ name, text, reason string }{
		{"empty", "", "empty"},
		{"no prefix", good[len("whsk_"):], "missing prefix whsk_"},
		{"secret", signer.NewSecret().Reveal(), "starts with whsec_, want whsk_"},
		{"public key", signer.NewPrivateKey().Public().String(), "starts with whpk_, want whsk_"},
		{"between the forms", standardText("whsk_", 33), "33 bytes, want 64"},
		{"too long", standardText("whsk_", 65), "65 bytes, want 64"},
		{"unpadded", strings.TrimRight(good, "="), "without padding"},
		{"white space", good + " ", "white space"},
		{"halves of two keys", "whsk_" + base64.StdEncoding.EncodeToString(mixed), "does not belong to its seed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := signer.ParsePrivateKey(tt.text)
			if !errors.Is(err, signer.ErrKey) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error %v, want ErrKey with %q", err, tt.reason)
			}
			if !key.IsZero() {
				t.Error("a key came with the error")
			}
		})
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	good := signer.NewPrivateKey().Public().String()
	tests := []struct{ name, text, reason string }{
		{"empty", "", "empty"},
		{"no prefix", good[len("whpk_"):], "missing prefix whpk_"},
		{"private key", signer.NewPrivateKey().Reveal(), "starts with whsk_, want whpk_"},
		{"too short", standardText("whpk_", 31), "31 bytes, want 32"},
		{"too long", standardText("whpk_", 33), "33 bytes, want 32"},
		{"unpadded", strings.TrimRight(good, "="), "without padding"},
		{"all zero", "whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "all zero"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := signer.ParsePublicKey(tt.text)
			if !errors.Is(err, signer.ErrKey) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error %v, want ErrKey with %q", err, tt.reason)
			}
			if !key.IsZero() {
				t.Error("a key came with the error")
			}
		})
	}
}

func TestKeyPair(t *testing.T) {
	private := signer.NewPrivateKey()
	again, err := signer.ParsePrivateKey(private.Reveal())
	if err != nil || !again.Equal(private) || private.Equal(signer.NewPrivateKey()) {
		t.Errorf("private key read back: %v", err)
	}
	public, err := signer.ParsePublicKey(private.Public().String())
	if err != nil || public != private.Public() || public == signer.NewPrivateKey().Public() {
		t.Errorf("public key read back: %v", err)
	}
	encoded, err := json.Marshal(public)
	if want := `"` + public.String() + `"`; err != nil || string(encoded) != want {
		t.Errorf("public key as JSON: %s %v, want %s", encoded, err, want)
	}
}

func TestZeroKeyPair(t *testing.T) {
	var private signer.PrivateKey
	if !private.IsZero() || private.Reveal() != "" || private.Hint() != "" {
		t.Error("the zero private key has a text")
	}
	if !private.Public().IsZero() || private.Public().String() != "" {
		t.Error("the zero private key has a public key")
	}
	if !private.Equal(signer.PrivateKey{}) || private.Equal(signer.NewPrivateKey()) {
		t.Error("the zero private key equals itself only")
	}
}
