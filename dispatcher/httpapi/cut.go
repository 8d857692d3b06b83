package httpapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// The functions in this file cut valid JSON (RFC 8259) into its parts without
// copying: encoding/json would match names in any case, keep the last of two
// equal ones, replace what is not UTF-8, and name an unknown field in text only.

// shownName bounds how much of a caller's field name is repeated to it.
const shownName = 64

// eachMember calls visit for the members of an object, in order. Errors are
// [webhook.FieldError]s: no object, a name twice, or whatever visit returns.
func eachMember(object []byte, visit func(name string, value []byte) error) error {
	i := skipSpace(object, 0)
	if !starts(object, i, '{') {
		return webhook.Invalid("", "must be an object")
	}
	seen := make(map[string]bool, 8)
	for i = skipSpace(object, i+1); starts(object, i, '"'); i = skipComma(object, i) {
		end := stringEnd(object, i)
		name := unquote(object[i:end])
		i = skipSpace(object, skipSpace(object, end)+1) // the colon
		end = valueEnd(object, i)
		value := object[i:end:end]
		i = end
		if seen[name] {
			return webhook.Invalid(shown(name), "is given twice")
		}
		seen[name] = true
		if err := visit(name, value); err != nil {
			return err
		}
	}
	return nil
}

// inUTF8 refuses values that are not, before visit sees them.
func inUTF8(visit func(name string, value []byte) error) func(name string, value []byte) error {
	return func(name string, value []byte) error {
		switch {
		case !utf8.Valid(value):
			return webhook.Invalid(shown(name), "must be valid UTF-8")
		case name != "payload" && hasLoneSurrogate(value): // which decoding would replace
			return webhook.Invalid(shown(name), `must be text: a \u escape in it is half of a pair`)
		}
		return visit(name, value)
	}
}

// hasLoneSurrogate finds escapes of UTF-16 that are half of a pair (RFC 8259, section 8.2).
func hasLoneSurrogate(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		first := escaped(text, i)
		switch {
		case utf16.IsSurrogate(first) && utf16.DecodeRune(first, escaped(text, i+6)) == utf8.RuneError:
			return true
		case utf16.IsSurrogate(first):
			i += 11
		default:
			i++ // what is escaped may be a backslash
		}
	}
	return false
}

// escaped reads a \u escape at i; 0 when there is none.
func escaped(text []byte, i int) rune {
	if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
		return 0
	}
	code, err := strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(code)
}

// elements returns the first elements of an array, up to limit; ok is false when
// it is no array.
func elements(array []byte, limit int) (found [][]byte, ok bool) {
	i := skipSpace(array, 0)
	if !starts(array, i, '[') {
		return nil, false
	}
	i = skipSpace(array, i+1)
	for i < len(array) && array[i] != ']' && len(found) < limit {
		end := valueEnd(array, i)
		found = append(found, array[i:end:end])
		i = skipComma(array, end)
	}
	return found, true
}

func starts(text []byte, i int, c byte) bool { return i < len(text) && text[i] == c }

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// skipComma goes on from the end of a value to the next member or element, or
// to the closing bracket.
func skipComma(text []byte, i int) int {
	i = skipSpace(text, i)
	if starts(text, i, ',') {
		i = skipSpace(text, i+1)
	}
	return i
}

// stringEnd returns the index after the string that starts at i.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// valueEnd returns the index after the value that starts at i.
func valueEnd(text []byte, i int) int {
	switch {
	case starts(text, i, '"'):
		return stringEnd(text, i)
	case starts(text, i, '{') || starts(text, i, '['):
		return nestedEnd(text, i)
	}
	if length := bytes.IndexAny(text[i:], ",]} \t\r\n"); length > 0 {
		return i + length
	}
	return len(text)
}

func nestedEnd(text []byte, i int) int {
	for level := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			level++
		case '}', ']':
			level--
			if level == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// depth returns how deeply text nests; right for valid JSON, and never too
// small for what is nested too deeply to be parsed.
func depth(text []byte) int {
	deepest, level := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			level++
			deepest = max(deepest, level)
		case '}', ']':
			level--
		}
	}
	return deepest
}

func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // a valid string
	return s
}

func shown(name string) string {
	if len(name) > shownName {
		return name[:shownName] + "…"
	}
	return name
}

// payloadMark is what a payload that was left out is encoded as. It cannot occur
// inside of a JSON string, where quotes are escaped.
const payloadMark = `"payload":null`

// encodeWith encodes v, whose Payload must be empty, with payload in its place.
func encodeWith(v any, payload []byte) ([]byte, error) {
	encoded, err := encode(v)
	if err != nil || len(payload) == 0 {
		return encoded, err
	}
	before, after, _ := bytes.Cut(encoded, []byte(payloadMark))
	return bytes.Join([][]byte{before, []byte(`"payload":`), payload, after}, nil), nil
}
