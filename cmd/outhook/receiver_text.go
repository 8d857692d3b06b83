package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What of a body is shown.
const (
	maxPretty     = 8 << 10 // bytes of JSON that are indented
	maxNested     = 256     // objects and arrays in it: indenting costs bytes times depth
	maxShownBytes = 4 << 10
	maxShownLines = 40
)

// harmful tells whether a character could do more to a terminal than be seen:
// move the cursor, change colours, break the line or turn the direction of text.
func harmful(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// printable returns untrusted text for a terminal: valid UTF-8 on one line,
// without what is harmful, and at most limit bytes of it.
func printable(text string, limit int) string {
	clean := strings.Map(func(r rune) rune {
		if harmful(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(clean) <= limit {
		return clean
	}
	return cut(clean, limit) + "…"
}

// cut returns at most limit bytes of valid UTF-8, whole characters only.
func cut(text string, limit int) string {
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// readable returns a body for a terminal, a line each, JSON indented, and how
// many bytes of the body there are when not all is shown.
func readable(body []byte) []string {
	text := body
	var pretty bytes.Buffer
	if len(body) <= maxPretty && nested(body) <= maxNested && json.Indent(&pretty, body, "", "  ") == nil {
		text = pretty.Bytes()
	}
	shown := text[:min(len(text), maxShownBytes)]
	lines := strings.Split(strings.TrimRight(string(shown), "\n"), "\n")
	all := len(shown) == len(text) && len(lines) <= maxShownLines
	lines = lines[:min(len(lines), maxShownLines)]
	for i, line := range lines {
		lines[i] = printable(line, maxShownBytes)
	}
	if !all {
		lines = append(lines, fmt.Sprintf("… %d bytes in all", len(body)))
	}
	return lines
}

// nested is never less than the depth of JSON text.
func nested(body []byte) int { return bytes.Count(body, []byte("{")) + bytes.Count(body, []byte("[")) }

// escapeHarmful writes what is harmful in JSON text as \uXXXX, which means the
// same. The encoder does so itself below U+0020 only.
func escapeHarmful(text []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(text) {
		if r >= ' ' && harmful(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}
