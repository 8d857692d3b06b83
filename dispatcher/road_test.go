package dispatcher_test

import (
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	official "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func event(id string) webhook.Event {
	return webhook.Event{ID: id, Brand: "acme", Type: "message.delivered", Payload: []byte(`{"n" : 1e2,"n":"<\u2028😀"}`)}
}

func TestDelivered(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	inbound := d.Receiver(t, "acme", webhook.PurposeInbound)
	e := event("e1")
	receipt, err := d.Publish(t.Context(), e)
	if err != nil || receipt.Duplicate || !cmp.Equal(receipt.Endpoints, []string{r.Endpoint.ID}) {
		t.Fatalf("Publish = %+v, %v", receipt, err)
	}
	status := d.WaitDelivered(t, "acme", "e1")
	got := r.Wait(t, 1)[0]
	if string(got.Body) != string(e.Payload) || got.ID() != "e1" {
		t.Fatalf("received %s as %s", got.Body, got.ID())
	}
	if got.Header.Get("smobi-event-type") != e.Type || got.Header.Get("smobi-attempt") != "1" {
		t.Fatalf("headers %v", got.Header)
	}
	if len(inbound.Received()) != 0 {
		t.Fatal("the inbound endpoint got a status event")
	}
	if string(status.Event.Payload) != string(e.Payload) || status.Deliveries[0].Attempts != 1 {
		t.Fatalf("status %+v", status)
	}
	again, err := d.Publish(t.Context(), e)
	if err != nil || !again.Duplicate {
		t.Fatalf("published again: %+v, %v", again, err)
	}
}

func TestFailsThreeTimes(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(func(w http.ResponseWriter, req *http.Request) {
		if n, _ := strconv.Atoi(req.Header.Get("smobi-attempt")); n <= 3 {
			http.Error(w, "not now", http.StatusInternalServerError)
		}
	})
	if _, err := d.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	d.WaitDelivered(t, "acme", "e1")
	theirs, err := official.NewWebhook(r.Endpoint.Secrets[0].HMAC.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	signatures := map[string]bool{}
	got := r.Wait(t, 4)
	for i, one := range got {
		if one.ID() != "e1" || one.Header.Get("smobi-attempt") != strconv.Itoa(i+1) {
			t.Fatalf("attempt %d: %v", i+1, one.Header)
		}
		if err := theirs.Verify(one.Body, one.Header); err != nil {
			t.Fatal(err)
		}
		signatures[one.Header.Get("webhook-signature")+one.Header.Get("webhook-timestamp")] = true
	}
	if len(got) != 4 || len(signatures) < 2 { // two attempts within a second are signed alike
		t.Fatalf("%d webhooks with %d signatures", len(got), len(signatures))
	}
	attempts, err := attemptsOf(t, d, "acme", "e1")
	if err != nil || len(attempts) != 4 || attempts[0].Status != 500 || string(attempts[0].ResponseBody) != "not now\n" ||
		attempts[3].Outcome != webhook.OutcomeDelivered {
		t.Fatalf("attempts %+v, %v", attempts, err)
	}
}

func TestNineSamples(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	types, err := catalog.New(catalog.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := d.Receiver(t, "acme", "", func(e *webhook.Endpoint) {
		e.EventTypes = []string{"message.*", "interaction.*", "workflow.*"}
		e.Signature = webhook.SignatureEd25519
	})
	var events []webhook.Event
	for _, kind := range types.Types() {
		if kind.Group != "operational" {
			events = append(events, webhook.Event{Brand: "acme", Type: kind.Name, Payload: kind.Example})
		}
	}
	results, err := d.PublishBatch(t.Context(), events)
	if err != nil || len(results) != 9 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for _, result := range results {
		d.WaitDelivered(t, "acme", result.Receipt.ID)
	}
	if n := len(r.Wait(t, 9)); n != 9 {
		t.Fatalf("%d webhooks", n)
	}
}

// attemptsOf returns the attempts of an event, oldest first.
func attemptsOf(t *testing.T, d *dispatchertest.Dispatcher, brand, id string) ([]webhook.Attempt, error) {
	t.Helper()
	page, err := d.Attempts(t.Context(), webhook.AttemptQuery{Brand: brand, EventID: id, Slice: webhook.Slice{Limit: 200}})
	slices.Reverse(page.Items)
	return page.Items, err
}
