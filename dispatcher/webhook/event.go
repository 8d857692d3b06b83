package webhook

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// MaxDepth bounds how deeply the objects and arrays of a payload may nest.
const MaxDepth = 64

// Event is something that happened and that endpoints may want to know.
type Event struct {
	// ID identifies the event within its brand; made when empty. It is signed
	// and sent as webhook-id, the same on every attempt. See [IDRule].
	ID string
	// Brand is the tenant. See [IDRule].
	Brand string
	// Type is a name of the catalogue, such as "message.delivered".
	Type string
	// Payload is one JSON object in UTF-8. It is delivered byte for byte; white
	// space around it is no part of it.
	Payload json.RawMessage
	// PublishedAt is when the event was accepted, in milliseconds' resolution. Set by the dispatcher.
	PublishedAt time.Time
	// ExpiresAt ends the delivery: no attempt starts at or after it. Zero means
	// that only the schedule's MaxAge bounds it.
	ExpiresAt time.Time
	// Trace is the span of the publish, which the attempts are children of; zero where it is not traced. Set by the dispatcher.
	Trace TraceContext
}

// TraceContext names a span, as a traceparent does (W3C Trace Context, section 3.2). The zero value names none.
type TraceContext struct {
	TraceID [16]byte
	SpanID  SpanID
	Flags   byte
}

// SpanID names a span of a trace; zero names none.
type SpanID [8]byte

// Ref names the event.
func (e Event) Ref() EventRef { return EventRef{Brand: e.Brand, ID: e.ID} }

// EventRef names one event.
type EventRef struct{ Brand, ID string }

// String returns brand and id, separated by a colon.
func (r EventRef) String() string { return r.Brand + ":" + r.ID }

// Validate checks the fields of an event that a caller gives, except whether
// the catalogue knows the type. maxPayload is in bytes. Errors are
// [FieldError]s. An empty id is valid: the dispatcher makes one.
func (e Event) Validate(maxPayload int) error {
	if err := CheckID("brand", e.Brand); err != nil {
		return err
	}
	if e.ID != "" {
		if err := CheckID("id", e.ID); err != nil {
			return err
		}
	}
	if e.Type == "" {
		return Invalid("type", "is required")
	}
	return checkPayload(e.Payload, maxPayload)
}

func checkPayload(payload []byte, limit int) error {
	switch {
	case len(payload) == 0:
		return Invalid("payload", "is required")
	case len(payload) > limit:
		return Invalid("payload", "must be at most %d bytes, is %d", limit, len(payload))
	case !utf8.Valid(payload):
		return Invalid("payload", "must be valid UTF-8")
	case !bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{")):
		return Invalid("payload", "must be a JSON object")
	case depth(payload) > MaxDepth:
		return Invalid("payload", "must not nest deeper than %d", MaxDepth)
	case !json.Valid(payload):
		return Invalid("payload", "must be a JSON object")
	}
	return nil
}

// depth returns how deeply JSON text nests, without parsing it: a cheap bound
// that is right for valid JSON; what is invalid is refused after it anyway.
func depth(text []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// Receipt answers a publish.
type Receipt struct {
	// ID is the event's, as given or as made.
	ID string
	// Duplicate says that the event was known: nothing is sent twice.
	Duplicate bool
	// Endpoints are the ids of the endpoints that the event goes to.
	Endpoints []string
}

// Result is one entry's answer of a batch: a receipt, or the error of that entry.
type Result struct {
	Receipt Receipt
	Err     error
}
