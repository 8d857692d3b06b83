package webhook

import "encoding/json"

// EventType is one event type, in the form of the API.
type EventType struct {
	// Name is lower-case words with dots between them, such as "message.delivered".
	Name string `json:"name"`
	// Group is one of the catalogue's groups.
	Group string `json:"group"`
	// MessageSource is "EXTERNAL", "INTERNAL", or nil when the type has none.
	MessageSource *string `json:"messageSource"`
	Description   string  `json:"description"`
	// Schema is a JSON Schema of draft 2020-12.
	Schema json.RawMessage `json:"schema"`
	// Example is a payload of this type. Inner objects that are not documented
	// carry "sample":true in it.
	Example json.RawMessage `json:"example"`
}
