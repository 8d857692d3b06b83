package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/curl"
	"go.smobi.com/outhook/dispatcher/httpapi"
)

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
	text, err := curl.Command(r.URL, r.Headers, r.Body)
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
