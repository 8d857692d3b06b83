package signer

import (
	"bytes"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
)

const versionEd25519 = "v1a"

// PrivateKey is an Ed25519 signing key (Standard Webhooks 1.0, "Signature
// scheme"). It prints as "[redacted]" and is safe for concurrent use. The zero
// value is no key: [Sign] refuses it.
type PrivateKey struct {
	redacted
	key func() ed25519.PrivateKey
}

// NewPrivateKey returns a random key.
func NewPrivateKey() PrivateKey {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil { // cannot be: crypto/rand does not fail
		panic(err)
	}
	return newPrivateKey(key)
}

// ParsePrivateKey reads a private key's text: whsk_ and, in padded standard
// base64, seed and public key (64 bytes) or the seed alone (32). Anything else,
// two halves that do not belong together included, is [ErrKey] with the reason.
func ParsePrivateKey(text string) (PrivateKey, error) {
	raw, err := decodeKey(prefixPrivate, text)
	if err != nil {
		return PrivateKey{}, err
	}
	if len(raw) != ed25519.PrivateKeySize && len(raw) != ed25519.SeedSize {
		return PrivateKey{}, fmt.Errorf("%w: %d bytes, want %d (seed and public key) or %d (seed)",
			ErrKey, len(raw), ed25519.PrivateKeySize, ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if !bytes.HasPrefix(key, raw) { // signing with a foreign public key gives the seed away
		return PrivateKey{}, fmt.Errorf("%w: its public half does not belong to its seed", ErrKey)
	}
	return newPrivateKey(key), nil
}

func newPrivateKey(key ed25519.PrivateKey) PrivateKey {
	return PrivateKey{key: func() ed25519.PrivateKey { return key }}
}

// Reveal returns the key as text, whsk_ and base64 of seed and public key. It
// is the only way to the text; "" for the zero PrivateKey.
func (k PrivateKey) Reveal() string {
	if k.IsZero() {
		return ""
	}
	return encodeKey(prefixPrivate, k.key())
}

// Hint returns the last 4 characters of the text, to recognise a key by; ""
// for the zero PrivateKey.
func (k PrivateKey) Hint() string { return hint(k.Reveal()) }

// IsZero reports whether k holds no key.
func (k PrivateKey) IsZero() bool { return k.key == nil }

// Equal reports, in constant time, whether both hold the same key.
func (k PrivateKey) Equal(other PrivateKey) bool {
	if k.IsZero() || other.IsZero() {
		return k.IsZero() == other.IsZero()
	}
	return subtle.ConstantTimeCompare(k.key(), other.key()) == 1
}

// Public returns the key that receivers verify with; zero for the zero
// PrivateKey.
func (k PrivateKey) Public() PublicKey {
	if k.IsZero() {
		return PublicKey{}
	}
	return PublicKey{key: [ed25519.PublicKeySize]byte(k.key()[ed25519.SeedSize:])}
}

func (k PrivateKey) sign(m message) signature {
	sig := signature{version: versionEd25519, size: ed25519.SignatureSize}
	copy(sig.bytes[:], ed25519.Sign(k.key(), m.join()))
	return sig
}

// PublicKey verifies what its [PrivateKey] signed. It is no secret, can be
// compared with ==, and prints as its text. The zero value is no key: [Verify]
// refuses it.
type PublicKey struct{ key [ed25519.PublicKeySize]byte }

// ParsePublicKey reads a public key's text: whpk_ and 32 bytes in padded
// standard base64. Anything else is [ErrKey] with the reason.
func ParsePublicKey(text string) (PublicKey, error) {
	raw, err := decodeKey(prefixPublic, text)
	if err != nil {
		return PublicKey{}, err
	}
	if len(raw) != ed25519.PublicKeySize {
		return PublicKey{}, fmt.Errorf("%w: %d bytes, want %d", ErrKey, len(raw), ed25519.PublicKeySize)
	}
	key := PublicKey{key: [ed25519.PublicKeySize]byte(raw)}
	if key.IsZero() { // a point of order 4: signatures for it are easily forged
		return PublicKey{}, fmt.Errorf("%w: all zero", ErrKey)
	}
	return key, nil
}

// String returns the key as text, whpk_…; "" for the zero PublicKey.
func (k PublicKey) String() string {
	if k.IsZero() {
		return ""
	}
	return encodeKey(prefixPublic, k.key[:])
}

// MarshalText returns the same text as String, in JSON too.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// IsZero reports whether k holds no key.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

func (k PublicKey) verify(m message, header string) bool {
	var content []byte
	for text := range signatures(header, versionEd25519) {
		sig, ok := decodeSignature(text)
		if !ok {
			continue
		}
		if content == nil {
			content = m.join()
		}
		if ed25519.Verify(k.key[:], content, sig) {
			return true
		}
	}
	return false
}

// decodeSignature takes a signature's one canonical text only: with the length
// right, there is no room for the line ends that the decoder skips.
func decodeSignature(text string) ([]byte, bool) {
	if len(text) != base64.StdEncoding.EncodedLen(ed25519.SignatureSize) {
		return nil, false
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(text)
	return sig, err == nil && len(sig) == ed25519.SignatureSize
}
