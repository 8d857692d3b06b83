package dispatcher_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func fail(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "no", http.StatusInternalServerError)
}

// slowly retries late enough for a test to look at what waits.
func slowly(c *dispatcher.Config) {
	c.Retry.InitialInterval, c.Retry.MaxInterval = 5*time.Second, 5*time.Second
}

func publish(t *testing.T, d *dispatchertest.Dispatcher, e webhook.Event) webhook.Receipt {
	t.Helper()
	receipt, err := d.Publish(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func update(t *testing.T, d *dispatchertest.Dispatcher, ref webhook.EndpointRef, change func(*webhook.Endpoint)) webhook.Endpoint {
	t.Helper()
	e, err := d.UpdateEndpoint(t.Context(), ref, func(e *webhook.Endpoint) error { change(e); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAChangeReachesWhatWaits(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, slowly)
	old, next := d.Receiver(t, "acme", webhook.PurposeStatus), d.Receiver(t, "other", webhook.PurposeStatus)
	old.Answer(fail)
	publish(t, d, event("e1"))
	d.WaitState(t, "acme", "e1", webhook.StateRetrying)

	secrets := []webhook.EndpointSecret{old.Endpoint.Secrets[0]}
	next.Expect(webhook.Endpoint{Secrets: secrets})
	changed := update(t, d, old.Endpoint.Ref(), func(e *webhook.Endpoint) {
		e.URL, e.Headers = next.Endpoint.URL, map[string]string{"X-Team": "blue"}
	})
	if changed.URL != next.Endpoint.URL || !changed.UpdatedAt.After(changed.CreatedAt) || !cmp.Equal(changed.CreatedAt, old.Endpoint.CreatedAt) {
		t.Fatalf("changed to %+v", changed)
	}
	d.WaitDelivered(t, "acme", "e1")
	got := next.Wait(t, 1)[0]
	if got.ID() != "e1" || got.Header.Get("X-Team") != "blue" || got.Header.Get("smobi-attempt") != "2" {
		t.Fatalf("received %v", got.Header)
	}
}

func TestUpdateEndpointRefuses(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	stored, _, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "a", Brand: "acme", URL: "https://example.com/", Purpose: webhook.PurposeStatus})
	if err != nil {
		t.Fatal(err)
	}
	errOwn := errors.New("the caller's own")
	for name, c := range map[string]struct {
		field  string
		change func(*webhook.Endpoint) error
	}{
		"url":      {"url", func(e *webhook.Endpoint) error { e.URL = "ftp://example.com"; return nil }},
		"header":   {"headers.Host", func(e *webhook.Endpoint) error { e.Headers = map[string]string{"Host": "x"}; return nil }},
		"types":    {"eventTypes", func(e *webhook.Endpoint) error { e.EventTypes = []string{"message.*"}; return nil }},
		"nothing":  {"eventTypes", func(e *webhook.Endpoint) error { e.Purpose = ""; return nil }},
		"timeout":  {"timeoutMs", func(e *webhook.Endpoint) error { e.Timeout = time.Hour; return nil }},
		"disabled": {"disabledReason", func(e *webhook.Endpoint) error { e.DisabledReason = "bored"; return nil }},
		"own":      {"", func(*webhook.Endpoint) error { return errOwn }},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.UpdateEndpoint(t.Context(), stored.Ref(), c.change)
			var field *webhook.FieldError
			if errors.As(err, &field) != (c.field != "") || field != nil && field.Field != c.field || c.field == "" && !errors.Is(err, errOwn) {
				t.Fatalf("UpdateEndpoint = %v, want a rule of %q", err, c.field)
			}
		})
	}
	kept := update(t, d, stored.Ref(), func(e *webhook.Endpoint) {
		e.ID, e.Brand, e.Signature, e.Secrets, e.CreatedAt = "b", "other", webhook.SignatureEd25519, nil, time.Time{}
	})
	kept.UpdatedAt = stored.UpdatedAt
	if diff := cmp.Diff(stored, kept); diff != "" {
		t.Fatalf("what a change may not touch (-before +after):\n%s", diff)
	}
}

// An endpoint that newer rules would not take can still be disabled.
func TestAnEndpointOfOlderRules(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	stored, _, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "a", Brand: "acme", URL: "http://127.0.0.1:9/", Purpose: webhook.PurposeStatus, MaxInFlight: 200})
	if err != nil {
		t.Fatal(err)
	}
	strict := dispatchertest.Start(t, func(c *dispatcher.Config) {
		*c = dispatcher.Config{Redis: d.Redis, Secrets: d.Secrets, Logger: c.Logger, MaxInFlight: 100}
	})
	e, err := strict.UpdateEndpoint(t.Context(), stored.Ref(), func(e *webhook.Endpoint) error {
		e.DisabledReason = webhook.DisabledManually
		return nil
	})
	if err != nil || e.DisabledReason != webhook.DisabledManually {
		t.Fatalf("disable: %+v, %v", e, err)
	}
	_, err = strict.UpdateEndpoint(t.Context(), stored.Ref(), func(e *webhook.Endpoint) error { e.URL = "http://127.0.0.1:10/"; return nil })
	if !errors.Is(err, webhook.ErrInvalid) {
		t.Fatalf("another URL of the old rules: %v", err)
	}
}

// A change made by one process is what another matches with a second later.
func TestAChangeReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	other := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Redis, c.Secrets = d.Redis, d.Secrets })
	r := d.Receiver(t, "acme", webhook.PurposeInbound)
	if receipt := publish(t, other, event("e1")); len(receipt.Endpoints) != 0 {
		t.Fatalf("before: %v", receipt.Endpoints)
	}
	update(t, d, r.Endpoint.Ref(), func(e *webhook.Endpoint) { e.Purpose = webhook.PurposeStatus })
	if receipt := publish(t, d, event("e2")); len(receipt.Endpoints) != 1 {
		t.Fatalf("a process sees its own change at once: %v", receipt.Endpoints)
	}
	dispatchertest.Eventually(t, func() bool {
		return len(publish(t, other, webhook.Event{Brand: "acme", Type: "message.read", Payload: []byte("{}")}).Endpoints) == 1
	})
}

// A change that changes nothing is none: nobody reads it, and its time stays.
func TestNoChange(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.Headers = map[string]string{"X-Team": "blue"} })
	time.Sleep(2 * time.Millisecond) // so that a change would have another time
	same := update(t, d, r.Endpoint.Ref(), func(e *webhook.Endpoint) { e.Headers["X-Team"], e.Timeout = "blue", 0 })
	if diff := cmp.Diff(r.Endpoint, same); diff != "" {
		t.Fatalf("(-before +after):\n%s", diff)
	}
	if other := update(t, d, r.Endpoint.Ref(), func(e *webhook.Endpoint) { e.Headers["X-Team"] = "red" }); !other.UpdatedAt.After(same.UpdatedAt) {
		t.Fatalf("changed at %s, before %s", other.UpdatedAt, same.UpdatedAt)
	}
}

func TestDisableAndEnable(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, slowly)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(fail)
	publish(t, d, event("e1"))
	d.WaitState(t, "acme", "e1", webhook.StateRetrying)
	update(t, d, r.Endpoint.Ref(), func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually })
	publish(t, d, event("e2"))
	d.WaitState(t, "acme", "e2", webhook.StateNotSent)
	d.WaitState(t, "acme", "e1", webhook.StateWaiting) // its retry came to a closed gate
	r.Answer(nil)
	update(t, d, r.Endpoint.Ref(), func(e *webhook.Endpoint) { e.DisabledReason = "" })
	d.WaitDelivered(t, "acme", "e1")
	if n := len(r.Received()); n != 2 {
		t.Fatalf("%d webhooks, want 2", n)
	}
}

func TestDeleteEndpoint(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, slowly)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(fail)
	publish(t, d, event("e1"))
	d.WaitState(t, "acme", "e1", webhook.StateRetrying)
	ref := r.Endpoint.Ref()
	if err := d.DeleteEndpoint(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	d.WaitState(t, "acme", "e1", webhook.StateCancelled)
	if receipt := publish(t, d, event("e2")); len(receipt.Endpoints) != 0 {
		t.Fatalf("published to %v", receipt.Endpoints)
	}
	if err := d.DeleteEndpoint(t.Context(), ref); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("deleted again: %v", err)
	}
	if _, err := d.UpdateEndpoint(t.Context(), ref, func(*webhook.Endpoint) error { return nil }); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("changed: %v", err)
	}
	if _, _, err := d.CreateEndpoint(t.Context(), r.Endpoint); !errors.Is(err, webhook.ErrDeleted) {
		t.Fatalf("created again: %v", err)
	}
	if found, err := d.Endpoints(t.Context(), "acme"); err != nil || len(found) != 0 {
		t.Fatalf("listed %v, %v", found, err)
	}
}

// What is in the line when its endpoint is deleted is cancelled by the workers,
// in steps, and is never sent.
func TestDeleteALongLine(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Redis = redistest.Start(t).Client(t) })
	held := make(chan struct{})
	r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
	r.Answer(func(http.ResponseWriter, *http.Request) { <-held })
	const waiting = 1500
	var ids []string
	for len(ids) < waiting {
		batch := make([]webhook.Event, 250)
		for i := range batch {
			batch[i] = webhook.Event{Brand: "acme", Type: "message.read", Payload: []byte("{}")}
		}
		results, err := d.PublishBatch(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range results {
			ids = append(ids, result.Receipt.ID)
		}
	}
	r.Wait(t, 1)
	err := d.DeleteEndpoint(t.Context(), r.Endpoint.Ref())
	close(held)
	if err != nil {
		t.Fatal(err)
	}
	dispatchertest.Eventually(t, func() bool {
		health, err := d.Health(t.Context(), []webhook.EndpointRef{r.Endpoint.Ref()})
		return err == nil && health[0].Waiting+health[0].InFlight+health[0].Retrying == 0
	})
	states := map[webhook.State]int{}
	for _, id := range ids {
		status, err := d.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: id})
		if err != nil {
			t.Fatal(err)
		}
		states[status.Deliveries[0].State]++
	}
	if states[webhook.StateCancelled] < waiting-2 || states[webhook.StateCancelled]+states[webhook.StateDelivered] != waiting {
		t.Fatalf("states %v", states)
	}
	if n := len(r.Received()); n > 2 {
		t.Fatalf("%d webhooks were sent", n)
	}
}
