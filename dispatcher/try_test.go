package dispatcher_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestTestEndpoint(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeInbound, func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually })
	ref := r.Endpoint.Ref()
	for _, c := range []struct {
		name, ask, want string
		status          int
		outcome         webhook.Outcome
	}{
		{"the first type", "", "interaction.sms.reply", 200, webhook.OutcomeDelivered},
		{"a type", "workflow.rcs.matched_text", "workflow.rcs.matched_text", 200, webhook.OutcomeDelivered},
		{"refused", "", "interaction.sms.reply", 503, webhook.OutcomeDead},
		{"gone", "", "interaction.sms.reply", 410, webhook.OutcomeDead},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.Answer(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "so it is", c.status) })
			before := len(r.Received())
			a, err := d.TestEndpoint(t.Context(), ref, c.ask)
			if err != nil {
				t.Fatal(err)
			}
			if a.Type != c.want || a.Status != c.status || a.Outcome != c.outcome || a.Trigger != webhook.TriggerTest || a.Number != 1 ||
				string(a.ResponseBody) != "so it is\n" || !a.NextAttemptAt.IsZero() {
				t.Errorf("attempt %+v", a)
			}
			got := r.Received()
			if len(got) != before+1 || got[before].ID() != a.Ref.EventID || got[before].Header.Get("smobi-event-type") != c.want {
				t.Fatalf("received %d, %+v", len(got)-before, got[before:])
			}
			for _, q := range []webhook.AttemptQuery{{EventID: a.Ref.EventID}, {EndpointID: ref.ID}} {
				q.Brand, q.Limit = "acme", 1
				kept, err := d.Attempts(t.Context(), q)
				if err != nil || len(kept.Items) != 1 {
					t.Fatalf("kept %+v, %v", kept, err)
				}
				if diff := cmp.Diff(a, kept.Items[0], cmpopts.EquateApproxTime(1e6), cmpopts.IgnoreFields(webhook.Attempt{}, "Duration", "Phases")); diff != "" {
					t.Errorf("kept (-answered +kept):\n%s", diff)
				}
			}
		})
	}
	e, err := d.Endpoint(t.Context(), ref)
	if err != nil || e.DisabledReason != webhook.DisabledManually {
		t.Fatalf("a test changed the endpoint: %+v, %v", e, err)
	}
}

func TestTestEndpointRefuses(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	for _, kind := range []string{"message.red", "interaction.sms.reply"} {
		var broken *webhook.FieldError
		if _, err := d.TestEndpoint(t.Context(), r.Endpoint.Ref(), kind); !errors.As(err, &broken) || broken.Field != "type" {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := d.TestEndpoint(t.Context(), webhook.EndpointRef{Brand: "acme", ID: "none"}, ""); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("no endpoint: %v", err)
	}
	if len(r.Received()) != 0 {
		t.Error("something was sent")
	}
}

// A brand has only so many tests under way, and others are not hindered by it.
func TestTestsAreBounded(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r, other := d.Receiver(t, "acme", webhook.PurposeStatus), d.Receiver(t, "other", webhook.PurposeStatus)
	held, arrived := make(chan struct{}), make(chan struct{}, 16)
	r.Answer(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-held })
	done := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := d.TestEndpoint(t.Context(), r.Endpoint.Ref(), "")
			done <- err
		}()
	}
	for range 4 {
		<-arrived
	}
	if _, err := d.TestEndpoint(t.Context(), r.Endpoint.Ref(), ""); !errors.Is(err, webhook.ErrBusy) {
		t.Errorf("a fifth: %v", err)
	}
	if _, err := d.CheckURL(t.Context(), "acme", r.Endpoint.URL); !errors.Is(err, webhook.ErrBusy) {
		t.Errorf("a check beside four tests: %v", err)
	}
	if _, err := d.TestEndpoint(t.Context(), other.Endpoint.Ref(), ""); err != nil {
		t.Errorf("another brand: %v", err)
	}
	close(held)
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := d.TestEndpoint(t.Context(), r.Endpoint.Ref(), ""); err != nil {
		t.Errorf("after they ended: %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	found, err := d.CheckURL(t.Context(), "acme", r.Endpoint.URL)
	if err != nil || !found.Reachable || len(found.Phases) != 5 {
		t.Fatalf("%+v, %v", found, err)
	}
	if _, err := d.CheckURL(t.Context(), "acme", ""); !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("nothing: %v", err)
	}
}
