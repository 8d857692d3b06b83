package egress

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

const (
	maxName  = 253 // RFC 1035, section 2.3.4, without the final dot
	maxLabel = 63
)

// host returns the host of a URL in canonical form: an address that may be
// reached, or a name in ASCII.
func (c *Client) host(target *url.URL) (string, error) {
	if strings.HasPrefix(target.Host, "[") {
		addr, err := netip.ParseAddr(target.Hostname())
		if err != nil || !addr.Is6() {
			return "", invalidURL("brackets must hold an IPv6 address")
		}
		return c.literal(addr)
	}
	name, err := asciiName(target.Hostname())
	if err != nil {
		return "", err
	}
	// After mapping: full-width digits and ideographic dots have become plain ones.
	if addr, err := netip.ParseAddr(name); err == nil {
		return c.literal(addr)
	}
	switch {
	case looksNumeric(name):
		return "", invalidURL("host must be a name, or an address in its usual form: four decimal numbers, or IPv6 in brackets")
	case !c.guard.internal && isInternal(name), isLocalhost(name) && !c.guard.allowsLoopback():
		return "", invalidURL(unreachable)
	}
	return name, nil
}

// unreachable does not say which rule refused the address.
const unreachable = "host must be reachable from the public Internet"

func (c *Client) literal(addr netip.Addr) (string, error) {
	addr = addr.Unmap()
	switch {
	case !c.guard.allows(addr):
		return "", invalidURL(unreachable)
	case addr.Is6():
		return "[" + addr.String() + "]", nil
	}
	return addr.String(), nil
}

// asciiName returns a name in lower case and punycode (IDNA, the profile for
// lookups), without a final dot. Plain ASCII names skip that profile: it
// refuses two hyphens in third and fourth place, which exist.
func asciiName(name string) (string, error) {
	name = strings.ToLower(name)
	if isUnicode(name) || strings.Contains(name, "xn--") {
		mapped, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", invalidURL("host is not a valid internationalised name")
		}
		name = mapped
	}
	name = strings.TrimSuffix(name, ".")
	if len(name) > maxName {
		return "", invalidURL("host must be at most %d characters", maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return "", invalidURL("host must be labels of letters, digits and hyphens, each at most %d characters", maxLabel)
		}
	}
	return name, nil
}

func isUnicode(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

// isLabel accepts underscores as well: container platforms use them in names.
func isLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// looksNumeric finds what is no canonical address but what a resolver may take
// for one: decimal, octal, hexadecimal and shortened forms. No top-level domain
// is a number (WHATWG URL, "ends in a number").
func looksNumeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	digits, base := last, "0123456789"
	if hex, found := strings.CutPrefix(last, "0x"); found {
		digits, base = hex, "0123456789abcdef"
	}
	return strings.Trim(digits, base) == ""
}

// internalNames end names that the public DNS will not have: RFC 6761, RFC 6762, RFC 8375, ICANN's reserved .internal, and what
// private networks use in their place.
var internalNames = []string{".localhost", ".local", ".internal", ".home.arpa", ".intranet", ".private", ".corp", ".home", ".lan"}

// isInternal finds names that only a network of one's own answers for. Whether that one knows them is nobody's business: a
// [Client.Check] would tell.
func isInternal(name string) bool {
	return !strings.Contains(name, ".") ||
		slices.ContainsFunc(internalNames, func(end string) bool { return strings.HasSuffix(name, end) })
}

func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
