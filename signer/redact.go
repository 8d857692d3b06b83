package signer

import (
	"fmt"
	"io"
	"log/slog"
)

const redactedText = "[redacted]"

// redacted is embedded by every type that holds a key, and prints in its
// place. That is not enough: fmt calls no methods on unexported fields of other
// structs, nor for %p and verbs it does not know, and go-cmp none where two
// texts are alike; they walk the fields, through pointers too. So those types
// keep the key inside a func, which nothing looks into.
type redacted struct{}

// String returns "[redacted]".
func (redacted) String() string { return redactedText }

// Format writes "[redacted]" whatever the verb and flags.
func (redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedText) }

// LogValue returns "[redacted]".
func (redacted) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText returns "[redacted]", in JSON too. What it writes cannot be read
// back: to store a key, encrypt what Reveal returns.
func (redacted) MarshalText() ([]byte, error) { return []byte(redactedText), nil }
