package signer_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"regexp"
	"testing"
	"time"

	"go.smobi.com/outhook/signer"
)

// FuzzParse: no text makes a parser panic; what is refused is ErrKey; what is
// accepted comes back as the same text, for a seed as the same key.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "whsec_", "whsk_=", "whpk_\n", vectorSecret, vectorPrivate, vectorPublic, vectorSeed} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		secret, errSecret := signer.ParseSecret(text)
		private, errPrivate := signer.ParsePrivateKey(text)
		public, errPublic := signer.ParsePublicKey(text)
		for _, err := range []error{errSecret, errPrivate, errPublic} {
			if err != nil && !errors.Is(err, signer.ErrKey) {
				t.Errorf("%v is not ErrKey", err)
			}
		}
		if errSecret == nil && secret.Reveal() != text {
			t.Errorf("secret %q comes back as %q", text, secret.Reveal())
		}
		if errPublic == nil && public.String() != text {
			t.Errorf("public key %q comes back as %q", text, public)
		}
		if errPrivate == nil {
			again, err := signer.ParsePrivateKey(private.Reveal())
			if err != nil || !again.Equal(private) || (len(text) > len(vectorSeed) && private.Reveal() != text) {
				t.Errorf("private key %q comes back as %q, %v", text, private.Reveal(), err)
			}
		}
	})
}

var signableID = regexp.MustCompile(`\A[!-\-/-~]+\z`) // visible ASCII without the dot

func fuzzKeys(t *testing.T, raw []byte) (signer.Secret, signer.PrivateKey) {
	raw = append(raw, make([]byte, 32)...)[:max(32, min(len(raw), 64))]
	text := base64.StdEncoding.EncodeToString
	return mustSecret(t, "whsec_"+text(raw)), mustPrivate(t, "whsk_"+text(raw[:32]))
}

// FuzzSignVerify: what can be signed verifies, with either kind of key, ours
// and theirs; what cannot is refused for its id or its time.
func FuzzSignVerify(f *testing.F) {
	f.Add([]byte("key"), "evt_1", int64(1767225600), []byte("{}"))
	f.Add([]byte{}, "a.b", int64(-1), []byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 70), "!~", int64(253402300799), []byte("\x00.\n"))
	f.Fuzz(func(t *testing.T, raw []byte, id string, unix int64, body []byte) {
		secret, private := fuzzKeys(t, raw)
		now := time.Unix(unix, 0)
		signature, err := signer.Sign(id, now, body, secret, private)
		if errors.Is(err, signer.ErrID) == signableID.MatchString(id) {
			t.Fatalf("id %q: %v", id, err)
		}
		if err != nil {
			if !errors.Is(err, signer.ErrID) && (!errors.Is(err, signer.ErrTimestamp) || (unix >= 0 && unix <= 253402300799)) {
				t.Fatalf("id %q, unix %d: %v", id, unix, err)
			}
			return
		}
		h := headers(id, now, signature)
		for _, key := range []signer.Verifier{secret, private.Public()} {
			if err := signer.Verify(h, body, now, time.Nanosecond, key); err != nil {
				t.Errorf("%T: %v", key, err)
			}
		}
		if err := theirs(t, secret).VerifyIgnoringTimestamp(body, h); err != nil {
			t.Errorf("they say %v", err)
		}
	})
}

// FuzzFlip: one byte changed in id, timestamp, body or signature, and nothing
// verifies.
func FuzzFlip(f *testing.F) {
	f.Add([]byte("key"), "evt_1", []byte(`{"a":1}`), uint8(0), uint16(0), uint8(1))
	f.Add([]byte("key"), "evt_1", []byte(`{"a":1}`), uint8(1), uint16(9), uint8(1))
	f.Add([]byte("key"), "evt_1", []byte(`{"a":1}`), uint8(2), uint16(3), uint8(0x80))
	f.Add([]byte("key"), "evt_1", []byte(`{"a":1}`), uint8(3), uint16(45), uint8(1))
	f.Fuzz(func(t *testing.T, raw []byte, id string, body []byte, part uint8, position uint16, mask uint8) {
		if !signableID.MatchString(id) || mask == 0 {
			t.Skip()
		}
		secret, private := fuzzKeys(t, raw)
		for _, key := range []signer.Key{secret, private} {
			h := sign(t, id, at, body, key)
			changed := flip(h, bytes.Clone(body), int(part), int(position), mask)
			// The tolerance spans every timestamp a flip can make.
			err := signer.Verify(h, changed, at, math.MaxInt64, secret, private.Public())
			if err == nil {
				t.Errorf("%T: verified after a flip in part %d", key, part%4)
			}
		}
	})
}

// flip changes one byte of a header, or of the body, which it returns; an
// empty body grows by one.
func flip(h http.Header, body []byte, part, position int, mask byte) []byte {
	names := []string{signer.HeaderID, signer.HeaderTimestamp, signer.HeaderSignature}
	if part %= 4; part < len(names) {
		value := []byte(h.Get(names[part]))
		value[position%len(value)] ^= mask
		h.Set(names[part], string(value))
		return body
	}
	if len(body) == 0 {
		return []byte{mask}
	}
	body[position%len(body)] ^= mask
	return body
}

// FuzzVerify: no headers make Verify panic, and none verify without the key.
func FuzzVerify(f *testing.F) {
	f.Add("evt_1", "1767225600", vectorSignature+" "+vectorPrivateSignature, []byte("{}"))
	f.Add("", "0", " , v1,,", []byte{})
	f.Add("a.b", "-1", "v1a,===", []byte("x"))
	secret, private := signer.NewSecret(), signer.NewPrivateKey()
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		h := map[string][]string{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		if err := signer.Verify(h, body, at, math.MaxInt64, secret, private.Public()); err == nil {
			t.Error("verified without the key")
		}
	})
}
