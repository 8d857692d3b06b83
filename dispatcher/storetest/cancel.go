package storetest

import (
	"errors"
	"fmt"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var cancelTests = map[string]func(*T){
	"Cancel/settles the line and what waits for a retry": func(t *T) {
		ref := t.endpoint("a", serial)
		retried := t.runOf("retried", "a")
		t.settle(retried, t.retryIn(time.Hour))
		out := t.runOf("out", "a")
		t.admit(t.event("waits"), "a")
		t.must(t.DeleteEndpoint(t.Context(), ref))
		t.pass(time.Second)
		t.wantCancelled(ref, 2, false)
		if d := t.wantState("waits", "a", webhook.StateCancelled); d.Attempts != 0 || !d.UpdatedAt.Equal(t.now()) {
			t.Fatalf("cancelled = %+v", d)
		}
		if d := t.wantState("retried", "a", webhook.StateCancelled); d.Attempts != 1 || !d.NextAttemptAt.IsZero() {
			t.Fatalf("cancelled = %+v", d)
		}
		if n := len(t.attempts("retried", "a")); n != 1 {
			t.Fatalf("%d attempts kept, want 1", n)
		}
		t.wantClaim(retried, webhook.ClaimStale)
		t.wantState("out", "a", webhook.StateRunning)
		t.wantClaim(out, webhook.ClaimCancelled)
		t.wantCancelled(ref, 0, false)
	},
	"Cancel/of many goes in steps": func(t *T) {
		ref := t.endpoint("a", serial)
		out := t.runOf("out", "a")
		const waiting = 1500
		t.admitMany("e", waiting, "a")
		t.must(t.DeleteEndpoint(t.Context(), ref))
		step, more, err := t.CancelOpen(t.Context(), ref)
		t.must(err)
		if step < 1 || step > 1000 || !more {
			t.Fatalf("the first step cancelled %d, more %v", step, more)
		}
		t.wantState("e0", "a", webhook.StateCancelled) // the line goes from its head
		t.wantState(fmt.Sprint("e", waiting-1), "a", webhook.StateWaiting)
		for done := step; done < waiting; done += step {
			t.wantCancelled(ref, min(step, waiting-done), done+step < waiting)
		}
		t.wantCancelled(ref, 0, false)
		for i := range waiting {
			t.wantState(fmt.Sprint("e", i), "a", webhook.StateCancelled)
		}
		t.wantState("out", "a", webhook.StateRunning)
		t.record(nil, out, webhook.Verdict{State: webhook.StateCancelled})
		t.pass(2 * period)
		t.inspect(ref)
		t.pass(2 * period)
		if t.surveyed().due(ref) {
			t.Fatal("due with nothing open")
		}
	},
	"Cancel/a step is no longer for what waits for a retry": func(t *T) {
		ref := t.endpoint("a", serial)
		for _, id := range []string{"retried", "again"} {
			t.settle(t.runOf(id, "a"), t.retryIn(time.Hour))
		}
		t.runOf("out", "a")
		t.admitMany("e", 1200, "a")
		t.must(t.DeleteEndpoint(t.Context(), ref))
		step, _, err := t.CancelOpen(t.Context(), ref)
		t.must(err)
		for left := 1202 - step; left > 0; left -= step {
			t.wantCancelled(ref, min(step, left), left > step)
		}
	},
	"Cancel/of an endpoint that was not deleted does nothing": func(t *T) {
		ref := t.endpoint("a", serial)
		t.settle(t.runOf("retried", "a"), t.retryIn(time.Hour))
		t.runOf("out", "a")
		t.admit(t.event("waits"), "a")
		t.wantCancelled(ref, 0, false)
		t.disable(ref)
		t.wantCancelled(ref, 0, false)
		t.wantState("waits", "a", webhook.StateWaiting)
		t.wantState("retried", "a", webhook.StateRetrying)
		t.wantCancelled(webhook.EndpointRef{Brand: t.brand, ID: "never"}, 0, false)
	},
	"Cancel/of one endpoint leaves another's": func(t *T) {
		one, other := t.endpoint("a", serial), t.endpoint("b", serial)
		t.admit(t.event("out"), "a", "b")
		t.admit(t.event("waits"), "a", "b")
		t.must(t.DeleteEndpoint(t.Context(), one))
		t.must(t.DeleteEndpoint(t.Context(), other))
		t.wantCancelled(one, 1, false)
		t.wantState("waits", "a", webhook.StateCancelled)
		t.wantState("waits", "b", webhook.StateWaiting)
		t.wantCancelled(other, 1, false)
		t.wantState("waits", "b", webhook.StateCancelled)
		for _, id := range []string{"a", "b"} {
			if _, _, err := t.CreateEndpoint(t.Context(), webhook.Endpoint{ID: id, Brand: t.brand}); !errors.Is(err, webhook.ErrDeleted) {
				t.Fatalf("the id %s of a deleted endpoint: %v", id, err)
			}
		}
	},
	"Cancel/comes to what was in the queue and fails": func(t *T) {
		ref := t.endpoint("a")
		fails, works, lost := t.runOf("fails", "a"), t.runOf("works", "a"), t.runOf("lost", "a")
		t.must(t.DeleteEndpoint(t.Context(), ref))
		t.wantRuns(t.settle(fails, t.retryIn(time.Hour)))
		t.wantRuns(t.settle(works, delivered()))
		freed, err := t.Redrive(t.Context(), lost)
		runs := freed.Runs
		t.must(err)
		t.wantRuns(runs)
		t.wantCancelled(ref, 2, false)
		t.wantState("fails", "a", webhook.StateCancelled)
		t.wantState("lost", "a", webhook.StateCancelled)
		t.wantState("works", "a", webhook.StateDelivered)
	},
}

func (t *T) wantCancelled(ref webhook.EndpointRef, want int, wantMore bool) {
	t.Helper()
	n, more, err := t.CancelOpen(t.Context(), ref)
	t.must(err)
	if n != want || more != wantMore {
		t.Fatalf("cancelled %d, more %v, want %d, %v", n, more, want, wantMore)
	}
}

// admitMany admits events prefix0 and on, each a millisecond after the one before.
func (t *T) admitMany(prefix string, n int, endpoints ...string) {
	t.Helper()
	for from := 0; from < n; from += 500 {
		var fanouts []webhook.Fanout
		var events []webhook.Event
		for i := from; i < min(from+500, n); i++ {
			t.pass(time.Millisecond)
			e := t.event(fmt.Sprint(prefix, i))
			fanouts, events = append(fanouts, webhook.Fanout{Event: e, Endpoints: endpoints}), append(events, e)
		}
		_, err := t.Admit(t.Context(), fanouts)
		t.must(err)
		t.must(t.Finish(t.Context(), events))
	}
}
