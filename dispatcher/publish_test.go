package dispatcher_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.PayloadBytes, c.Catalog.Validation = 1000, catalog.ValidationEnforce
	})
	good := `{"smobiMessageId":"1","clientRef":"2","to":"15552223333","from":"Smobi-Dev","status":"DELIVERED","channel":"RCS","timestamp":"2024-01-15T10:30:00Z"}`
	if _, err := d.Publish(t.Context(), webhook.Event{ID: "good", Brand: "acme", Type: "message.delivered", Payload: []byte(good)}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		field  string
		change func(*webhook.Event)
	}{
		"brand":            {"brand", func(e *webhook.Event) { e.Brand = "a.b" }},
		"id with a dot":    {"id", func(e *webhook.Event) { e.ID = "a.b" }},
		"no type":          {"type", func(e *webhook.Event) { e.Type = "" }},
		"unknown type":     {"type", func(e *webhook.Event) { e.Type = "message.lost" }},
		"operational type": {"type", func(e *webhook.Event) { e.Type = "delivery.dead" }},
		"no payload":       {"payload", func(e *webhook.Event) { e.Payload = nil }},
		"an array":         {"payload", func(e *webhook.Event) { e.Payload = []byte(`[{}]`) }},
		"too large":        {"payload", func(e *webhook.Event) { e.Payload = []byte(`{"a":"` + strings.Repeat("x", 1000) + `"}`) }},
		"not UTF-8":        {"payload", func(e *webhook.Event) { e.Payload = []byte("{\"a\":\"\xff\"}") }},
		"no-break space":   {"payload", func(e *webhook.Event) { e.Payload = []byte("\u00a0" + good) }},
		"breaks schema":    {"payload.to", func(e *webhook.Event) { e.Payload = []byte(strings.Replace(good, `"to":"15552223333",`, "", 1)) }},
		"expired":          {"expiresAt", func(e *webhook.Event) { e.ExpiresAt = time.Now().Add(-time.Second) }},
	} {
		t.Run(name, func(t *testing.T) {
			e := webhook.Event{ID: "refused", Brand: "acme", Type: "message.delivered", Payload: []byte(good)}
			c.change(&e)
			_, err := d.Publish(t.Context(), e)
			var field *webhook.FieldError
			if !errors.Is(err, webhook.ErrInvalid) || !errors.As(err, &field) || field.Field != c.field {
				t.Fatalf("Publish = %v, want a rule of %s", err, c.field)
			}
			if strings.Contains(err.Error(), "15552223333") {
				t.Fatalf("the error repeats the payload: %v", err)
			}
			if _, err := d.Event(t.Context(), webhook.EventRef{Brand: e.Brand, ID: "refused"}); !errors.Is(err, webhook.ErrNotFound) {
				t.Fatalf("stored: %v", err)
			}
		})
	}
}

// TestPublishBatch mixes good events with bad, repeated and conflicting ones.
func TestPublishBatch(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	bad, other := event("bad"), event("twice")
	bad.Payload = []byte(`nothing`)
	other.Payload = []byte(`{"other":1}`)
	made := event("")
	spaced := event("twice")
	spaced.Payload = append([]byte("\n "), append(spaced.Payload, '\n')...)
	results, err := d.PublishBatch(t.Context(), []webhook.Event{event("twice"), bad, spaced, other, made, made})
	if err != nil {
		t.Fatal(err)
	}
	wants := []struct {
		err       error
		duplicate bool
	}{{}, {err: webhook.ErrInvalid}, {duplicate: true}, {err: webhook.ErrConflict}, {}, {}}
	for i, want := range wants {
		got := results[i]
		if !errors.Is(got.Err, want.err) || got.Receipt.Duplicate != want.duplicate || got.Err == nil && len(got.Receipt.Endpoints) != 1 {
			t.Errorf("result %d = %+v", i, got)
		}
	}
	if results[4].Receipt.ID == results[5].Receipt.ID {
		t.Error("two events without an id are one")
	}
	for _, id := range []string{"twice", results[4].Receipt.ID, results[5].Receipt.ID} {
		d.WaitDelivered(t, "acme", id)
	}
	if n := len(r.Received()); n != 3 {
		t.Errorf("%d webhooks, want 3", n)
	}
	for _, events := range [][]webhook.Event{nil, make([]webhook.Event, 501)} {
		if _, err := d.PublishBatch(t.Context(), events); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("a batch of %d: %v", len(events), err)
		}
	}
}

func TestPublishWithoutEndpoint(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	receipt, err := d.Publish(t.Context(), event("e1"))
	if err != nil || len(receipt.Endpoints) != 0 {
		t.Fatalf("Publish = %+v, %v", receipt, err)
	}
	status, err := d.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: "e1"})
	if err != nil || len(status.Deliveries) != 0 {
		t.Fatalf("Event = %+v, %v", status, err)
	}
}

func TestPublishToItself(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	for i := range 5 { // the process sees its own changes, however fast
		brand := fmt.Sprint("brand", i)
		e := event("e1")
		e.Brand = brand
		if _, err := d.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		d.Receiver(t, brand, webhook.PurposeStatus)
		e.ID = "e2"
		if receipt, err := d.Publish(t.Context(), e); err != nil || len(receipt.Endpoints) != 1 {
			t.Fatalf("Publish = %+v, %v", receipt, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(failing)
	e := event("e1")
	e.ExpiresAt = time.Now().Add(150 * time.Millisecond)
	if _, err := d.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	d.WaitState(t, "acme", "e1", webhook.StateExpired)
}
