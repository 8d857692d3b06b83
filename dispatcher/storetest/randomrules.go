package storetest

import (
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// judge holds what the breaker did against the answers.
func (w *gateWalk) judge(s webhook.Signal, before webhook.Health, became webhook.BreakerState) {
	switch s {
	case webhook.SignalGood:
		w.failures = 0
	case webhook.SignalBad:
		w.failures++
	}
	switch {
	case became == webhook.BreakerClosed && (s != webhook.SignalGood || before.Breaker == webhook.BreakerClosed),
		became == webhook.BreakerOpen && s != webhook.SignalBad,
		became == webhook.BreakerOpen && before.Breaker == webhook.BreakerOpen,
		became == webhook.BreakerOpen && before.Breaker == webhook.BreakerClosed && w.failures < breakerFailures:
		w.broken("the breaker went from %s to %s at %q, %d failures in a row", before.Breaker, became, s, w.failures)
	}
}

// check: what is open stands in one set each, and a line has somebody who will look at it.
func (w *gateWalk) check() {
	w.Helper()
	counts := map[webhook.State]int{}
	for _, e := range w.events {
		if _, over := w.settled[e.ID]; over {
			continue
		}
		d, err := w.Delivery(w.Context(), w.refOf(e.ID, "a"))
		w.must(err)
		counts[d.State]++
		if !d.State.Open() {
			w.settled[e.ID] = d.State
		}
	}
	h := w.health(w.ref)
	if h.InFlight != counts[webhook.StateRunning] || h.Waiting != counts[webhook.StateWaiting] || h.Retrying != counts[webhook.StateRetrying] {
		w.broken("states %v, sets %+v", counts, h)
	}
	if w.forgetful {
		return
	}
	watched := len(w.flights) > 0 || slices.ContainsFunc(w.alarms, func(at time.Time) bool {
		return h.WaitingUntil.IsZero() || !at.After(h.WaitingUntil.Add(webhook.RateAhead))
	})
	for _, task := range w.tasks {
		watched = watched || !task.at.After(w.now())
	}
	if h.Waiting > 0 && !w.off && !watched {
		w.broken("nobody will look at the line: %+v, now %s, wake-ups %v", h, w.now(), w.alarms)
	}
}

// drain has the endpoint well again, and everything must end.
func (w *gateWalk) drain() {
	w.update1(gateMost, webhook.RateLimit{}, false)
	for round := 0; len(w.settled) < len(w.events); round++ {
		if round > 10*len(w.events) {
			w.broken("%d of %d settled: %+v, %d tasks, %d in flight", len(w.settled), len(w.events), w.health(w.ref), len(w.tasks), len(w.flights))
		}
		for len(w.ready()) > 0 {
			w.work(false)
		}
		w.elapse(time.Second)
		for len(w.flights) > 0 {
			w.finish(w.signalled(delivered(), webhook.SignalGood))
		}
		w.look()
		w.check()
	}
	if h := w.health(w.ref); h.InFlight+h.Waiting+h.Retrying > 0 {
		w.broken("nothing is open, and the ledger holds %+v", h)
	}
}

// elapse passes time; alarms ring at theirs.
func (w *gateWalk) elapse(d time.Duration) {
	until := w.now().Add(d)
	for range 1000 {
		if len(w.alarms) == 0 {
			break
		}
		slices.SortFunc(w.alarms, time.Time.Compare)
		at := w.alarms[0]
		if at.After(until) {
			break
		}
		w.alarms = slices.DeleteFunc(w.alarms, at.Equal)
		w.pass(max(0, at.Sub(w.now())))
		w.said("alarm")
		w.follow(w.wake(w.ref, false))
	}
	if len(w.alarms) > 0 && w.alarms[0].Before(until) {
		w.broken("a thousand wake-ups within %s", d)
	}
	w.pass(max(0, until.Sub(w.now())))
}

// look is the reconciler's, if it would look.
func (w *gateWalk) look() {
	if !w.isDue(w.ref) {
		return
	}
	before := w.health(w.ref)
	b := w.inspect(w.ref)
	w.said("inspect: %d runs, %d suspects", len(b.Release.Runs), len(b.Suspects))
	if !w.forgetful && len(b.Release.Runs) > 0 && before.InFlight == 0 {
		w.broken("%d left to the reconciler", len(b.Release.Runs))
	}
	w.follow(b.Release)
	for _, suspect := range b.Suspects {
		_, known := w.tasks[suspect.ID()]
		if known || slices.ContainsFunc(w.flights, func(f flight) bool { return f.run.ID() == suspect.ID() }) {
			continue
		}
		if !w.forgetful {
			w.broken("%s is in flight, and nobody has it", suspect.ID())
		}
		r, err := w.Redrive(w.Context(), suspect)
		w.must(err)
		w.follow(r)
	}
}

// change is somebody's hand.
func (w *gateWalk) change() {
	limit, rate, off := 1+w.rand.IntN(gateMost), webhook.RateLimit{}, w.rand.IntN(4) == 0
	if w.rand.IntN(2) == 0 {
		rate = webhook.RateLimit{PerSecond: 0.3 + 30*w.rand.Float64()*w.rand.Float64(), Burst: w.rand.IntN(4)}
	}
	w.update1(limit, rate, off)
}

func (w *gateWalk) update1(limit int, rate webhook.RateLimit, off bool) {
	_, r, err := w.UpdateEndpoint(w.Context(), w.ref, func(e *webhook.Endpoint) error {
		e.MaxInFlight, e.RateLimit, e.DisabledReason = limit, rate, ""
		if off {
			e.DisabledReason = webhook.DisabledManually
		}
		return nil
	})
	w.must(err)
	if w.off && !off { // enabled, its breaker begins anew
		w.failures = 0
	}
	w.rate, w.off, w.posts = rate, off, nil
	w.settings++
	w.said("update: limit %d, rate %+v, off %v", limit, rate, off)
	w.follow(r)
}

// forget loses a task, all wake-ups, or an attempt with its task.
func (w *gateWalk) forget() {
	switch n := w.rand.IntN(3); {
	case n == 0 && len(w.flights) > 0:
		i := w.rand.IntN(len(w.flights))
		w.flights = slices.Delete(w.flights, i, i+1)
	case n == 1:
		w.alarms = nil
	default:
		for id := range w.tasks {
			delete(w.tasks, id)
			break
		}
	}
	w.said("forgotten")
}
