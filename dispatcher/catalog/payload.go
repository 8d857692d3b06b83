package catalog

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// field is a text that a payload must have.
type field struct{ name, value string }

// required returns a [webhook.FieldError] for the first field that is empty or
// that JSON could not carry unchanged.
func required(fields ...field) error {
	for _, f := range fields {
		switch {
		case f.value == "":
			return webhook.Invalid("payload."+f.name, "is required")
		case !utf8.ValidString(f.value):
			return webhook.Invalid("payload."+f.name, "must be valid UTF-8")
		}
	}
	return nil
}

// timestamp writes RFC 3339 in UTC, with as many decimals as the time has.
func timestamp(at time.Time) (string, error) {
	if at.IsZero() {
		return "", webhook.Invalid("payload.timestamp", "is required")
	}
	text, err := at.UTC().MarshalText()
	if err != nil {
		return "", webhook.Invalid("payload.timestamp", "must lie within the years 0 to 9999")
	}
	return string(text), nil
}

// object is an open object of a payload, left out when it has no bytes.
type object struct {
	name string
	text json.RawMessage
}

// build encodes fields, a struct with at least one field, and splices the
// objects in before its end, byte for byte: encoding/json would compact them.
func build(fields any, objects ...object) (json.RawMessage, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		return nil, err
	}
	payload := bytes.TrimSuffix(b.Bytes(), []byte("}\n"))
	for _, o := range objects {
		if len(o.text) == 0 {
			continue
		}
		if !isObject(o.text) {
			return nil, webhook.Invalid("payload."+o.name, "must be a JSON object in UTF-8")
		}
		payload = append(payload, `,"`+o.name+`":`...)
		payload = append(payload, o.text...)
	}
	return append(payload, '}'), nil
}

func isObject(text json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) && utf8.Valid(text) && json.Valid(text)
}
