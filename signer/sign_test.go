package signer_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/signer"
)

var at = time.Unix(1767225600, 0)

// Published vectors: the symmetric one of every official library, the signing
// key whose v1a signature is the example in the specification, and the seed
// that the official Go library's Ed25519 tests use.
const (
	vectorID   = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorUnix = 1614265330
	vectorBody = `{"test": 2432232314}`

	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

	vectorPrivate          = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	vectorPublic           = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	vectorPrivateSignature = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

	vectorSeed          = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
	vectorSeedSignature = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
)

func mustSecret(t testing.TB, text string) signer.Secret {
	t.Helper()
	secret, err := signer.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func mustPrivate(t testing.TB, text string) signer.PrivateKey {
	t.Helper()
	key, err := signer.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSignPublishedVectors(t *testing.T) {
	secret, private, seed := mustSecret(t, vectorSecret), mustPrivate(t, vectorPrivate), mustPrivate(t, vectorSeed)
	if private.Public().String() != vectorPublic {
		t.Errorf("public key %v, want %s", private.Public(), vectorPublic)
	}
	tests := []struct {
		name string
		keys []signer.Key
		want string
	}{
		{"symmetric", []signer.Key{secret}, vectorSignature},
		{"asymmetric", []signer.Key{private}, vectorPrivateSignature},
		{"asymmetric from a seed", []signer.Key{seed}, vectorSeedSignature},
		{"all, in order", []signer.Key{seed, secret, private},
			vectorSeedSignature + " " + vectorSignature + " " + vectorPrivateSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := signer.Sign(vectorID, time.Unix(vectorUnix, 999), []byte(vectorBody), tt.keys...)
			if err != nil || got != tt.want {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// The definition, written out: id.timestamp.body.
func TestSignMatchesTheDefinition(t *testing.T) {
	raw := randomBytes(48)
	secret := mustSecret(t, "whsec_"+base64.StdEncoding.EncodeToString(raw))
	_, rawPrivate, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	private := mustPrivate(t, "whsk_"+base64.StdEncoding.EncodeToString(rawPrivate))
	bodies := [][]byte{nil, []byte("{}"), []byte("a.b.\x00\xff\r\n"), randomBytes(64), randomBytes(350), randomBytes(256 << 10)}
	for _, body := range bodies {
		content := slices.Concat([]byte("evt_1.1767225600."), body)
		mac := hmac.New(sha256.New, raw)
		mac.Write(content)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)) +
			" v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(rawPrivate, content))
		got, err := signer.Sign("evt_1", at, body, secret, private)
		if err != nil || got != want {
			t.Errorf("%d bytes: %s, %v, want %s", len(body), got, err, want)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	secret := signer.NewSecret()
	keys := func(keys ...signer.Key) []signer.Key { return keys }
	tests := []struct {
		name   string
		id     string
		at     time.Time
		keys   []signer.Key
		want   error
		reason string
	}{
		{"empty id", "", at, keys(secret), signer.ErrID, "empty"},
		{"dot", "evt.1", at, keys(secret), signer.ErrID, "dot"},
		{"dot at the end", "evt_1.", at, keys(secret), signer.ErrID, "dot"},
		{"space", "evt 1", at, keys(secret), signer.ErrID, "byte 3"},
		{"line end", "evt_1\r\nx: y", at, keys(secret), signer.ErrID, "byte 5"},
		{"not ASCII", "évt", at, keys(secret), signer.ErrID, "byte 0"},
		{"delete", "evt\x7f", at, keys(secret), signer.ErrID, "byte 3"},
		{"zero time", "evt_1", time.Time{}, keys(secret), signer.ErrTimestamp, "1970"},
		{"before 1970", "evt_1", time.Unix(-1, 0), keys(secret), signer.ErrTimestamp, "1970"},
		{"after 9999", "evt_1", time.Unix(253402300800, 0), keys(secret), signer.ErrTimestamp, "9999"},
		{"no key", "evt_1", at, nil, signer.ErrKey, "none"},
		{"nil key", "evt_1", at, keys(secret, nil), signer.ErrKey, "key 2 of 2 is zero"},
		{"zero secret", "evt_1", at, keys(signer.Secret{}), signer.ErrKey, "key 1 of 1 is zero"},
		{"zero private key", "evt_1", at, keys(signer.PrivateKey{}), signer.ErrKey, "key 1 of 1 is zero"},
		{"too many keys", "evt_1", at, slices.Repeat(keys(secret), 33), signer.ErrKey, "at most 32"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := signer.Sign(tt.id, tt.at, []byte("{}"), tt.keys...)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.reason) || got != "" {
				t.Errorf("%q, %v, want %v with %q", got, err, tt.want, tt.reason)
			}
		})
	}
}

func TestSignAtTheEdges(t *testing.T) {
	secret := signer.NewSecret()
	for _, unix := range []int64{0, 253402300799} {
		now := time.Unix(unix, 0)
		signature, err := signer.Sign("!~", now, nil, slices.Repeat([]signer.Key{secret}, 32)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := signer.Verify(headers("!~", now, signature), nil, now, 0, secret); err != nil {
			t.Error(err)
		}
	}
}

func TestSignConcurrently(t *testing.T) {
	secret := mustSecret(t, vectorSecret)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				got, err := signer.Sign(vectorID, time.Unix(vectorUnix, 0), []byte(vectorBody), secret)
				if err != nil || got != vectorSignature {
					t.Errorf("%s, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
