// Package curl writes the POST of a webhook as a command, for whoever wants to see or repeat it.
package curl

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// largestArgument is what a system surely takes as one argument, in bytes; Linux takes 128 KiB.
const largestArgument = 100_000

// Command is a command of a POSIX shell that makes the POST, byte for byte. A body that is no fit argument comes from a
// pipe. Errors: what is none of a POST, such as a URL of another scheme, a header that is none, or no body.
func Command(address string, headers map[string]string, payload string) (string, error) {
	target, err := url.Parse(address)
	switch {
	case err != nil || target.Scheme != "http" && target.Scheme != "https":
		return "", errors.New("the server answered a URL that is none of http or https")
	case payload == "":
		return "", errors.New("the payload is no longer kept: there is nothing to send")
	}
	body, data := "", shellWord(payload)
	if needsPrintf(payload) || len(payload) > largestArgument || payload[0] == '@' { // which would be a file
		body, data = "printf "+shellFormat(payload)+" | ", "@-"
	}
	lines := []string{body + "curl -sSi" + urlOptions(address)}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		header, err := curlHeader(name, headers[name])
		if err != nil {
			return "", err
		}
		lines = append(lines, "-H "+shellWord(header))
	}
	lines = append(lines, "--data-binary "+data, shellWord(address))
	return strings.Join(lines, " \\\n  ") + "\n", nil
}

// urlOptions make curl take a URL as it is.
func urlOptions(address string) string {
	options := ""
	if strings.ContainsAny(address, "[]{}") {
		options += " --globoff"
	}
	if strings.Contains(address, "/.") {
		options += " --path-as-is"
	}
	return options
}

// curlHeader is a header as curl takes it. One that is none could be the name of a file, or more than one header.
func curlHeader(name, value string) (string, error) {
	const marks = "!#$%&'*+-.^_`|~" // of a token (RFC 9110, section 5.6.2), beside letters and digits
	isOther := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(marks, r)
	}
	if name == "" || strings.ContainsFunc(name, isOther) || strings.ContainsAny(value, "\x00\r\n") {
		return "", errors.New("the server answered a header that is none")
	}
	if value == "" {
		return name + ";", nil // with a colon it would be left out
	}
	return name + ": " + value, nil
}
