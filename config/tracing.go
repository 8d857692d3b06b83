package config

import (
	"net/url"
	"strconv"
	"strings"
)

// otlpURL is where spans go: a collector's base URL, or with a path the whole of it.
func otlpURL() kind[string] {
	const rule = "must be http:// or https://, a host and perhaps a port and a path, such as http://127.0.0.1:4318, without user, query and fragment"
	k := scalar("url", rule, []string{strTag}, func(text string) (string, string) {
		u, err := url.Parse(text)
		switch {
		case text == "":
			return "", ""
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Hostname()) || u.Opaque != "":
			return "", rule
		case u.User != nil || strings.ContainsAny(text, "?#"):
			return "", rule
		case u.Port() != "" && !isPort(u.Port()):
			return "", rule
		}
		return text, ""
	}, stringNode)
	read := k.read
	k.read = func(in input) string {
		in.secret = strings.Contains(in.Node.Value, "@") // a password, which is refused and not to be shown
		return read(in)
	}
	return k
}

// isPort accepts 1 to 65535.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0 && isDecimal(text)
}
