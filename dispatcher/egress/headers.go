package egress

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Limits of an endpoint's own headers; the size is of all names and values, in bytes.
const (
	MaxHeaders     = 20
	MaxHeaderBytes = 4 << 10
)

// CheckHeaders returns a [webhook.FieldError] for "headers.<name>", or for
// "headers" when they are too many or too large, which is looked at first, unless all may be sent with every attempt.
// Names are tokens (RFC 9110, section 5.6.2), values hold no control characters
// and no space around them. What outhook, HTTP or the connection decides is
// refused, in any case and with "_" for "-", and so is a name that stands there twice: Host, Cookie, User-Agent, Content-*,
// Webhook-*, Smobi-*, Proxy-*, the hop-by-hop ones, Accept-Encoding and Expect.
func CheckHeaders(headers map[string]string) error {
	if len(headers) > MaxHeaders {
		return webhook.Invalid("headers", "must be at most %d", MaxHeaders)
	}
	size := 0
	for name, value := range headers {
		size += len(name) + len(value)
	}
	if size > MaxHeaderBytes {
		return webhook.Invalid("headers", "must be at most %d bytes in all, names included", MaxHeaderBytes)
	}
	seen := make(map[string]bool, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if rule := headerRule(name, folded, headers[name]); rule != "" {
			return webhook.Invalid(headerField(name), "%s", rule)
		}
		if seen[folded] {
			return webhook.Invalid(headerField(name), `is given twice, in different case or with "_" for "-"`)
		}
		seen[folded] = true
	}
	return nil
}

// headerRule returns the rule that a header breaks, or nothing.
func headerRule(name, folded, value string) string {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return "name must be letters, digits and any of !#$%&'*+-.^_`|~"
	case isReserved(folded):
		return "is reserved: outhook, HTTP or the connection sets it"
	case !utf8.ValidString(value):
		return "value must be valid UTF-8"
	case strings.ContainsFunc(value, unicode.IsControl):
		return "value must not contain control characters"
	case strings.TrimSpace(value) != value:
		return "value must not begin or end with a space"
	}
	return ""
}

// sameName compares names as servers do that make variables of headers: in any
// case, and with "_" for "-".
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldedByte(a[i]) != foldedByte(b[i]) {
			return false
		}
	}
	return true
}

func foldedByte(c byte) byte {
	switch {
	case c == '_':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 'a'
	}
	return c
}

// isReserved knows names in lower case with "-" for "_".
func isReserved(name string) bool {
	for _, prefix := range []string{"content-", "proxy-", "smobi-", "webhook-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "cookie", "user-agent", // ours
		"http2-settings", "accept-encoding": // would change how the request or its answer travels
		return true
	}
	return isFraming(name)
}

// framing are the names by which a message says where it ends, whose it is and what becomes of its connection (RFC 9112,
// sections 3.2, 6 and 9). They are written by who sends the request.
var framing = []string{"host", "content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "proxy-connection", "upgrade", "expect"}

func isFraming(name string) bool {
	return slices.ContainsFunc(framing, func(other string) bool { return sameName(name, other) })
}

// headerField names a header in an error; a name that is no token is quoted and cut.
func headerField(name string) string {
	const shown = 100
	if len(name) > shown {
		name = strings.ToValidUTF8(name[:shown], "")
	}
	if !httpguts.ValidHeaderFieldName(name) {
		name = strconv.QuoteToASCII(name)
	}
	return "headers." + name
}
