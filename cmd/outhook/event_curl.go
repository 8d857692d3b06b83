package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// largestArgument is what a system surely takes as one argument, in bytes; Linux takes 128 KiB.
const largestArgument = 100_000

// printCurl prints the request of a delivery as a command of curl, alone on stdout.
func (f *eventExplain) printCurl(cmd *cobra.Command, client *httpapi.Client, event string) error {
	endpoint, err := f.curlEndpoint(cmd.Context(), client, event)
	if err != nil {
		return err
	}
	r, err := client.SignedRequest(cmd.Context(), f.brand, event, endpoint)
	if err != nil {
		return f.api.refusal(err, eventThing(f.brand, event, endpoint), eventFields())
	}
	s := f.screen(cmd)
	if s.form == formJSON {
		return writeJSON(s.out, r)
	}
	text, err := curlCommand(r)
	if err != nil {
		return fmt.Errorf("%s: %w", eventOf(f.brand, event), err)
	}
	if _, err := io.WriteString(s.out, text); err != nil {
		return err
	}
	s.note("signed now, good for some five minutes; nothing was sent. It shows the values of the endpoint's headers")
	return nil
}

// curlEndpoint is the one that was named, or the only one that the event went to.
func (f *eventExplain) curlEndpoint(ctx context.Context, client *httpapi.Client, event string) (string, error) {
	if f.endpoint != "" {
		return f.endpoint, nil
	}
	e, err := client.Event(ctx, f.brand, event)
	if err != nil {
		return "", f.api.refusal(err, eventOf(f.brand, event), eventFields())
	}
	var ids []string
	for _, d := range e.Deliveries {
		ids = append(ids, d.EndpointID)
	}
	switch len(ids) {
	case 0:
		return "", usage("--endpoint: is required, as the event has no delivery")
	case 1:
		return ids[0], nil
	}
	return "", usage("--endpoint: is required, as the event has deliveries to %s", strings.Join(ids, ", "))
}

// curlCommand is a command of a POSIX shell that makes the request, byte for byte. A body that is no fit argument comes from
// a pipe.
func curlCommand(r httpapi.SignedRequest) (string, error) {
	target, err := url.Parse(r.URL)
	switch {
	case err != nil || target.Scheme != "http" && target.Scheme != "https":
		return "", errors.New("the server answered a URL that is none of http or https")
	case r.Body == "":
		return "", errors.New("the payload is no longer kept: there is nothing to send")
	}
	body, data := "", shellWord(r.Body)
	if needsPrintf(r.Body) || len(r.Body) > largestArgument || r.Body[0] == '@' { // which would be a file
		body, data = "printf "+shellFormat(r.Body)+" | ", "@-"
	}
	lines := []string{body + "curl -sSi" + urlOptions(r.URL)}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		header, err := curlHeader(name, r.Headers[name])
		if err != nil {
			return "", err
		}
		lines = append(lines, "-H "+shellWord(header))
	}
	lines = append(lines, "--data-binary "+data, shellWord(r.URL))
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
