package storetest

import (
	"errors"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var reconcileTests = map[string]func(*T){
	"Survey/finds fan-outs that were not finished, after a while": func(t *T) {
		t.endpoint("a")
		e := t.event("e1")
		t.admitOnly(e, "a")
		t.pass(4 * time.Second)
		if t.surveyed().finds(e.Ref()) {
			t.Fatal("found after 4 s")
		}
		t.pass(period)
		if !t.surveyed().finds(e.Ref()) {
			t.Fatal("not found after 9 s")
		}
		t.must(t.Finish(t.Context(), []webhook.Event{e}))
		t.pass(period)
		if t.surveyed().finds(e.Ref()) {
			t.Fatal("found after its end")
		}
	},
	"Survey/finds endpoints with open deliveries until they have none": func(t *T) {
		ref := t.endpoint("a")
		run := t.runOf("e1", "a")
		t.pass(period)
		if !t.surveyed().due(ref) {
			t.Fatal("not found")
		}
		t.inspect(ref)
		t.pass(period - time.Millisecond)
		if t.surveyed().due(ref) {
			t.Fatal("found again before its time")
		}
		t.settle(run, delivered())
		t.inspect(ref)
		t.pass(2 * period)
		if t.surveyed().due(ref) {
			t.Fatal("found with nothing open")
		}
	},
	"Survey/is for one process at a time": func(t *T) {
		ref := t.endpoint("a")
		t.runOf("e1", "a")
		t.pass(period)
		if !t.surveyed().due(ref) || t.surveyed().due(ref) {
			t.Fatal("not found just once")
		}
	},
	"Inspect/suspects what has been out, or overdue for its retry, for a while": func(t *T) {
		ref := t.endpoint("a")
		out, retried := t.runOf("out", "a"), t.runOf("retried", "a")
		t.settle(retried, t.retryIn(time.Minute))
		if b := t.inspect(ref); len(b.Suspects) != 0 {
			t.Fatalf("suspects at once: %v", b.Suspects)
		}
		t.pass(6 * time.Second)
		if b := t.inspect(ref); !slices.Equal(b.Suspects, []webhook.Run{out}) {
			t.Fatalf("suspects %v, want %v", b.Suspects, out)
		}
		t.pass(time.Minute)
		if b := t.inspect(ref); !slices.Equal(b.Suspects, []webhook.Run{out, retried}) {
			t.Fatalf("suspects %v, want %v and %v", b.Suspects, out, retried)
		}
	},
	"Inspect/says that an endpoint was deleted": func(t *T) {
		ref := t.endpoint("a", serial)
		retried := t.runOf("retried", "a")
		t.settle(retried, t.retryIn(time.Second))
		out := t.runOf("out", "a")
		t.admit(t.event("waits"), "a")
		if t.inspect(ref).Deleted {
			t.Fatal("deleted before its time")
		}
		t.must(t.DeleteEndpoint(t.Context(), ref))
		if !t.surveyed().due(ref) {
			t.Fatal("a deleted endpoint is not due at once")
		}
		t.pass(2 * period)
		if b := t.inspect(ref); !b.Deleted || len(b.Release.Runs)+len(b.Doomed) != 0 || !slices.Equal(b.Suspects, []webhook.Run{out}) {
			t.Fatalf("backlog %+v, want it deleted, and %v suspected", b, out)
		}
	},
	"Inspect/ends what waited too long": func(t *T) {
		ref := t.endpoint("a")
		run := t.runOf("e1", "a")
		t.disable(ref)
		t.wantClaim(run, webhook.ClaimParked)
		t.pass(maxAge)
		doomed := t.inspect(ref).Doomed
		if len(doomed) != 1 || doomed[0].State != webhook.StateDead || doomed[0].Death != webhook.DeathMaxAge {
			t.Fatalf("doomed %v", doomed)
		}
		t.record(nil, webhook.Run{DeliveryRef: doomed[0].Ref}, webhook.Verdict{State: webhook.StateDead, DeathReason: webhook.DeathMaxAge})
		t.wantState("e1", "a", webhook.StateDead)
		if n := len(t.attempts("e1", "a")); n != 0 {
			t.Fatalf("%d attempts without a POST", n)
		}
	},
	"Inspect/ends as expired what had an end of its own": func(t *T) {
		ref := t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
		t.runOf("out", "a")
		early, late := t.event("early"), t.event("late")
		early.ExpiresAt, late.ExpiresAt = t.now().Add(time.Hour), t.now().Add(maxAge+time.Hour)
		t.admit(early, "a")
		t.pass(time.Millisecond)
		t.admit(late, "a")
		t.pass(maxAge)
		want := []webhook.Doomed{{Ref: t.refOf("early", "a"), State: webhook.StateExpired},
			{Ref: t.refOf("late", "a"), State: webhook.StateDead, Death: webhook.DeathMaxAge}}
		if got := t.inspect(ref).Doomed; !slices.Equal(got, want) {
			t.Fatalf("doomed %v, want %v", got, want)
		}
	},
	"Redrive/gives a lost run a new one, once": func(t *T) {
		t.endpoint("a")
		lost := t.runOf("e1", "a")
		current := t.redrive(lost)
		freed, err := t.Redrive(t.Context(), lost)
		runs := freed.Runs
		t.must(err)
		t.wantRuns(runs)
		t.wantClaim(lost, webhook.ClaimStale)
		t.wantClaim(current, webhook.ClaimGo)
	},
	"Redrive/of a retry without a slot goes to the line": func(t *T) {
		t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
		lost := t.runOf("e1", "a")
		t.settle(lost, t.retryIn(time.Second))
		other := t.runOf("e2", "a")
		freed, err := t.Redrive(t.Context(), lost)
		runs := freed.Runs
		t.must(err)
		t.wantRuns(runs)
		t.wantState("e1", "a", webhook.StateWaiting)
		t.wantRuns(t.settle(other, delivered()), "e1")
	},
	"Ping/answers the clocks' difference": func(t *T) {
		skew, err := t.Ping(t.Context())
		t.must(err)
		if skew.Abs() > time.Minute {
			t.Fatalf("skew %s", skew)
		}
	},
	"Delivery/that never was is not found": func(t *T) {
		t.endpoint("a")
		_, err := t.Delivery(t.Context(), webhook.DeliveryRef{Brand: t.brand, EventID: "never", EndpointID: "a"})
		if !errors.Is(err, webhook.ErrNotFound) {
			t.Fatal(err)
		}
	},
}

// findings is what a survey of all tags found.
type findings struct{ webhook.Survey }

// period is how often a tag is surveyed; a shorter time after another survey
// finds nothing, because the tag is locked.
const period = 5 * time.Second

// surveyed surveys all tags.
func (t *T) surveyed() findings {
	t.Helper()
	var all findings
	for tag := range t.Tags() {
		found, err := t.Survey(t.Context(), tag)
		t.must(err)
		all.Unfinished = append(all.Unfinished, found.Unfinished...)
		all.Due = append(all.Due, found.Due...)
	}
	return all
}

func (f findings) finds(ref webhook.EventRef) bool  { return slices.Contains(f.Unfinished, ref) }
func (f findings) due(ref webhook.EndpointRef) bool { return slices.Contains(f.Due, ref) }

func (t *T) inspect(ref webhook.EndpointRef) webhook.Backlog {
	t.Helper()
	b, err := t.Inspect(t.Context(), ref)
	t.must(err)
	return b
}
