package config

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Redacted stands for every secret that is printed. As a value it is refused, so that the output of Print is never
// taken for the real thing.
const Redacted = "redacted"

// Secret holds text that prints as Redacted through fmt, slog, JSON and YAML; only Reveal gives it away.
// The zero value is no secret and prints as nothing.
type Secret struct {
	// A pointer: fmt does not call methods on the unexported fields of a caller's struct, and prints an address then.
	text *string
}

// NewSecret wraps text; the empty text gives the zero value.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the secret itself, empty for the zero value.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns Redacted, or nothing for the zero value.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return Redacted
}

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is what slog writes.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is what JSON and YAML write.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// EncryptionKey is one entry of secrets.keys.
type EncryptionKey struct {
	// ID names the key in what it encrypted: 1 to 32 letters, digits, _ or -.
	ID string
	// Key reveals the 32 bytes, decoded.
	Key Secret
}

// String returns the id and Redacted.
func (k EncryptionKey) String() string { return k.ID + ":" + k.Key.String() }

const (
	minAdminKey = 32
	maxAdminKey = 256
	keyBytes    = 32
	realValue   = "must be the real value, not the word that stands for it in print"
)

func adminKey() kind[Secret] {
	rule := fmt.Sprintf("must be %d to %d printable ASCII characters without spaces", minAdminKey, maxAdminKey)
	return scalar("string", rule, []string{strTag}, func(text string) (Secret, string) {
		spaced := strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
		switch {
		case text == Redacted:
			return Secret{}, realValue
		case text != "" && (len(text) < minAdminKey || len(text) > maxAdminKey || spaced):
			return Secret{}, rule
		}
		return NewSecret(text), ""
	}, func(s Secret) *yaml.Node { return stringNode(s.String()) })
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func encryptionKey() kind[EncryptionKey] {
	rule := "must be id:base64, the id 1 to 32 letters, digits, _ or -, the rest 32 bytes in padded standard base64"
	return scalar("key", rule, []string{strTag}, func(text string) (EncryptionKey, string) {
		name, encoded, _ := strings.Cut(text, ":")
		if encoded == Redacted {
			return EncryptionKey{}, realValue
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		exact := len(encoded) == base64.StdEncoding.EncodedLen(keyBytes) // the decoder skips line breaks
		if err != nil || !exact || len(raw) != keyBytes || !keyID.MatchString(name) {
			return EncryptionKey{}, rule
		}
		return EncryptionKey{ID: name, Key: NewSecret(string(raw))}, ""
	}, func(k EncryptionKey) *yaml.Node { return stringNode(k.String()) })
}
