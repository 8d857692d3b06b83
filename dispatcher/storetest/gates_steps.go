package storetest

import (
	"fmt"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// wide has room for the limit to grow.
func wide(e *webhook.Endpoint) { e.MaxInFlight = 64 }

func (t *T) signalled(v webhook.Verdict, s webhook.Signal) webhook.Verdict {
	v.Signal = s
	return v
}

// answer claims a run, and records an attempt of it that took so long.
func (t *T) answer(run webhook.Run, v webhook.Verdict, took time.Duration) webhook.Release {
	t.Helper()
	c := t.wantClaim(run, webhook.ClaimGo)
	a := t.attempt(run, v)
	a.StartedAt, a.Duration = t.now().Add(-took), took
	r, err := t.Record(t.Context(), &webhook.Settlement{Run: run, Attempt: a, Verdict: v, Revision: c.Revision})
	t.must(err)
	return r
}

func (t *T) fail(run webhook.Run) webhook.Release { t.Helper(); return t.failAfter(run, 0) }

// failAfter records a failure without a claim, which may be closed to it.
func (t *T) failAfter(run webhook.Run, took time.Duration) webhook.Release {
	t.Helper()
	return t.late(run, t.signalled(t.retryIn(100*time.Hour), webhook.SignalBad), took)
}

// late records an attempt without a claim.
func (t *T) late(run webhook.Run, v webhook.Verdict, took time.Duration) webhook.Release {
	t.Helper()
	a := t.attempt(run, v)
	a.StartedAt, a.Duration = t.now().Add(-took), took
	r, err := t.Record(t.Context(), &webhook.Settlement{Run: run, Attempt: a, Verdict: v, Revision: t.revision(run)})
	t.must(err)
	return r
}

// revision of a run's endpoint: what a claim of another delivery would tell.
func (t *T) revision(run webhook.Run) string {
	t.Helper()
	if c := t.claim(run); c.Verdict == webhook.ClaimGo {
		t.revisions[run.Endpoint()] = c.Revision
	}
	return t.revisions[run.Endpoint()]
}

// flood admits events until all slots are taken, and answers the runs.
func (t *T) flood(endpoint string, n int) []webhook.Run {
	t.Helper()
	var runs []webhook.Run
	for i := range n {
		id := fmt.Sprint("e", i)
		if endpoint != "a" {
			id = fmt.Sprint(endpoint, i)
		}
		runs = append(runs, t.admit(t.event(id), endpoint).Runs()...)
		t.pass(time.Millisecond)
	}
	return runs
}

// round answers every run, and answers what that released.
func (t *T) round(runs []webhook.Run, s webhook.Signal, took time.Duration) []webhook.Run {
	t.Helper()
	var next []webhook.Run
	for _, run := range runs {
		next = append(next, t.answer(run, t.signalled(delivered(), s), took).Runs...)
	}
	return next
}

// running is the current run of a delivery to "a".
func (t *T) running(event string) webhook.Run {
	t.Helper()
	t.pass(6 * time.Second)
	b := t.inspect(webhook.EndpointRef{Brand: t.brand, ID: "a"})
	t.pass(-6 * time.Second)
	for _, run := range slices.Concat(b.Suspects, b.Release.Runs) {
		if run.EventID == event {
			return run
		}
	}
	t.Fatalf("%s is not running: %+v", event, b)
	return webhook.Run{}
}

func (t *T) wake(ref webhook.EndpointRef, probe bool) webhook.Release {
	t.Helper()
	r, err := t.Wake(t.Context(), ref, probe)
	t.must(err)
	return r
}

func (t *T) health(ref webhook.EndpointRef) webhook.Health {
	t.Helper()
	h, err := t.Health(t.Context(), []webhook.EndpointRef{ref})
	t.must(err)
	return h[0]
}

func (t *T) wantBreaker(ref webhook.EndpointRef, want webhook.BreakerState) webhook.Health {
	t.Helper()
	h := t.health(ref)
	if h.Breaker != want {
		t.Fatalf("breaker is %s, want %s", h.Breaker, want)
	}
	return h
}

func (t *T) wantWakeup(w *webhook.Wakeup, gate webhook.Gate, in time.Duration, waiting int) {
	t.Helper()
	if w == nil || w.Gate != gate || !w.At.Equal(t.now().Add(in)) || w.Waiting != waiting || w.Endpoint.ID == "" {
		t.Fatalf("wake-up %+v, want one for %s in %s with %d waiting, now %s", w, gate, in, waiting, t.now())
	}
}

// wantGate looks at what explain says of a delivery to "a".
func (t *T) wantGate(event string, gate webhook.Gate, in time.Duration) {
	t.Helper()
	d := t.wantState(event, "a", webhook.StateWaiting)
	if d.WaitingFor != gate || !d.WaitingUntil.Equal(t.now().Add(in)) || d.Position < 1 {
		t.Fatalf("delivery waits %+v, want for %s, %s more", d, gate, in)
	}
}

// isDue tells whether the reconciler would look at an endpoint now.
func (t *T) isDue(ref webhook.EndpointRef) bool {
	t.Helper()
	for tag := range t.Tags() {
		found, err := t.Survey(t.Context(), tag)
		t.must(err)
		if slices.Contains(found.Due, ref) {
			return true
		}
	}
	return false
}
