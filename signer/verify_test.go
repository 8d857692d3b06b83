package signer_test

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/signer"
)

func headers(id string, at time.Time, signature string) http.Header {
	h := http.Header{}
	h.Set(signer.HeaderID, id)
	h.Set(signer.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(signer.HeaderSignature, signature)
	return h
}

func sign(t testing.TB, id string, at time.Time, body []byte, keys ...signer.Key) http.Header {
	t.Helper()
	signature, err := signer.Sign(id, at, body, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return headers(id, at, signature)
}

func TestVerifyPublishedVectors(t *testing.T) {
	public, err := signer.ParsePublicKey(vectorPublic)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(vectorUnix, 0)
	h := headers(vectorID, now, vectorSignature)
	if err := signer.Verify(h, []byte(vectorBody), now, 0, mustSecret(t, vectorSecret)); err != nil {
		t.Errorf("symmetric: %v", err)
	}
	h = headers(vectorID, now, vectorPrivateSignature)
	if err := signer.Verify(h, []byte(vectorBody), now, 0, public); err != nil {
		t.Errorf("asymmetric: %v", err)
	}
}

func TestVerifyWhoHoldsWhichKey(t *testing.T) {
	current, former, other := signer.NewSecret(), signer.NewSecret(), signer.NewSecret()
	private, foreign := signer.NewPrivateKey(), signer.NewPrivateKey()
	all := []signer.Key{current, former, private}
	tests := []struct {
		name   string
		signed []signer.Key
		held   []signer.Verifier
		want   error
	}{
		{"the secret", all[:1], []signer.Verifier{current}, nil},
		{"the former secret", all, []signer.Verifier{former}, nil},
		{"the public key", all, []signer.Verifier{private.Public()}, nil},
		{"one of several", all[1:2], []signer.Verifier{other, foreign.Public(), former}, nil},
		{"another secret", all, []signer.Verifier{other}, signer.ErrSignature},
		{"another public key", all, []signer.Verifier{foreign.Public()}, signer.ErrSignature},
		{"a secret, only v1a sent", all[2:], []signer.Verifier{current}, signer.ErrSignature},
		{"a public key, only v1 sent", all[:2], []signer.Verifier{private.Public()}, signer.ErrSignature},
		{"none", all, nil, signer.ErrKey},
		{"nil", all, []signer.Verifier{current, nil}, signer.ErrKey},
		{"zero secret", all, []signer.Verifier{signer.Secret{}}, signer.ErrKey},
		{"zero public key", all, []signer.Verifier{current, signer.PublicKey{}}, signer.ErrKey},
		{"too many", all, slices.Repeat([]signer.Verifier{current}, 33), signer.ErrKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := sign(t, "evt_1", at, []byte("{}"), tt.signed...)
			if err := signer.Verify(h, []byte("{}"), at, 0, tt.held...); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestVerifyTolerance(t *testing.T) {
	secret := signer.NewSecret()
	tests := []struct {
		name      string
		late      time.Duration // of the receiver's clock after the timestamp
		tolerance time.Duration
		want      error
	}{
		{"now", 0, 0, nil},
		{"default, just old enough", 5 * time.Minute, 0, nil},
		{"default, just too old", 5*time.Minute + 1, 0, signer.ErrTooOld},
		{"default, just new enough", -5 * time.Minute, 0, nil},
		{"default, just too new", -5*time.Minute - 1, 0, signer.ErrTooNew},
		{"narrow, inside", time.Second, time.Second, nil},
		{"narrow, too old", time.Second + 1, time.Second, signer.ErrTooOld},
		{"narrow, too new", -time.Second - 1, time.Second, signer.ErrTooNew},
		{"wide", 24 * time.Hour, 24 * time.Hour, nil},
		{"very old", 200 * 365 * 24 * time.Hour, 0, signer.ErrTooOld},
		{"negative", 0, -1, signer.ErrTimestamp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := sign(t, "evt_1", at, []byte("{}"), secret)
			err := signer.Verify(h, []byte("{}"), at.Add(tt.late), tt.tolerance, secret)
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if tt.want != nil && !errors.Is(err, signer.ErrTimestamp) {
				t.Errorf("%v is not ErrTimestamp", err)
			}
			if errors.Is(err, signer.ErrTooOld) && errors.Is(err, signer.ErrTooNew) {
				t.Error("too old and too new at once")
			}
		})
	}
}

func TestVerifyHeaders(t *testing.T) {
	secret := signer.NewSecret()
	good := sign(t, "evt_1", at, []byte("{}"), secret)
	signature := good.Get(signer.HeaderSignature)
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	del := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
	twice := func(name string) func(http.Header) { return func(h http.Header) { h.Add(name, h.Get(name)) } }
	tests := []struct {
		name   string
		change func(http.Header)
		want   error
		reason string
	}{
		{"id missing", del(signer.HeaderID), signer.ErrHeader, "webhook-id is missing"},
		{"id empty", set(signer.HeaderID, ""), signer.ErrHeader, "webhook-id is missing"},
		{"id twice", twice(signer.HeaderID), signer.ErrHeader, "webhook-id is there 2 times"},
		{"id with a dot", set(signer.HeaderID, "evt.1"), signer.ErrHeader, "webhook-id: invalid webhook id: contains a dot"},
		{"id with a dot, as ErrID", set(signer.HeaderID, "evt.1"), signer.ErrID, ""},
		{"id with a space", set(signer.HeaderID, "evt_1 "), signer.ErrHeader, "byte 5"},
		{"another id", set(signer.HeaderID, "evt_2"), signer.ErrSignature, ""},
		{"timestamp missing", del(signer.HeaderTimestamp), signer.ErrHeader, "webhook-timestamp is missing"},
		{"timestamp twice", twice(signer.HeaderTimestamp), signer.ErrHeader, "there 2 times"},
		{"timestamp a word", set(signer.HeaderTimestamp, "now"), signer.ErrHeader, "Unix seconds"},
		{"timestamp a date", set(signer.HeaderTimestamp, at.Format(time.RFC3339)), signer.ErrHeader, "Unix seconds"},
		{"timestamp with a sign", set(signer.HeaderTimestamp, "+1767225600"), signer.ErrHeader, "Unix seconds"},
		{"timestamp negative", set(signer.HeaderTimestamp, "-1"), signer.ErrHeader, "Unix seconds"},
		{"timestamp with zeros before", set(signer.HeaderTimestamp, "01767225600"), signer.ErrHeader, "Unix seconds"},
		{"timestamp with a fraction", set(signer.HeaderTimestamp, "1767225600.0"), signer.ErrHeader, "Unix seconds"},
		{"timestamp in milliseconds", set(signer.HeaderTimestamp, "1767225600000"), signer.ErrHeader, "Unix seconds"},
		{"timestamp over 64 bits", set(signer.HeaderTimestamp, "99999999999999999999"), signer.ErrHeader, "Unix seconds"},
		{"timestamp the largest int64", set(signer.HeaderTimestamp, "9223372036854775807"), signer.ErrHeader, "Unix seconds"},
		{"another timestamp", set(signer.HeaderTimestamp, "1767225601"), signer.ErrSignature, ""},
		{"signature missing", del(signer.HeaderSignature), signer.ErrHeader, "webhook-signature is missing"},
		{"signature twice", twice(signer.HeaderSignature), signer.ErrHeader, "there 2 times"},
		{"signature without version", set(signer.HeaderSignature, signature[3:]), signer.ErrHeader, "no version,signature"},
		{"signature without text", set(signer.HeaderSignature, "v1,"), signer.ErrHeader, "no version,signature"},
		{"signature of spaces", set(signer.HeaderSignature, "   "), signer.ErrHeader, "no version,signature"},
		{"33 signatures", set(signer.HeaderSignature, strings.Repeat("v1,a ", 32)+signature), signer.ErrHeader, "more than 32"},
		{"32 signatures", set(signer.HeaderSignature, strings.Repeat("v1,a ", 31)+signature), nil, ""},
		{"unknown version", set(signer.HeaderSignature, "v2,"+signature[3:]), signer.ErrSignature, ""},
		{"unknown versions beside it", set(signer.HeaderSignature, "v2,x  junk "+signature+" v1a,y"), nil, ""},
		{"unpadded", set(signer.HeaderSignature, strings.TrimRight(signature, "=")), signer.ErrSignature, ""},
		{"more behind it", set(signer.HeaderSignature, signature+",x"), signer.ErrSignature, ""},
		{"line end inside", set(signer.HeaderSignature, signature[:10]+"\n"+signature[10:]), signer.ErrSignature, ""},
		{"as it was", func(http.Header) {}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := good.Clone()
			tt.change(h)
			err := signer.Verify(h, []byte("{}"), at, 0, secret)
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("%v, want %q in it", err, tt.reason)
			}
		})
	}
}

func TestVerifyHeaderNamesInAnyCase(t *testing.T) {
	secret := signer.NewSecret()
	good := sign(t, "evt_1", at, []byte("{}"), secret)
	lower, mixed := map[string][]string{}, good.Clone()
	for name, values := range good {
		lower[strings.ToLower(name)] = values
	}
	if err := signer.Verify(lower, []byte("{}"), at, 0, secret); err != nil {
		t.Error(err)
	}
	mixed["WEBHOOK-ID"] = mixed["Webhook-Id"]
	if err := signer.Verify(mixed, []byte("{}"), at, 0, secret); !errors.Is(err, signer.ErrHeader) {
		t.Errorf("the same header in two cases: %v, want ErrHeader", err)
	}
}

// Bits that base64 decoders overlook must count as well.
func TestVerifyTakesOneTextOfASignature(t *testing.T) {
	secret, private := signer.NewSecret(), signer.NewPrivateKey()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="
	for _, key := range []signer.Key{secret, private} {
		h := sign(t, "evt_1", at, []byte("{}"), key)
		signature := h.Get(signer.HeaderSignature)
		last := strings.IndexByte(signature, '=') - 1
		for _, c := range alphabet {
			changed := signature[:last] + string(c) + signature[last+1:]
			h.Set(signer.HeaderSignature, changed)
			err := signer.Verify(h, []byte("{}"), at, 0, secret, private.Public())
			if (err == nil) != (changed == signature) {
				t.Errorf("%s for %s: %v", changed, signature, err)
			}
		}
	}
}

func TestVerifyTellsNoSignatures(t *testing.T) {
	secret := signer.NewSecret()
	h := sign(t, "evt_1", at, []byte("{}"), secret)
	err := signer.Verify(h, []byte("{ }"), at, 0, secret)
	if !errors.Is(err, signer.ErrSignature) {
		t.Fatalf("%v, want ErrSignature", err)
	}
	expected := sign(t, "evt_1", at, []byte("{ }"), secret).Get(signer.HeaderSignature)
	if strings.Contains(err.Error(), expected[3:]) {
		t.Error("the error tells the signature expected")
	}
}
