package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// maxParsed is how deep encoding/json goes; what may nest deeper has no place in it to be named.
const maxParsed = 10_000

// checkEvent is [webhook.Event.Validate], and says where a payload is no JSON.
func checkEvent(e webhook.Event, limit int) error {
	err := e.Validate(limit)
	if broken, ok := errors.AsType[*webhook.FieldError](err); !ok || broken.Field != "payload" || len(e.Payload) > limit {
		return err
	}
	if rule := malformed(e.Payload); rule != "" {
		return webhook.Invalid("payload", "%s", rule)
	}
	return err
}

// malformed says where and why text is no JSON; nothing of what is JSON, and of what is empty, no text or too deep: others
// have a better word for that.
func malformed(text []byte) string {
	if len(text) == 0 || !utf8.Valid(text) || nested(text) >= maxParsed {
		return ""
	}
	var discard json.RawMessage
	syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, &discard))
	if !ok {
		return ""
	}
	return fmt.Sprintf("malformed JSON at byte %d: %s", syntax.Offset, syntax.Error())
}
