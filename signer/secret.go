package signer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"sync"
)

const (
	versionHMAC    = "v1"
	minSecretBytes = 24
	maxSecretBytes = 64
	newSecretBytes = 32
)

// Secret is a symmetric signing key of 24 to 64 bytes (Standard Webhooks 1.0,
// "Signature scheme"). It signs and verifies, prints as "[redacted]", and is
// safe for concurrent use. The zero value is no key: [Sign] and [Verify] refuse
// it. Copies share the key; keep one rather than parse its text for each use.
type Secret struct {
	redacted
	key func() *macKey
}

// NewSecret returns a secret of 32 random bytes.
func NewSecret() Secret {
	raw := make([]byte, newSecretBytes)
	rand.Read(raw) // never fails
	return newSecret(raw)
}

// ParseSecret reads a secret's text: whsec_ and 24 to 64 bytes in padded
// standard base64. Anything else is [ErrKey] with the reason.
func ParseSecret(text string) (Secret, error) {
	raw, err := decodeKey(prefixSecret, text)
	if err != nil {
		return Secret{}, err
	}
	switch {
	case len(raw) < minSecretBytes:
		return Secret{}, fmt.Errorf("%w: too short, %d bytes, want at least %d", ErrKey, len(raw), minSecretBytes)
	case len(raw) > maxSecretBytes:
		return Secret{}, fmt.Errorf("%w: too long, %d bytes, want at most %d", ErrKey, len(raw), maxSecretBytes)
	}
	return newSecret(raw), nil
}

func newSecret(raw []byte) Secret {
	key := &macKey{raw: raw}
	return Secret{key: func() *macKey { return key }}
}

// Reveal returns the secret as text, whsec_…, to hand out once or to encrypt.
// It is the only way to the text; "" for the zero Secret.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return encodeKey(prefixSecret, s.key().raw)
}

// Hint returns the last 4 characters of the text, to recognise a secret by;
// "" for the zero Secret.
func (s Secret) Hint() string { return hint(s.Reveal()) }

// IsZero reports whether s holds no key.
func (s Secret) IsZero() bool { return s.key == nil }

// Equal reports, in constant time, whether both hold the same key. Use it in
// place of == and reflect.DeepEqual.
func (s Secret) Equal(other Secret) bool {
	if s.IsZero() || other.IsZero() {
		return s.IsZero() == other.IsZero()
	}
	return subtle.ConstantTimeCompare(s.key().raw, other.key().raw) == 1
}

func (s Secret) sign(m message) signature {
	sig := signature{version: versionHMAC, size: sha256.Size}
	sum := s.key().sum(m)
	copy(sig.bytes[:], sum[:])
	return sig
}

// verify compares as text, since more than one base64 text decodes to the
// same bytes.
func (s Secret) verify(m message, header string) bool {
	sig := s.sign(m)
	var buf [64]byte
	want := base64.StdEncoding.AppendEncode(buf[:0], sig.bytes[:sig.size])
	for got := range signatures(header, versionHMAC) {
		if subtle.ConstantTimeCompare([]byte(got), want) == 1 {
			return true
		}
	}
	return false
}

// macKey keeps the key with HMACs already set up for it: setting one up costs
// as much as signing a small body.
type macKey struct {
	raw  []byte
	idle sync.Pool // of *macState
}

type macState struct {
	hash.Hash
	prefix []byte // here, because what goes through hash.Hash moves to the heap
	sum    [sha256.Size]byte
}

// sum returns the HMAC of m.
func (k *macKey) sum(m message) [sha256.Size]byte {
	state, ok := k.idle.Get().(*macState)
	if !ok {
		state = &macState{Hash: hmac.New(sha256.New, k.raw)}
	}
	defer k.idle.Put(state)
	state.Reset()
	state.prefix = m.appendPrefix(state.prefix[:0])
	state.Write(state.prefix)
	state.Write(m.body)
	state.Sum(state.sum[:0])
	return state.sum
}
