package webhook_test

import (
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const maxPayload = 1024

func event(payload string) webhook.Event {
	return webhook.Event{ID: "receipt-1_delivered", Brand: "acme", Type: "message.delivered", Payload: []byte(payload)}
}

func TestEventValidateFields(t *testing.T) {
	for _, row := range []struct {
		name, field string
		change      func(*webhook.Event)
	}{
		{"as it is", "", func(*webhook.Event) {}},
		{"no id", "", func(e *webhook.Event) { e.ID = "" }},
		{"longest id", "", func(e *webhook.Event) { e.ID = strings.Repeat("a", 64) }},
		{"id too long", "id", func(e *webhook.Event) { e.ID = strings.Repeat("a", 65) }},
		{"id with a dot", "id", func(e *webhook.Event) { e.ID = "a.b" }},
		{"no brand", "brand", func(e *webhook.Event) { e.Brand = "" }},
		{"brand with a colon", "brand", func(e *webhook.Event) { e.Brand = "acme:eu" }},
		{"brand too long", "brand", func(e *webhook.Event) { e.Brand = strings.Repeat("a", 65) }},
		{"no type", "type", func(e *webhook.Event) { e.Type = "" }},
		{"a type that no catalogue knows", "", func(e *webhook.Event) { e.Type = "order.placed" }},
		{"no payload", "payload", func(e *webhook.Event) { e.Payload = nil }},
		{"expired", "", func(e *webhook.Event) { e.ExpiresAt = publishedAt.Add(-time.Hour) }},
		{"two mistakes: the first", "brand", func(e *webhook.Event) { e.Brand, e.Payload = "", nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := event(`{}`)
			row.change(&e)
			if err := e.Validate(maxPayload); fieldOf(t, err) != row.field {
				t.Errorf("got %v, want the field %q", err, row.field)
			}
		})
	}
}

func nested(depth int, open, shut string) string {
	return strings.Repeat(open, depth) + strings.Repeat(shut, depth)
}

func TestEventValidatePayloadAccepts(t *testing.T) {
	for name, payload := range map[string]string{
		"empty object":                  `{}`,
		"spaces around":                 " \t\r\n{ } \t\r\n",
		"duplicate keys":                `{"a":1,"a":2}`,
		"numbers of any form":           `{"a":1e2,"b":-0.0,"c":1E+999}`,
		"odd characters":                "{\"<&>\":\"\u2028 \U0001F600 \\ud83d\\ude00 \\u0000\"}",
		"half a surrogate pair":         `{"a":"\ud83d"}`,
		"brackets in strings":           `{"` + strings.Repeat("[{", 100) + `":"` + strings.Repeat("{[", 100) + `"}`,
		"brackets after escaped quotes": `{"a":"\"` + strings.Repeat("[", 100) + `\\\"` + strings.Repeat("{", 100) + `"}`,
		"many brackets side by side":    `{"a":[` + strings.Repeat("[],", 100) + `[]]}`,
		"nested 64 deep":                `{"a":` + nested(63, "[", "]") + `}`,
		"objects 64 deep":               strings.Repeat(`{"a":`, 63) + `{}` + strings.Repeat(`}`, 63),
	} {
		t.Run(name, func(t *testing.T) {
			if err := event(payload).Validate(maxPayload); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEventValidatePayloadRefuses(t *testing.T) {
	const (
		required = "payload: is required"
		object   = "payload: must be a JSON object"
		utf8     = "payload: must be valid UTF-8"
		deep     = "payload: must not nest deeper than 64"
	)
	for _, row := range []struct{ name, payload, want string }{
		{"nested 65 deep", `{"a":` + nested(64, "[", "]") + `}`, deep},
		{"objects 65 deep", strings.Repeat(`{"a":`, 64) + `{}` + strings.Repeat(`}`, 64), deep},
		{"65 deep after an escaped backslash", `{"a\\":` + nested(64, "[", "]") + `}`, deep},
		{"deep and unfinished", `{"a":` + strings.Repeat("[", 500), deep},
		{"nothing", "", required},
		{"blank", " \r\n\t ", object},
		{"array", `[{}]`, object},
		{"array, deep", nested(100, "[", "]"), object},
		{"string", `"{}"`, object},
		{"number", `1`, object},
		{"null", `null`, object},
		{"true", `true`, object},
		{"unfinished", `{"a":1`, object},
		{"unfinished string", `{"a`, object},
		{"ends in a backslash", `{"a\`, object},
		{"trailing comma", `{"a":1,}`, object},
		{"comment", `{/**/}`, object},
		{"bare key", `{a:1}`, object},
		{"single quotes", `{'a':1}`, object},
		{"bad escape", `{"a":"\x"}`, object},
		{"not a number", `{"a":NaN}`, object},
		{"line break in a string", "{\"a\":\"\n\"}", object},
		{"two objects", `{}{}`, object},
		{"trailing text", `{} x`, object},
		{"trailing zero byte", "{}\x00", object},
		{"wrong bracket", `{"a":[}`, object},
		{"closed too often", `{}}}}}}`, object},
		{"other blank first", "\u00a0{}", object},
		{"vertical tab first", "\v{}", object},
		{"byte order mark", "\uFEFF{}", object},
		{"half a character", "{\"a\":\"\xc3\"}", utf8},
		{"surrogate as bytes", "{\"a\":\"\xed\xa0\x80\"}", utf8},
		{"UTF-16", "{\x00}\x00\xff\xfe", utf8},
		{"invalid UTF-8 after the object", "{}\xff", utf8},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := event(row.payload).Validate(maxPayload)
			if got := message(err); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
			fieldOf(t, err)
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestEventValidateLimit(t *testing.T) {
	payload := `{"a":"` + strings.Repeat("é", 20) + `"}` // 48 bytes, 28 characters
	for limit, want := range map[int]string{
		49: "",
		48: "",
		47: "payload: must be at most 47 bytes, is 48",
		28: "payload: must be at most 28 bytes, is 48",
		0:  "payload: must be at most 0 bytes, is 48",
	} {
		if got := message(event(payload).Validate(limit)); got != want {
			t.Errorf("limit %d: got %q, want %q", limit, got, want)
		}
	}
}

// Size comes first: a payload over the limit is not looked into.
func TestEventValidateSizeBeforeContent(t *testing.T) {
	for _, payload := range []string{strings.Repeat("[", 100), strings.Repeat("\xff", 100), strings.Repeat(" ", 100)} {
		if got, want := message(event(payload).Validate(99)), "payload: must be at most 99 bytes, is 100"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What is refused is not repeated: it may be a phone number.
func TestEventValidateKeepsValuesToItself(t *testing.T) {
	const number = "15552223333"
	for _, e := range []webhook.Event{
		{Brand: "+" + number},
		{Brand: "acme", ID: "+" + number},
		{Brand: "acme", Type: "message.read", Payload: []byte(`{"from":` + number)},
		{Brand: "acme", Type: "message.read", Payload: []byte(`"` + number + `"`)},
		{Brand: "acme", Type: "message.read", Payload: []byte(`{"from":"` + number + "\xff")},
	} {
		err := e.Validate(maxPayload)
		if fieldOf(t, err) == "" || strings.Contains(err.Error(), number) {
			t.Errorf("got %v", err)
		}
	}
}

func TestEventRef(t *testing.T) {
	ref := event(`{}`).Ref()
	if want := (webhook.EventRef{Brand: "acme", ID: "receipt-1_delivered"}); ref != want {
		t.Errorf("got %+v", ref)
	}
	if got := ref.String(); got != "acme:receipt-1_delivered" {
		t.Errorf("got %q", got)
	}
}
