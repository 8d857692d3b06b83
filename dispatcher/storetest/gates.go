package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// The breaker's defaults, which the store must have.
const (
	breakerFailures   = 5
	breakerOpenFor    = 30 * time.Second
	breakerMaxOpenFor = 10 * time.Minute
)

// begin is the limit that every endpoint begins with.
const begin = 4

var gateTests = map[string]func(*T){
	"Breaker/opens after failures in a row, and a success closes it": func(t *T) {
		ref := t.endpoint("a", wide)
		for i := range breakerFailures - 1 {
			t.fail(t.runOf(fmt.Sprint("e", i), "a"))
		}
		t.wantBreaker(ref, webhook.BreakerClosed)
		t.answer(t.runOf("good", "a"), t.signalled(delivered(), webhook.SignalGood), time.Millisecond)
		for i := range breakerFailures - 1 { // not in a row with those before
			t.fail(t.runOf(fmt.Sprint("f", i), "a"))
		}
		t.wantBreaker(ref, webhook.BreakerClosed)
		if r := t.fail(t.runOf("last", "a")); r.Breaker != webhook.BreakerOpen {
			t.Fatalf("after %d failures: %+v", breakerFailures, r)
		}
		if h := t.wantBreaker(ref, webhook.BreakerOpen); !h.OpenUntil.Equal(t.now().Add(breakerOpenFor)) {
			t.Fatalf("open until %s, now %s", h.OpenUntil, t.now())
		}
		a := t.admit(t.event("waits"), "a")
		t.wantRuns(a.Runs())
		t.wantWakeup(a.Releases[0].Wakeup, webhook.GateBreaker, breakerOpenFor, 1)
		t.wantGate("waits", webhook.GateBreaker, breakerOpenFor)

		t.pass(breakerOpenFor)
		t.wantBreaker(ref, webhook.BreakerHalfOpen)
		t.admit(t.event("behind"), "a")
		probe := t.wake(ref, false)
		t.wantRuns(probe.Runs) // admitting the other let it go
		claim := t.answer(t.running("waits"), t.signalled(delivered(), webhook.SignalGood), 0)
		if claim.Breaker != webhook.BreakerClosed {
			t.Fatalf("after a good probe: %+v", claim)
		}
		if h := t.wantBreaker(ref, webhook.BreakerClosed); h.Limit != 1 {
			t.Fatalf("the limit is %d after the breaker closed, want 1", h.Limit)
		}
		t.wantRuns(claim.Runs, "behind")
	},
	"Breaker/a failed probe doubles the rest, up to the longest": func(t *T) {
		ref := t.endpoint("a", wide)
		for i := range breakerFailures {
			t.fail(t.runOf(fmt.Sprint("e", i), "a"))
		}
		const waiting = 8
		for i := range waiting {
			t.wantRuns(t.admit(t.event(fmt.Sprint("w", i)), "a").Runs())
			t.pass(time.Millisecond)
		}
		rest := breakerOpenFor
		for i := range waiting {
			t.pass(rest)
			one := fmt.Sprint("w", []int{0, 7, 1, 6, 2, 5, 3, 4}[i]) // the oldest and the newest in turn
			t.wantRuns(t.wake(ref, false).Runs, one)
			t.wantRuns(t.wake(ref, false).Runs)
			if c := t.wantClaim(t.running(one), webhook.ClaimGo); !c.Probe || !c.Troubled {
				t.Fatalf("claim of a probe = %+v", c)
			}
			r := t.fail(t.running(one))
			rest = min(2*rest, breakerMaxOpenFor)
			if i < waiting-1 {
				t.wantWakeup(r.Wakeup, webhook.GateBreaker, rest, waiting-1-i)
			}
			if h := t.wantBreaker(ref, webhook.BreakerOpen); !h.OpenUntil.Equal(t.now().Add(rest)) {
				t.Fatalf("rest %d lasts until %s, want %s more", i, h.OpenUntil, rest)
			}
		}
	},
	"Breaker/what began before it opened neither closes nor prolongs the rest": func(t *T) {
		ref := t.endpoint("a", wide)
		var runs []webhook.Run
		for i := range begin {
			runs = append(runs, t.runOf(fmt.Sprint("e", i), "a"))
		}
		for i := range breakerFailures {
			t.fail(runs[i%(begin-1)])
		}
		h := t.wantBreaker(ref, webhook.BreakerOpen)
		t.pass(breakerOpenFor + time.Second)
		t.failAfter(runs[begin-1], breakerOpenFor+2*time.Second)
		if after := t.health(ref); after.Breaker != webhook.BreakerHalfOpen {
			t.Fatalf("an old failure moved it from %+v to %+v", h, after)
		}
		t.late(runs[begin-1], t.signalled(delivered(), webhook.SignalGood), breakerOpenFor+2*time.Second)
		t.wantBreaker(ref, webhook.BreakerHalfOpen)
	},
	"Breaker/answers about one event are no failures": func(t *T) {
		ref := t.endpoint("a", wide)
		for i := range 2 * breakerFailures {
			t.answer(t.runOf(fmt.Sprint("e", i), "a"), t.signalled(t.retryIn(time.Hour), webhook.SignalNone), time.Millisecond)
		}
		t.wantBreaker(ref, webhook.BreakerClosed)
	},
	"Breaker/a change of how it is sent to closes it, and no other": func(t *T) {
		ref := t.endpoint("a", wide)
		for i := range breakerFailures {
			t.fail(t.runOf(fmt.Sprint("e", i), "a"))
		}
		t.admit(t.event("waits"), "a")
		for _, change := range []func(*webhook.Endpoint){
			func(e *webhook.Endpoint) { e.Description = "core" }, func(e *webhook.Endpoint) { e.MaxInFlight = 63 },
			func(e *webhook.Endpoint) { e.RateLimit.PerSecond = 100 }, func(e *webhook.Endpoint) { e.RateLimit = webhook.RateLimit{} },
		} {
			_, runs := t.update(ref, change)
			t.wantRuns(runs)
			t.wantBreaker(ref, webhook.BreakerOpen)
		}
		_, runs := t.update(ref, func(e *webhook.Endpoint) { e.URL = "https://example.com/repaired" })
		t.wantRuns(runs, "waits")
		t.wantBreaker(ref, webhook.BreakerClosed)
	},
	"Retry-After/holds all back until then, and wakes": func(t *T) {
		ref := t.endpoint("a", wide)
		asked := t.signalled(t.retryIn(time.Minute), webhook.SignalBusy)
		asked.PauseUntil = t.now().Add(time.Minute)
		held := t.runOf("held", "a")
		t.pass(time.Millisecond)
		asked.PauseUntil = t.now().Add(time.Minute)
		t.answer(t.runOf("e1", "a"), asked, time.Millisecond)
		c := t.wantClaim(held, webhook.ClaimParked)
		t.wantWakeup(c.Release.Wakeup, webhook.GateRetryAfter, time.Minute, 1)
		e2 := t.event("e2")
		e2.PublishedAt = e2.PublishedAt.Add(time.Millisecond)
		if a := t.admit(e2, "a"); a.Releases[0].Wakeup != nil {
			t.Fatalf("a wake-up is arranged twice: %+v", a)
		}
		t.wantGate("e2", webhook.GateRetryAfter, time.Minute)
		early := t.wake(ref, false)
		t.wantRuns(early.Runs)
		t.wantWakeup(early.Wakeup, webhook.GateRetryAfter, time.Minute, 2)
		t.pass(time.Minute)
		t.wantRuns(t.wake(ref, false).Runs, "held", "e2")
	},
	"Gates/of two that are closed the one that opens last is named": func(t *T) {
		ref := t.endpoint("a", wide)
		asked := t.signalled(t.retryIn(time.Hour), webhook.SignalBad)
		asked.PauseUntil = t.now().Add(20 * time.Second)
		run := t.runOf("e1", "a")
		revision := t.wantClaim(run, webhook.ClaimGo).Revision
		for range breakerFailures { // as of several in flight
			_, err := t.Record(t.Context(), webhook.Settlement{Run: run, Attempt: t.attempt(run, asked), Verdict: asked, Revision: revision})
			t.must(err)
		}
		t.admit(t.event("waits"), "a")
		t.wantGate("waits", webhook.GateBreaker, breakerOpenFor)
		t.wantBreaker(ref, webhook.BreakerOpen)
	},
	"Wake/with a probe lets one through": func(t *T) {
		ref := t.endpoint("a", wide)
		asked := t.signalled(t.retryIn(time.Hour), webhook.SignalBad)
		asked.PauseUntil = t.now().Add(time.Hour)
		t.answer(t.runOf("e0", "a"), asked, time.Millisecond)
		t.admit(t.event("e1"), "a")
		t.pass(time.Millisecond)
		t.admit(t.event("e2"), "a")
		t.wantRuns(t.wake(ref, true).Runs, "e1")
		if c := t.wantClaim(t.running("e1"), webhook.ClaimGo); !c.Probe {
			t.Fatalf("claim = %+v", c)
		}
		t.wantRuns(t.wake(ref, true).Runs)
		t.wantRuns(t.answer(t.running("e1"), t.signalled(delivered(), webhook.SignalGood), 0).Runs, "e2")
	},
	"Limit/begins low, doubles while it holds back, and halves on failures": func(t *T) {
		ref := t.endpoint("a", wide)
		runs := t.flood("a", 200)
		for want := begin; want < 64; want *= 2 {
			if h := t.health(ref); h.Limit != want || len(runs) != want || h.InFlight != want {
				t.Fatalf("limit %d, %d released, want %d: %+v", h.Limit, len(runs), want, h)
			}
			runs = t.round(runs, webhook.SignalGood, time.Millisecond)
		}
		if h := t.health(ref); h.Limit != 64 {
			t.Fatalf("limit %d, want the endpoint's own, 64", h.Limit)
		}
		runs = append(t.answer(runs[0], t.signalled(t.retryIn(time.Hour), webhook.SignalBusy), time.Millisecond).Runs, runs[1:]...)
		if h := t.health(ref); h.Limit != 32 {
			t.Fatalf("limit %d after a 429, want 32", h.Limit)
		}
		t.answer(runs[0], t.signalled(t.retryIn(time.Hour), webhook.SignalBusy), time.Millisecond)
		if h := t.health(ref); h.Limit != 32 {
			t.Fatalf("limit %d: failures of one round halve it once", h.Limit)
		}
	},
	"Limit/a receiver that gets slow under it is given less, one that always is keeps it": func(t *T) {
		for name, took := range map[string]func(limit int) time.Duration{
			"overloaded": func(limit int) time.Duration { return time.Duration(limit) * 100 * time.Millisecond },
			"slow":       func(int) time.Duration { return 14 * time.Second },
		} {
			ref := t.endpoint(name, wide)
			runs, highest, last := t.flood(name, 600), 0, 0
			for range 8 {
				last = t.health(ref).Limit
				highest = max(highest, last)
				runs = t.round(runs, webhook.SignalGood, took(last))
			}
			if name == "slow" && last != 64 || name == "overloaded" && highest > 32 {
				t.Errorf("%s: the limit went to %d, and was %d at last", name, highest, last)
			}
		}
	},
	"Limit/one that was fast and is slow from now on keeps what it can take": func(t *T) {
		ref := t.endpoint("a", wide)
		runs := t.round(t.flood("a", 900), webhook.SignalGood, 0)
		for range 10 {
			runs = t.round(runs, webhook.SignalGood, 3*time.Second)
		}
		if h := t.health(ref); h.Limit != 64 {
			t.Errorf("the limit is %d", h.Limit)
		}
	},
	"Limit/a slow endpoint is said to be troubled, a fast one is not": func(t *T) {
		t.endpoint("a", wide)
		runs := t.flood("a", 50)
		if c := t.claim(runs[0]); c.Troubled {
			t.Fatalf("claim = %+v", c)
		}
		runs = t.round(runs, webhook.SignalGood, 2*time.Second)
		if c := t.claim(runs[0]); !c.Troubled {
			t.Fatalf("claim of a slow one = %+v", c)
		}
		runs = t.round(runs, webhook.SignalGood, time.Millisecond)
		if c := t.claim(runs[0]); c.Troubled {
			t.Fatalf("claim of one that is fast again = %+v", c)
		}
	},
	"Rate/claims are spread evenly, and what is too early goes back": func(t *T) {
		ref := t.endpoint("a", wide, func(e *webhook.Endpoint) { e.RateLimit = webhook.RateLimit{PerSecond: 20} })
		var runs []webhook.Run
		for i := range 6 {
			runs = append(runs, t.admit(t.event(fmt.Sprint("e", i)), "a").Runs()...)
		}
		t.wantRuns(runs, "e0", "e1", "e2", "e3") // as many as may be in flight: their claims decide
		var waits []time.Duration
		for _, run := range runs[:3] {
			waits = append(waits, t.wantClaim(run, webhook.ClaimGo).Wait)
		}
		if want := []time.Duration{0, 50 * time.Millisecond, 100 * time.Millisecond}; !slices.Equal(waits, want) {
			t.Fatalf("waits %v, want %v", waits, want)
		}
		c := t.wantClaim(runs[3], webhook.ClaimParked)
		t.wantWakeup(c.Release.Wakeup, webhook.GateRateLimit, 50*time.Millisecond, 3)
		t.wantGate("e3", webhook.GateRateLimit, 50*time.Millisecond)
		t.pass(50 * time.Millisecond)
		t.wantRuns(t.wake(ref, false).Runs, "e3")
		if wait, err := t.Spend(t.Context(), ref, time.Second); err != nil || wait != 100*time.Millisecond {
			t.Fatalf("Spend = %s, %v", wait, err)
		}
		if _, err := t.Spend(t.Context(), ref, 100*time.Millisecond); !errors.Is(err, webhook.ErrBusy) {
			t.Fatalf("Spend without a token = %v", err)
		}
	},
	"Rate/a burst goes at once after a pause": func(t *T) {
		t.endpoint("a", wide, func(e *webhook.Endpoint) { e.RateLimit = webhook.RateLimit{PerSecond: 0.5, Burst: 3} })
		for i := range 3 {
			if c := t.wantClaim(t.runOf(fmt.Sprint("e", i), "a"), webhook.ClaimGo); c.Wait != 0 {
				t.Fatalf("claim %d of the burst = %+v", i, c)
			}
		}
		c := t.wantClaim(t.runOf("e3", "a"), webhook.ClaimParked)
		t.wantWakeup(c.Release.Wakeup, webhook.GateRateLimit, 2*time.Second-webhook.RateAhead, 1)
	},
	"Rate/a change gives no tokens back": func(t *T) {
		ref := t.endpoint("a", wide, func(e *webhook.Endpoint) { e.RateLimit = webhook.RateLimit{PerSecond: 1, Burst: 3} })
		for i := range 3 {
			t.wantClaim(t.runOf(fmt.Sprint("e", i), "a"), webhook.ClaimGo)
		}
		t.wantClaim(t.runOf("e3", "a"), webhook.ClaimParked)
		for _, change := range []func(*webhook.Endpoint){
			func(e *webhook.Endpoint) { e.Description = "core" }, func(e *webhook.Endpoint) { e.RateLimit.PerSecond = 0.5 },
			func(e *webhook.Endpoint) { e.RateLimit.Burst = 2 }, func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually },
			func(e *webhook.Endpoint) { e.DisabledReason = "" },
		} {
			_, runs := t.update(ref, change)
			t.wantRuns(runs)
		}
		t.pass(2*time.Second - webhook.RateAhead)
		t.wantRuns(t.wake(ref, false).Runs, "e3") // one step of the limit that stands
	},
	"Rate/none is taken behind a closed gate": func(t *T) {
		ref := t.endpoint("a", wide, func(e *webhook.Endpoint) { e.RateLimit = webhook.RateLimit{PerSecond: 0.01} })
		run := t.runOf("e1", "a")
		t.disable(ref)
		t.wantClaim(run, webhook.ClaimParked)
		t.wantRuns(t.enable(ref), "e1")
		if c := t.wantClaim(t.running("e1"), webhook.ClaimGo); c.Wait != 0 {
			t.Fatalf("claim = %+v", c)
		}
	},
	"Park/takes the slot back, and the limit with it": func(t *T) {
		ref := t.endpoint("a", wide)
		runs := t.flood("a", 50)
		t.wantClaim(runs[3], webhook.ClaimGo)
		r, err := t.Park(t.Context(), runs[3], time.Second)
		t.must(err)
		t.wantRuns(r.Runs)
		t.wantWakeup(r.Wakeup, webhook.GateSlot, time.Second, 47)
		if h := t.health(ref); h.Limit != 3 || h.InFlight != 3 || h.Waiting != 47 {
			t.Fatalf("health after a park: %+v", h)
		}
		t.wantState("e3", "a", webhook.StateWaiting)
		t.wantClaim(runs[3], webhook.ClaimStale)
		r, err = t.Park(t.Context(), runs[3], time.Second)
		t.must(err)
		if r.Wakeup != nil || t.health(ref).InFlight != 3 {
			t.Fatalf("parked twice: %+v, %+v", r, t.health(ref))
		}
		t.wantRuns(t.answer(runs[0], t.signalled(delivered(), webhook.SignalGood), time.Millisecond).Runs, "e3") // its old place
	},
	"Reconciler/looks again when the gate opens, and wakes whom nobody woke": func(t *T) {
		ref := t.endpoint("a", wide)
		asked := t.signalled(delivered(), webhook.SignalGood)
		asked.PauseUntil = t.now().Add(30 * time.Second)
		t.answer(t.runOf("e0", "a"), asked, time.Millisecond)
		t.admit(t.event("e1"), "a")
		t.pass(6 * time.Second)
		if b := t.inspect(ref); len(b.Release.Runs) != 0 {
			t.Fatalf("released behind a closed gate: %+v", b)
		}
		t.pass(10 * time.Second)
		if t.isDue(ref) {
			t.Fatal("it is looked at although nothing can have happened")
		}
		t.pass(20 * time.Second)
		if !t.isDue(ref) {
			t.Fatal("the gate is open, and nobody looks")
		}
		t.wantRuns(t.inspect(ref).Release.Runs, "e1")
	},
}

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
	r, err := t.Record(t.Context(), webhook.Settlement{Run: run, Attempt: a, Verdict: v, Revision: c.Revision})
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
	r, err := t.Record(t.Context(), webhook.Settlement{Run: run, Attempt: a, Verdict: v, Revision: t.revision(run)})
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
