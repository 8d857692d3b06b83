package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var randomTests = map[string]func(*T){
	"Random/whatever happens, every delivery ends once and the limit holds": func(t *T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		w := &walk{T: t, rand: rand.New(rand.NewPCG(seed, 1)), tasks: map[string]webhook.Run{}, settled: map[string]webhook.State{}}
		w.ref = t.endpoint("a")
		for range 400 {
			w.step()
		}
		w.drain()
	},
}

// walk plays publishers, workers, a forgetful queue and the reconciler at random.
type walk struct {
	*T
	rand   *rand.Rand
	ref    webhook.EndpointRef
	events []webhook.Event
	// tasks is the queue: runs by id.
	tasks map[string]webhook.Run
	// settled holds the final states that were seen, by event. None may change.
	settled map[string]webhook.State
	off     bool
}

func (w *walk) step() {
	w.pass(time.Duration(w.rand.IntN(1000)) * time.Millisecond)
	switch n := w.rand.IntN(100); {
	case n < 30:
		w.publish()
	case n < 80:
		w.work()
	case n < 85: // the queue loses a task
		w.take()
	case n < 95:
		w.reconcile()
	case n < 97:
		_, runs := w.update(w.ref, func(e *webhook.Endpoint) { e.MaxInFlight = w.rand.IntN(maxInFlight + 1) })
		w.enqueue(runs)
	case w.off:
		w.enqueue(w.enable(w.ref))
		w.off = false
	default:
		w.disable(w.ref)
		w.off = true
	}
	w.check()
}

func (w *walk) publish() {
	e := w.event(fmt.Sprint("e", len(w.events)))
	if len(w.events) > 0 && w.rand.IntN(4) == 0 {
		e = w.events[w.rand.IntN(len(w.events))] // once more
	} else {
		w.events = append(w.events, e)
	}
	w.enqueue(w.admit(e, "a").Runs())
}

func (w *walk) enqueue(runs []webhook.Run) {
	for _, r := range runs {
		w.tasks[r.ID()] = r
	}
}

// take takes any task out of the queue; the seed says which.
func (w *walk) take() (webhook.Run, bool) {
	if len(w.tasks) == 0 {
		return webhook.Run{}, false
	}
	ids := slices.Sorted(maps.Keys(w.tasks))
	run := w.tasks[ids[w.rand.IntN(len(ids))]]
	delete(w.tasks, run.ID())
	return run, true
}

// work takes any task, as Asynq would: also one whose delivery moved on.
func (w *walk) work() {
	run, ok := w.take()
	if !ok || w.claim(run).Verdict != webhook.ClaimGo {
		return
	}
	if was, over := w.settled[run.EventID]; over {
		w.Fatalf("%s may be attempted, and was %s", run.ID(), was)
	}
	v := delivered()
	if w.rand.IntN(3) == 0 {
		v = w.retryIn(time.Duration(w.rand.IntN(5000)) * time.Millisecond)
		w.tasks[run.ID()] = run
	}
	a := w.attempt(run, v)
	w.enqueue(w.record(a, run, v))
	w.enqueue(w.record(a, run, v)) // a resent command
}

func (w *walk) reconcile() {
	b := w.inspect(w.ref)
	w.enqueue(b.Release.Runs)
	for _, suspect := range b.Suspects {
		if _, known := w.tasks[suspect.ID()]; !known {
			freed, err := w.Redrive(w.Context(), suspect)
			runs := freed.Runs
			w.must(err)
			w.enqueue(runs)
		}
	}
}

// check holds the states of what is open against each other: never more running than slots.
func (w *walk) check() {
	w.Helper()
	running := 0
	for _, e := range w.events {
		if _, over := w.settled[e.ID]; over {
			continue
		}
		switch state := w.stateOf(e); {
		case !state.Open():
			w.settled[e.ID] = state
		case state == webhook.StateRunning:
			running++
		}
	}
	if running > maxInFlight {
		w.Fatalf("%d running, limit %d", running, maxInFlight)
	}
}

func (w *walk) stateOf(e webhook.Event) webhook.State {
	w.Helper()
	d, err := w.Delivery(w.Context(), w.refOf(e.ID, "a"))
	w.must(err)
	return d.State
}

// drain works on until nothing is open, and counts: every event delivered, or
// not sent because the endpoint was off, exactly once, and the ledger is empty.
func (w *walk) drain() {
	if w.off {
		w.enqueue(w.enable(w.ref))
	}
	for round := 0; len(w.tasks) > 0 || len(w.settled) < len(w.events); round++ {
		if round > 20*len(w.events) {
			w.Fatalf("%d of %d settled, %d tasks after %d rounds", len(w.settled), len(w.events), len(w.tasks), round)
		}
		w.pass(time.Second)
		w.work()
		w.reconcile()
		w.check()
	}
	for _, e := range w.events {
		w.ended(e)
	}
	w.pass(2 * period)
	if b := w.inspect(w.ref); len(b.Release.Runs)+len(b.Suspects)+len(b.Doomed) > 0 {
		w.Fatalf("nothing is open, and the ledger holds %+v", b)
	}
	w.pass(2 * period)
	if w.surveyed().due(w.ref) {
		w.Fatal("nothing is open, and the endpoint is due")
	}
}

// ended checks how the delivery of one event ended.
func (w *walk) ended(e webhook.Event) {
	w.Helper()
	state := w.stateOf(e)
	if state != w.settled[e.ID] || state != webhook.StateDelivered && state != webhook.StateNotSent {
		w.Fatalf("%s is %s after the drain, and was %s", e.ID, state, w.settled[e.ID])
	}
	times := 0
	for _, a := range w.attempts(e.ID, "a") {
		if a.Outcome == webhook.OutcomeDelivered {
			times++
		}
	}
	if (times == 1) != (state == webhook.StateDelivered) || times > 1 {
		w.Fatalf("%s is %s and was delivered %d times", e.ID, state, times)
	}
}
