package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func TestCurlCommandReads(t *testing.T) {
	t.Parallel()
	r := httpapi.SignedRequest{Method: "POST", URL: "https://example.com/hook?k=1", Body: `{"a":"it's"}`,
		Headers: map[string]string{"webhook-id": "e1", "content-type": "application/json"}}
	p := playAPI(t, ok(r))
	checkOutcome(t, p.run(t, "event", "explain", "e1", "--brand=acme", "--curl", "--endpoint=ep_a"), outcome{exitDone, `curl -sSi \
  -H 'content-type: application/json' \
  -H 'webhook-id: e1' \
  --data-binary '{"a":"it'\''s"}' \
  'https://example.com/hook?k=1'
`, curlNote})
	p.run(t, "event", "explain", "e1", "--brand=acme", "--curl", "--endpoint=ep_a", "-o=json").prints(t, encodedAs(t, r))
	want := eventsPath + "/e1/request?endpointId=ep_a"
	if diff := cmp.Diff([]string{want, want}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

const curlNote = "signed now, good for some five minutes; nothing was sent. It shows the values of the endpoint's headers\n"

// The endpoint is the only one that the event went to, or must be named.
func TestCurlFindsTheEndpoint(t *testing.T) {
	t.Parallel()
	event := func(endpoints ...string) apiAnswer {
		e := httpapi.Event{ID: "e1", Payload: []byte("{}"), Deliveries: []httpapi.Delivery{}}
		for _, id := range endpoints {
			e.Deliveries = append(e.Deliveries, httpapi.Delivery{EndpointID: id})
		}
		return ok(e)
	}
	curl := []string{"event", "explain", "e1", "--brand=acme", "--curl"}
	p := playAPI(t, event("ep_a"), ok(httpapi.SignedRequest{URL: "https://example.com", Body: "{}"}))
	checkOutcome(t, p.run(t, curl...), outcome{exitDone, "curl -sSi \\\n  --data-binary '{}' \\\n  'https://example.com'\n", curlNote})
	if diff := cmp.Diff([]string{eventsPath + "/e1", eventsPath + "/e1/request?endpointId=ep_a"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	playAPI(t, event("ep_a", "ep_b")).run(t, curl...).fails(t, exitUsage, "event explain: --endpoint: is required, as the event has deliveries to ep_a, ep_b")
	playAPI(t, event()).run(t, curl...).fails(t, exitUsage, "event explain: --endpoint: is required, as the event has no delivery")
}

// Nothing that could do something else than the POST is printed.
func TestCurlRefuses(t *testing.T) {
	t.Parallel()
	const line = "event explain: event e1 of brand acme: the "
	curl := []string{"event", "explain", "e1", "--brand=acme", "--curl", "--endpoint=ep_a"}
	for name, tc := range map[string]struct {
		url, body, header, value, line string
	}{
		"no payload":    {"https://example.com", "", "a", "b", "payload is no longer kept: there is nothing to send"},
		"a file":        {"file:///etc/passwd", "{}", "a", "b", "server answered a URL that is none of http or https"},
		"an option":     {"-o/etc/passwd", "{}", "a", "b", "server answered a URL that is none of http or https"},
		"headers' file": {"https://example.com", "{}", "@/etc/passwd", "b", "server answered a header that is none"},
		"two headers":   {"https://example.com", "{}", "a", "b\r\nc: d", "server answered a header that is none"},
		"no name":       {"https://example.com", "{}", "", "b", "server answered a header that is none"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httpapi.SignedRequest{URL: tc.url, Body: tc.body, Headers: map[string]string{tc.header: tc.value}}
			playAPI(t, ok(r)).run(t, curl...).fails(t, exitFailed, line+tc.line)
		})
	}
	checkRefused(t, map[string]refusedCase{
		"unknown": {notFound(), curl, "event explain: event e1 of brand acme, or endpoint ep_a: not found, or not for this key to see"},
	})
	checkUsage(t, map[string]usageCase{
		"endpoint alone": {[]string{"event", "explain", "e1", "--brand=acme", "--endpoint=ep_a"}, "event explain: --endpoint: goes with --curl; the explanation is of all endpoints"},
		"empty endpoint": {[]string{"event", "explain", "e1", "--brand=acme", "--curl", "--endpoint="}, "event explain: --endpoint: must match [A-Za-z0-9_-]{1,64}"},
	})
}
