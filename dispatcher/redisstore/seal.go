package redisstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// KeyRing seals what must not stand in Redis in clear text (AES-256-GCM, NIST
// SP 800-38D): the first key seals, every key opens. The zero value has no key
// and is refused by [New]. It prints without its keys.
type KeyRing struct{ keys []sealKey }

type sealKey struct {
	id   string
	aead cipher.AEAD
}

var keyIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// ParseKeyRing reads keys of the form "id:base64(32 bytes)", newest first.
// Errors are [webhook.FieldError]s that name the entry and never its key.
func ParseKeyRing(texts []string) (KeyRing, error) {
	var ring KeyRing
	for i, text := range texts {
		field := fmt.Sprintf("secrets.keys[%d]", i)
		key, err := parseSealKey(field, text)
		if err != nil {
			return KeyRing{}, err
		}
		if _, taken := ring.find(key.id); taken {
			return KeyRing{}, webhook.Invalid(field, "repeats the id %q", key.id)
		}
		ring.keys = append(ring.keys, key)
	}
	if ring.IsZero() {
		return KeyRing{}, webhook.Invalid("secrets.keys", "needs at least one key, id:base64(32 bytes)")
	}
	return ring, nil
}

// NewKeyRing returns a ring with one random key, for tests and throw-away processes.
func NewKeyRing() KeyRing {
	key := make([]byte, 32)
	rand.Read(key)
	return KeyRing{keys: []sealKey{{id: "temporary", aead: newAEAD(key)}}}
}

func parseSealKey(field, text string) (sealKey, error) {
	id, encoded, ok := strings.Cut(text, ":")
	if !ok || !keyIDPattern.MatchString(id) {
		return sealKey{}, webhook.Invalid(field, "must be id:base64(32 bytes), the id matching [A-Za-z0-9_-]{1,32}")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(key) != 32 {
		return sealKey{}, webhook.Invalid(field, "key %q must be 32 bytes in padded standard base64", id)
	}
	return sealKey{id: id, aead: newAEAD(key)}, nil
}

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // cannot happen: 32 bytes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // cannot happen: AES
	}
	return aead
}

// IsZero tells whether the ring has no key.
func (r KeyRing) IsZero() bool { return len(r.keys) == 0 }

// Format prints the ids of the keys, whatever the verb.
func (r KeyRing) Format(f fmt.State, _ rune) {
	ids := make([]string, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.id
	}
	fmt.Fprintf(f, "KeyRing(%s)", strings.Join(ids, " "))
}

// MarshalText gives the ids of the keys, as Format does, to JSON and slog.
func (r KeyRing) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }

func (r KeyRing) find(id string) (sealKey, bool) {
	for _, k := range r.keys {
		if k.id == id {
			return k, true
		}
	}
	return sealKey{}, false
}

// sealed text: format byte '1', key id, ':', base64 of nonce and ciphertext.
const formatSealed = "1"

var errSealed = errors.New("sealed text is damaged, or was sealed for something else")

// newest is the key that seals.
func (r KeyRing) newest() sealKey { return r.keys[0] }

// seal encrypts, bound to what the text belongs to: it opens nowhere else.
func (r KeyRing) seal(plain []byte, ref webhook.EndpointRef, field string) string {
	return r.newest().seal(plain, ref, field)
}

func (k sealKey) seal(plain []byte, ref webhook.EndpointRef, field string) string {
	box := k.aead.Seal(nil, nil, plain, boundTo(ref, field))
	return formatSealed + k.id + ":" + base64.StdEncoding.EncodeToString(box)
}

// sealedBy is the id of the key that a text says it was sealed with; empty when it says none.
func sealedBy(text string) string {
	id, _, ok := strings.Cut(strings.TrimPrefix(text, formatSealed), ":")
	if !ok || !strings.HasPrefix(text, formatSealed) || !keyIDPattern.MatchString(id) {
		return ""
	}
	return id
}

// open decrypts what seal made. Errors name the missing key's id, never a key or the text.
func (r KeyRing) open(text string, ref webhook.EndpointRef, field string) ([]byte, error) {
	id, encoded, ok := strings.Cut(strings.TrimPrefix(text, formatSealed), ":")
	if !ok || !strings.HasPrefix(text, formatSealed) {
		return nil, errSealed
	}
	key, known := r.find(id)
	if !known {
		return nil, fmt.Errorf("encryption key %q is not in secrets.keys", id)
	}
	box, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errSealed
	}
	plain, err := key.aead.Open(nil, nil, box, boundTo(ref, field))
	if err != nil {
		return nil, fmt.Errorf("encryption key %q: %w", id, errSealed)
	}
	return plain, nil
}

func boundTo(ref webhook.EndpointRef, field string) []byte {
	return []byte(ref.Brand + "\x00" + ref.ID + "\x00" + field)
}
