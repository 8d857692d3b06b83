package curl

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shellWord is text as one word of a POSIX shell: in single quotes, or, where it has what a terminal would obey, as what a
// printf writes. Text must have no NUL, which no word can have, and must not end with a newline.
func shellWord(text string) string {
	if !needsPrintf(text) {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return `"$(printf ` + shellFormat(text) + `)"`
}

// needsPrintf tells whether text cannot be shown, and copied from a terminal, as it is. A newline can.
func needsPrintf(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && harmful(r) })
}

// shellFormat is a quoted format with which printf writes text, whatever bytes it has.
func shellFormat(text string) string {
	var out strings.Builder
	out.WriteByte('\'')
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		part := text[at : at+size]
		switch {
		case r == utf8.RuneError && size == 1, r != '\n' && harmful(r),
			r == '!',            // interactive shells would look for it in their history
			r == '-' && at == 0: // would be an option
			for _, b := range []byte(part) {
				fmt.Fprintf(&out, `\%03o`, b)
			}
		case r == '\\':
			out.WriteString(`\\`)
		case r == '%':
			out.WriteString("%%")
		case r == '\'':
			out.WriteString(`'\''`)
		default:
			out.WriteString(part)
		}
		at += size
	}
	out.WriteByte('\'')
	return out.String()
}

// harmful tells whether a character could do more to a terminal than be seen: move the cursor, change colours, break the line
// or turn the direction of text.
func harmful(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}
