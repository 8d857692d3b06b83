package dispatcher_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func explained(t *testing.T, d *dispatchertest.Dispatcher, id string) map[string]webhook.Explained {
	t.Helper()
	x, err := d.Explain(t.Context(), webhook.EventRef{Brand: "acme", ID: id})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]webhook.Explained{}
	for i, one := range x.Endpoints {
		if i > 0 && x.Endpoints[i-1].EndpointID >= one.EndpointID {
			t.Errorf("%s comes after %s", one.EndpointID, x.Endpoints[i-1].EndpointID)
		}
		found[one.EndpointID] = one
	}
	return found
}

func TestExplain(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Retry.InitialInterval, c.Retry.MaxInterval = time.Hour, time.Hour })
	named := func(id string) func(*webhook.Endpoint) { return func(e *webhook.Endpoint) { e.ID = id } }
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	held := make(chan struct{})
	defer close(held)
	d.Receiver(t, "acme", webhook.PurposeStatus, named("good"))
	d.Receiver(t, "acme", webhook.PurposeStatus, named("bad")).Answer(status(503))
	d.Receiver(t, "acme", webhook.PurposeStatus, named("gone")).Answer(status(410))
	d.Receiver(t, "acme", webhook.PurposeStatus, named("hangs"), func(e *webhook.Endpoint) { e.MaxInFlight = 1 }).Answer(
		func(http.ResponseWriter, *http.Request) { <-held })
	d.Receiver(t, "acme", webhook.PurposeStatus, named("off"), func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually })
	d.Receiver(t, "acme", webhook.PurposeInbound, named("inbound"))
	deleted := d.Receiver(t, "acme", webhook.PurposeStatus, named("deleted"))
	deleted.Answer(status(500))
	publish(t, d, event("e1"))
	publish(t, d, event("e2"))
	dispatchertest.Eventually(t, func() bool {
		x := explained(t, d, "e1")
		ready := 0
		for id, state := range map[string]webhook.State{"good": webhook.StateDelivered, "bad": webhook.StateRetrying, "gone": webhook.StateDead,
			"hangs": webhook.StateRunning, "deleted": webhook.StateRetrying} {
			if x[id].Delivery != nil && x[id].Delivery.State == state {
				ready++
			}
		}
		return ready == 5
	})
	if err := d.DeleteEndpoint(t.Context(), deleted.Endpoint.Ref()); err != nil {
		t.Fatal(err)
	}
	d.Receiver(t, "acme", webhook.PurposeStatus, named("later"))
	e1, e2 := explained(t, d, "e1"), explained(t, d, "e2")
	for _, c := range []struct {
		of      map[string]webhook.Explained
		id      string
		matched bool
		attempt bool
		text    string
	}{
		{e1, "good", true, true, "delivered at "},
		{e1, "bad", true, true, "attempt 1 was answered 503"},
		{e1, "gone", true, true, "the endpoint answered 410 Gone, which disabled it"},
		{e1, "hangs", true, false, "is in the queue or being attempted now"},
		{e2, "hangs", true, false, "waits, 1st in its line"},
		{e1, "off", true, false, "not sent: the endpoint was disabled"},
		{e1, "inbound", false, false, "the endpoint wants interaction.*, workflow.*, and the event is message.delivered"},
		{e1, "deleted", true, true, "the endpoint was deleted; the last: attempt 1 was answered 500"},
		{e1, "later", false, false, "after the event was published"},
	} {
		x := c.of[c.id]
		if x.Matched != c.matched || (x.LastAttempt != nil) != c.attempt || !strings.Contains(x.Text, c.text) {
			t.Errorf("%s: matched %t, attempt %t, %q, want %q", c.id, x.Matched, x.LastAttempt != nil, x.Text, c.text)
		}
	}
	if len(e1) != 8 {
		t.Errorf("%d endpoints are explained", len(e1))
	}
}

func TestExplainAChangedEndpoint(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeInbound)
	time.Sleep(2 * time.Millisecond) // so that the event is later than the endpoint
	publish(t, d, event("e1"))
	time.Sleep(2 * time.Millisecond)
	update(t, d, r.Endpoint.Ref(), func(e *webhook.Endpoint) { e.Purpose = webhook.PurposeStatus })
	if x := explained(t, d, "e1")[r.Endpoint.ID]; x.Matched || !strings.Contains(x.Text, "wants this type now, but its settings were changed at") {
		t.Errorf("%+v", x)
	}
}
