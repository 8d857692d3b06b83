package storetest

import (
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
			_, err := t.Record(t.Context(), &webhook.Settlement{Run: run, Attempt: t.attempt(run, asked), Verdict: asked, Revision: revision})
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
	"Breaker/its last changes are kept, the newest first": func(t *T) {
		ref := t.endpoint("a", wide)
		for i := range breakerFailures {
			t.fail(t.runOf(fmt.Sprint("e", i), "a"))
		}
		want := []webhook.BreakerChange{{State: webhook.BreakerOpen, At: t.now()}}
		t.admit(t.event("probe"), "a")
		t.pass(breakerOpenFor)
		t.wake(ref, false)
		t.answer(t.running("probe"), t.signalled(delivered(), webhook.SignalGood), 0)
		want = append([]webhook.BreakerChange{{State: webhook.BreakerClosed, At: t.now()}}, want...)
		if got := t.health(ref).History; !slices.Equal(got, want) {
			t.Fatalf("history %v, want %v", got, want)
		}
	},
	"Disable/nothing but failures for long, and not just a few": func(t *T) {
		calm := t.endpoint("calm", wide)
		t.spoil(calm, 19)
		t.pass(failingFor)
		if r := t.late(t.runOf("last", "calm"), t.retryIn(time.Hour), 0); r.Disabled != webhook.DisabledFailing {
			t.Fatalf("disabled %q after 20 failures", r.Disabled)
		}
		e, err := t.Endpoint(t.Context(), calm)
		t.must(err)
		if e.DisabledReason != webhook.DisabledFailing || !e.DisabledAt.Equal(t.now()) || e.DisabledAnswer != "200" {
			t.Fatalf("disabled %q at %s by %q", e.DisabledReason, e.DisabledAt, e.DisabledAnswer)
		}
		t.update(calm, func(e *webhook.Endpoint) { e.DisabledReason = "" })
		if e, err = t.Endpoint(t.Context(), calm); err != nil || !e.DisabledAt.IsZero() || e.DisabledAnswer != "" {
			t.Fatalf("enabled, and still %+v, %v", e, err)
		}
		t.spoil(calm, 25) // the count began anew
		t.wantEnabled(calm)

		lucky := t.endpoint("lucky", wide)
		t.spoil(lucky, 25)
		t.late(t.runOf("lucky-good", "lucky"), delivered(), 0)
		t.pass(failingFor)
		t.spoil(lucky, 25)
		t.wantEnabled(lucky)

		few := t.endpoint("few", wide)
		t.spoil(few, 10)
		t.pass(failingFor)
		t.spoil(few, 9)
		t.wantEnabled(few)
	},
}

// failingFor is what the store has for a default.
const failingFor = 120 * time.Hour

// spoil records failures of an endpoint, with ids that none had.
func (t *T) spoil(ref webhook.EndpointRef, n int) {
	t.Helper()
	for range n {
		t.late(t.runOf(webhook.NewID(webhook.EventPrefix), ref.ID), t.retryIn(time.Hour), 0)
	}
}

func (t *T) wantEnabled(ref webhook.EndpointRef) {
	t.Helper()
	if e, err := t.Endpoint(t.Context(), ref); err != nil || e.DisabledReason != "" {
		t.Fatalf("endpoint %s is disabled: %q, %v", ref.ID, e.DisabledReason, err)
	}
}
