package webhook_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// FuzzEventValidate: no payload makes it panic, and it accepts exactly what
// encoding/json takes for an object, if it is UTF-8, small and flat enough.
func FuzzEventValidate(f *testing.F) {
	for _, seed := range []string{"", " ", "{}", `{"a":[1,{"b":"]\"\\"}]}`, `[{}]`, `{}{}`, "{\"a\":\"\xff\"}", `{"a\`, `}{`, "null",
		`{"a":` + nested(63, "[", "]") + `}`, `{"a":` + nested(64, "[", "]") + `}`, `{"a":1,"a":1e999}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		err := webhook.Event{Brand: "acme", Type: "message.read", Payload: payload}.Validate(maxPayload)
		var object map[string]json.RawMessage
		isObject := json.Unmarshal(payload, &object) == nil && object != nil
		want := isObject && utf8.Valid(payload) && len(payload) <= maxPayload && nesting(payload) <= webhook.MaxDepth
		if (err == nil) != want {
			t.Errorf("%q: got %v, want valid %t", payload, err, want)
		}
		if field := fieldOf(t, err); err != nil && field != "payload" {
			t.Errorf("%q: field %q", payload, field)
		}
		if !bytes.Equal(payload, before) {
			t.Errorf("%q became %q", before, payload)
		}
	})
}

// nesting counts the depth of valid JSON with the decoder's tokens.
func nesting(text []byte) (deepest int) {
	now := 0
	for tokens := json.NewDecoder(bytes.NewReader(text)); ; {
		token, err := tokens.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			deepest = max(deepest, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

// FuzzRetryAfter: whatever a receiver answers, the next attempt is not before
// the schedule's and not after both the schedule's and MaxInterval; a number of
// seconds in range is honoured; what is neither number nor date changes nothing.
func FuzzRetryAfter(f *testing.F) {
	for i, seed := range []string{"", "120", "0", "-1", "36001", "1e9", "9999999999999999999999", " 7 ", "NaN",
		"Fri, 02 Jan 2026 03:15:05 GMT", "Friday, 02-Jan-26 03:15:05 GMT", "Fri Jan  2 03:15:05 2026", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(seed, uint16(i), uint16(503))
	}
	s := defaults
	s.MaxAge = 1000 * time.Hour
	f.Fuzz(func(t *testing.T, value string, before, status uint16) {
		facts := answered(300 + int(status)%110)
		facts.Number = 1 + int(before)
		facts.Response.Header = after(value)
		delay := checkVerdict(t, facts, webhook.Judge(s, facts), retried(webhook.ReasonHTTPStatus))
		earliest, latest := band(defaultIntervals[min(int(before), len(defaultIntervals)-1)])
		text := strings.TrimSpace(value)
		seconds, errNumber := strconv.ParseUint(text, 10, 64)
		_, errDate := http.ParseTime(text)
		switch asked := time.Duration(min(seconds, 36_000)) * time.Second; {
		case errNumber == nil:
			earliest, latest = max(earliest, asked), max(latest, asked)
		case errDate == nil || strings.Trim(text, "0123456789") == "" && text != "":
			latest = max(latest, s.MaxInterval)
		}
		if delay < earliest || delay > latest {
			t.Errorf("%q after attempt %d: again after %s, outside %s to %s", value, facts.Number, delay, earliest, latest)
		}
	})
}

// FuzzCheckID: what is let through is safe wherever ids go: in keys and task ids,
// whose parts a colon separates, in what is signed, which a dot separates, and in paths.
func FuzzCheckID(f *testing.F) {
	for _, seed := range []string{"", "a", "A-z_09", "a.b", "a:b", "a/b", "ä", "a\n", strings.Repeat("x", 64), strings.Repeat("x", 65), "\xff", "%2e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		safe := len(id) >= 1 && len(id) <= 64
		for _, c := range []byte(id) {
			safe = safe && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
		}
		if err := webhook.CheckID("id", id); (err == nil) != safe {
			t.Errorf("%q: %v", id, err)
		} else if field := fieldOf(t, err); err != nil && field != "id" {
			t.Errorf("%q: field %q", id, field)
		}
	})
}
