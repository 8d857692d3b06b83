package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// begin is the limit that every endpoint begins with.
const begin = 4

var limitTests = map[string]func(*T){
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
