package egress

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// maxURL bounds a URL as given and as stored, in bytes.
const maxURL = 2048

const redacted = "redacted"

// CheckURL returns a [webhook.FieldError] for the field "url" unless raw may be
// an endpoint's URL: absolute, https (or http, where allowed), at most 2,048
// bytes, a port of the list, and no credentials, fragment, zone, whitespace,
// control characters or backslash. A host that is an address, in whatever
// spelling, must be one that may be reached. What a name resolves to is not
// looked at: that is decided when it is dialled.
func (c *Client) CheckURL(raw string) error {
	_, err := c.parse(raw)
	return err
}

// NormalizeURL checks raw as [Client.CheckURL] does and returns it as it is to
// be stored: scheme and host in lower case, the host in punycode, without a
// default port or a final dot, the path at least "/". Path and query keep their bytes
// as far as they are valid. Normalising twice changes nothing.
func (c *Client) NormalizeURL(raw string) (string, error) {
	target, err := c.parse(raw)
	if err != nil {
		return "", err
	}
	return target.String(), nil
}

func (c *Client) parse(raw string) (*url.URL, error) {
	if err := checkText(raw); err != nil {
		return nil, err
	}
	target, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, invalidURL("is not a valid URL")
	case target.Scheme != "https" && !c.cfg.AllowHTTP:
		return nil, invalidURL("scheme must be https")
	case target.Scheme != "https" && target.Scheme != "http":
		return nil, invalidURL("scheme must be https or http")
	case target.Opaque != "":
		return nil, invalidURL("must be absolute, such as https://example.com/hooks")
	case target.User != nil:
		return nil, invalidURL("must not contain credentials; set a header instead")
	case target.Hostname() == "":
		return nil, invalidURL("must name a host")
	}
	host, err := c.host(target)
	if err != nil {
		return nil, err
	}
	port, err := c.port(target)
	if err != nil {
		return nil, err
	}
	target.Host = host + port
	if target.Path == "" {
		target.Path = "/"
	}
	if len(target.String()) > maxURL {
		return nil, invalidURL("must be at most %d characters, percent-encoding and punycode included", maxURL)
	}
	return target, nil
}

// checkText checks what can be said before parsing, so that no two parsers can
// read the text in different ways.
func checkText(raw string) error {
	switch {
	case raw == "":
		return invalidURL("is required")
	case len(raw) > maxURL:
		return invalidURL("must be at most %d characters", maxURL)
	case !utf8.ValidString(raw):
		return invalidURL("must be valid UTF-8")
	case strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return invalidURL("must not contain whitespace or control characters")
	case strings.Contains(raw, `\`):
		return invalidURL("must not contain a backslash")
	case strings.Contains(raw, "#"):
		return invalidURL("must not contain a fragment")
	}
	_, rest, absolute := strings.Cut(raw, "://")
	if !absolute {
		return invalidURL("must be absolute, such as https://example.com/hooks")
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	switch {
	case strings.Contains(authority, "%"):
		return invalidURL("host must not contain a zone or percent-encoding")
	case strings.ContainsFunc(tail, func(r rune) bool { return r > unicode.MaxASCII }):
		return invalidURL("path and query must be percent-encoded where they are not ASCII")
	}
	return nil
}

// port returns ":port", or nothing for the scheme's default.
func (c *Client) port(target *url.URL) (string, error) {
	standard := 443
	if target.Scheme == "http" {
		standard = 80
	}
	port := standard
	if text := target.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return "", invalidURL("port must be between 1 and 65535")
		}
		port = int(n)
	}
	if len(c.cfg.Ports) > 0 && !slices.Contains(c.cfg.Ports, port) {
		return "", invalidURL("port must be one of %s", joined(c.cfg.Ports))
	}
	if port == standard {
		return "", nil
	}
	return ":" + strconv.Itoa(port), nil
}

func joined(ports []int) string {
	texts := make([]string, len(ports))
	for i, port := range ports {
		texts[i] = strconv.Itoa(port)
	}
	return strings.Join(texts, ", ")
}

func invalidURL(rule string, args ...any) error { return webhook.Invalid("url", rule, args...) }

// RedactURL returns a URL as it may be logged and kept in attempts: its query
// replaced, without credentials or fragment. What is not a URL becomes "redacted".
func RedactURL(raw string) string {
	target, err := url.Parse(raw)
	if err != nil {
		return redacted
	}
	target.User, target.Fragment, target.RawFragment = nil, "", ""
	if target.RawQuery != "" {
		target.RawQuery = redacted
	}
	return target.String()
}
