package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func TestEventResendAndCancel(t *testing.T) {
	t.Parallel()
	found := httpapi.Deliveries{Deliveries: []httpapi.Delivery{
		{EventID: "e1", EndpointID: "ep_a", State: "running", Attempts: 3, UpdatedAt: at("03:00:00")},
		{EventID: "e1", EndpointID: "ep_b", State: "cancelled", UpdatedAt: at("03:00:01")},
	}}
	const table = `ENDPOINT  STATE      ATTEMPTS  NEXT ATTEMPT  UPDATED                   WHY
ep_a      running    3         -             2026-01-02T03:00:00.000Z  -
ep_b      cancelled  0         -             2026-01-02T03:00:01.000Z  -
`
	for _, name := range []string{"resend", "cancel"} {
		t.Run(name, func(t *testing.T) {
			p := playAPI(t, ok(found))
			p.run(t, "event", name, "e1", "--brand=acme").prints(t, table)
			p.run(t, "event", name, "e1", "--brand=acme", "--endpoint=ep_a", "-o=json").prints(t, encodedAs(t, found))
			path := "POST /v1/brands/acme/events/e1/" + name
			if diff := cmp.Diff([]string{path + " {}", path + ` {"endpointId":"ep_a"}`}, p.requests()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			none := playAPI(t, ok(httpapi.Deliveries{Deliveries: []httpapi.Delivery{}})).run(t, "event", name, "e1", "--brand=acme", "-o=json")
			checkOutcome(t, none, outcome{exitDone, `{"deliveries":[]}` + "\n", "the event has no delivery\n"})
		})
	}
}

func TestEventAgainRefused(t *testing.T) {
	t.Parallel()
	checkRefused(t, map[string]refusedCase{
		"no payload": {refused(409, "the event's payload is no longer kept: it cannot be sent again", "", ""), []string{"event", "resend", "e1", "--brand=acme"},
			"event resend: the event's payload is no longer kept: it cannot be sent again"},
		"no endpoint": {notFound(), []string{"event", "cancel", "e1", "--brand=acme", "--endpoint=ep_9"},
			"event cancel: event e1 of brand acme, or endpoint ep_9: not found, or not for this key to see"},
	})
	checkUsage(t, map[string]usageCase{
		"no id":          {[]string{"event", "resend", "--brand=acme"}, "event resend: ID: is required: see outhook event resend --help"},
		"no brand":       {[]string{"event", "cancel", "e1"}, "event cancel: --brand: is required"},
		"empty endpoint": {[]string{"event", "resend", "e1", "--brand=acme", "--endpoint="}, "event resend: --endpoint: must match [A-Za-z0-9_-]{1,64}"},
		"a path":         {[]string{"event", "cancel", "../x", "--brand=acme"}, "event cancel: ID: must match [A-Za-z0-9_-]{1,64}"},
	})
}
