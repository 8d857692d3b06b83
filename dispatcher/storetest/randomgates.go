package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var randomGateTests = map[string]func(*T){
	"RandomGates/with a faithful queue nothing is left to the reconciler": func(t *T) { walkGates(t, false) },
	"RandomGates/with a forgetful one everything ends all the same":       func(t *T) { walkGates(t, true) },
}

// walkGates plays an endpoint that fails, limps, asks for pauses and is changed, at random.
func walkGates(t *T, forgetful bool) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &gateWalk{
		T: t, rand: rand.New(rand.NewPCG(seed, 2)), forgetful: forgetful,
		tasks: map[string]gateTask{}, settled: map[string]webhook.State{},
	}
	w.ref = t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = gateMost })
	for range gateSteps() {
		w.step()
	}
	w.drain()
}

// gateSteps is how long a walk is; a tenth of what it is with OUTHOOK_TEST_LONG.
func gateSteps() int {
	if os.Getenv("OUTHOOK_TEST_LONG") != "" {
		return 1000
	}
	return 100
}

// gateMost is what the endpoint may have in flight at most.
const gateMost = 16

type gateTask struct {
	run webhook.Run
	at  time.Time
}

// flight is an attempt under way.
type flight struct {
	run   webhook.Run
	claim webhook.Claim
	began time.Time
	// settings is which of the endpoint's it was sent with: what it brings says nothing of others.
	settings int
}

// gateWalk has an endpoint, a queue with its alarms, and workers.
type gateWalk struct {
	*T
	rand      *rand.Rand
	ref       webhook.EndpointRef
	forgetful bool
	// stale: what is cancelled, or due now, leaves its task behind.
	stale bool
	// settings counts the changes of the endpoint's.
	settings int
	events   []webhook.Event
	settled  map[string]webhook.State
	tasks    map[string]gateTask
	flights  []flight
	alarms   []time.Time
	rate     webhook.RateLimit
	// posts are the times of what was sent under the rate limit that stands.
	posts []time.Time
	off   bool
	// failures in a row, as the answers told.
	failures int
	log      []string
}

func (w *gateWalk) step() {
	switch n := w.rand.IntN(100); {
	case n < 22:
		w.publish()
	case n < 50:
		w.work(w.rand.IntN(20) == 0)
	case n < 72:
		w.finish(w.anyAnswer())
	case n < 84:
		w.elapse(time.Duration(w.rand.IntN(1500)) * time.Millisecond)
	case n < 87:
		w.elapse(time.Duration(w.rand.IntN(60)) * time.Second)
	case n < 90:
		w.look()
	case n < 92:
		w.said("probe wanted")
		w.follow(w.wake(w.ref, true))
	case n < 94:
		wait, err := w.Spend(w.Context(), w.ref, time.Second)
		if err == nil {
			w.post(wait)
		}
	case n < 98:
		w.change()
	case w.forgetful:
		w.forget()
	}
	w.check()
}

func (w *gateWalk) said(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%s ", w.now().Format("15:04:05.000"))+fmt.Sprintf(format, args...))
}

func (w *gateWalk) broken(format string, args ...any) {
	w.Helper()
	for _, line := range w.log[max(0, len(w.log)-40):] {
		w.Log(line)
	}
	w.Fatalf(format, args...)
}

func (w *gateWalk) publish() {
	for range 1 + w.rand.IntN(4) {
		e := w.event(fmt.Sprint("e", len(w.events)))
		w.events = append(w.events, e)
		for _, r := range w.admit(e, "a").Releases {
			w.follow(r)
		}
	}
}

// follow takes what a step released, which is never more than the limit allows.
func (w *gateWalk) follow(r webhook.Release) {
	w.Helper()
	for _, run := range r.Runs {
		w.tasks[run.ID()] = gateTask{run: run, at: w.now()}
	}
	if r.Wakeup != nil {
		w.said("wake-up %s %s", r.Wakeup.Gate, r.Wakeup.At.Format("15:04:05.000"))
		if r.Wakeup.Gate == "" || !r.Wakeup.At.After(w.now()) {
			w.broken("a wake-up for an open gate: %+v", r.Wakeup)
		}
		w.alarms = append(w.alarms, r.Wakeup.At)
	}
	if h := w.health(w.ref); len(r.Runs) > 0 && h.InFlight > h.Limit {
		w.broken("%d in flight after %d were released, limit %d", h.InFlight, len(r.Runs), h.Limit)
	}
}

// ready answers the tasks that are due, by id.
func (w *gateWalk) ready() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w.tasks)), func(id string) bool { return w.tasks[id].at.After(w.now()) })
}

// work takes a task that is due; early: any, as an operator may.
func (w *gateWalk) work(early bool) {
	ids := w.ready()
	if early {
		ids = slices.Sorted(maps.Keys(w.tasks))
	}
	if len(ids) == 0 {
		return
	}
	run := w.tasks[ids[w.rand.IntN(len(ids))]].run
	delete(w.tasks, run.ID())
	c := w.claim(run)
	w.said("claim %s = %d probe %v wait %s", run.ID(), c.Verdict, c.Probe, c.Wait)
	switch c.Verdict {
	case webhook.ClaimParked:
		w.follow(c.Release)
	case webhook.ClaimGo:
		w.enter(run, c)
	case webhook.ClaimStale:
		if !w.forgetful && !w.stale {
			w.broken("%s is stale", run.ID())
		}
	default:
		w.broken("claim of %s = %d", run.ID(), c.Verdict)
	}
}

func (w *gateWalk) enter(run webhook.Run, c webhook.Claim) {
	if was, over := w.settled[run.EventID]; over {
		w.broken("%s may be attempted, and was %s", run.ID(), was)
	}
	if w.off {
		w.broken("%s may be attempted at a disabled endpoint", run.ID())
	}
	if w.rand.IntN(12) == 0 { // no room
		delay := time.Duration(500+w.rand.IntN(1000)) * time.Millisecond
		r, err := w.Park(w.Context(), run, delay)
		w.must(err)
		w.said("park %s %s", run.ID(), delay)
		w.follow(r)
		return
	}
	if c.Probe && len(w.flights) > 0 && !w.stale {
		w.broken("%s probes beside %+v", run.ID(), w.flights)
	}
	w.post(c.Wait)
	w.flights = append(w.flights, flight{run, c, w.now().Add(c.Wait), w.settings})
}

// post holds what is sent against the rate limit.
func (w *gateWalk) post(wait time.Duration) {
	w.Helper()
	if w.rate.PerSecond == 0 {
		return
	}
	at := w.now().Add(wait)
	w.posts = append(w.posts, at)
	burst := max(1, w.rate.Burst)
	slices.SortFunc(w.posts, time.Time.Compare)
	for i, from := range w.posts {
		for j := i; j < len(w.posts); j++ {
			span := w.posts[j].Sub(from).Seconds() + 0.002
			if n := j - i + 1; float64(n) > float64(burst)+span*w.rate.PerSecond {
				w.broken("%d posts within %.3f s, limit %+v", n, span, w.rate)
			}
		}
	}
}

func (w *gateWalk) anyAnswer() webhook.Verdict {
	next := time.Duration(w.rand.IntN(20_000)) * time.Millisecond
	switch n := w.rand.IntN(20); {
	case n < 11:
		return w.signalled(delivered(), webhook.SignalGood)
	case n < 16:
		return w.signalled(w.retryIn(next), webhook.SignalBad)
	case n < 17:
		return w.signalled(w.retryIn(next), webhook.SignalNone)
	case n < 18:
		v := dead(webhook.DeathGone)
		if w.rand.IntN(3) == 0 {
			v.Disable = webhook.DisabledGone
		}
		return v
	}
	v := w.signalled(w.retryIn(next), webhook.SignalBusy)
	if w.rand.IntN(2) == 0 {
		v.PauseUntil = w.now().Add(time.Duration(w.rand.IntN(30_000)) * time.Millisecond)
	}
	return v
}

// finish ends an attempt that has begun.
func (w *gateWalk) finish(v webhook.Verdict) {
	if len(w.flights) == 0 {
		return
	}
	i := w.rand.IntN(len(w.flights))
	f := w.flights[i]
	if f.began.After(w.now()) {
		return
	}
	w.flights = slices.Delete(w.flights, i, i+1)
	before := w.health(w.ref)
	a := w.attempt(f.run, v)
	a.StartedAt, a.Duration = f.began, w.now().Sub(f.began)
	s := webhook.Settlement{Run: f.run, Attempt: a, Verdict: v, Revision: f.claim.Revision}
	r, err := w.Record(w.Context(), &s)
	w.must(err)
	w.said("record %s %s %q pause %v: breaker %q, %d runs", f.run.ID(), v.State, v.Signal, !v.PauseUntil.IsZero(), r.Breaker, len(r.Runs))
	if v.State == webhook.StateRetrying {
		w.tasks[f.run.ID()] = gateTask{f.run, v.NextAttemptAt}
	}
	if v.Disable != "" {
		e, err := w.Endpoint(w.Context(), w.ref)
		w.must(err)
		if off := e.DisabledReason != ""; off != w.off {
			w.off = off
			w.settings++
		}
	}
	switch {
	case f.settings == w.settings || r.Disabled != "":
		w.judge(v.Signal, before, r.Breaker)
	case r.Breaker != "":
		w.broken("what was sent with other settings made the breaker %s", r.Breaker)
	}
	w.follow(r)
	again, err := w.Record(w.Context(), &s) // a resent command
	w.must(err)
	for _, run := range r.Runs {
		if !slices.Contains(again.Runs, run) {
			w.broken("repeated, Record released %v, at first %v", again.Runs, r.Runs)
		}
	}
}
