package dispatcher

import (
	"context"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// follow does what a step asks for: hands its runs to the queue, and arranges
// its wake-up. What fails here is in the ledger, and the reconciler finds it: so
// that is logged, and no error.
func (d *Dispatcher) follow(ctx context.Context, ref webhook.EndpointRef, r webhook.Release) {
	if len(r.Runs) > 0 {
		if err := d.queue.Enqueue(ctx, r.Runs); err != nil && d.warned.first("enqueue", time.Now()) {
			d.log.WarnContext(ctx, "released deliveries wait for the reconciler; said once a minute",
				"brand", ref.Brand, "endpoint", ref.ID, "runs", len(r.Runs), "error", err)
		}
	}
	d.arrange(ctx, r.Wakeup)
}

// followAll is follow for the releases of several endpoints, in one pipeline.
func (d *Dispatcher) followAll(ctx context.Context, releases []webhook.Release) {
	var runs []webhook.Run
	for _, r := range releases {
		runs = append(runs, r.Runs...)
	}
	d.follow(ctx, webhook.EndpointRef{}, webhook.Release{Runs: runs})
	for _, r := range releases {
		d.arrange(ctx, r.Wakeup)
	}
}

// scheduledFrom is how far away a wake-up is at the least to be a task too,
// which an operator sees and can run now, and which outlives this process.
const scheduledFrom = 2 * time.Second

// arrange has an endpoint looked at again when its gate opens: by this process to
// the millisecond, and by whoever is there a little later.
func (d *Dispatcher) arrange(ctx context.Context, w *webhook.Wakeup) {
	if w == nil {
		return
	}
	if armed := d.alarms.set(w.Endpoint, w.At); armed && time.Until(w.At) < scheduledFrom {
		return
	}
	if err := d.queue.Schedule(ctx, *w); err != nil && d.warned.first("schedule", time.Now()) {
		d.log.WarnContext(ctx, "wake-up is left to the reconciler; said once a minute", "brand", w.Endpoint.Brand, "endpoint", w.Endpoint.ID, "error", err)
	}
}

// wake releases what may run at an endpoint. early is somebody's wish: a breaker
// or a Retry-After that holds the line back lets one through.
func (d *Dispatcher) wake(ctx context.Context, ref webhook.EndpointRef, early bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerFor) // what it releases is handed over, even at the end
	defer cancel()
	r, err := d.store.Wake(ctx, ref, early)
	if err != nil {
		return err
	}
	d.follow(ctx, ref, r)
	return nil
}

// mostAlarms bounds those of one process. What is beyond has its task, and the reconciler.
const mostAlarms = 10_000

// alarms call wake for endpoints at their time, between start and stop.
type alarms struct {
	wake func(context.Context, webhook.EndpointRef)

	mu      sync.Mutex
	ctx     context.Context // of the Run that they belong to; nil before and after
	timers  map[webhook.EndpointRef]alarm
	ringing sync.WaitGroup
}

type alarm struct {
	at    time.Time
	timer *time.Timer
}

func newAlarms(wake func(context.Context, webhook.EndpointRef)) *alarms {
	return &alarms{wake: wake, timers: map[webhook.EndpointRef]alarm{}}
}

func (a *alarms) start(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ctx = ctx
}

// set has an endpoint woken at a time, or before it if that is arranged; it
// answers false when this process does not do so, or has too many to wake.
func (a *alarms) set(ref webhook.EndpointRef, at time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.timers[ref]
	switch {
	case a.ctx == nil, !ok && len(a.timers) >= mostAlarms:
		return false
	case ok && !at.Before(known.at):
		return true
	case ok:
		known.timer.Stop()
	}
	a.timers[ref] = alarm{at, time.AfterFunc(time.Until(at), func() { a.ring(ref, at) })}
	return true
}

func (a *alarms) ring(ref webhook.EndpointRef, at time.Time) {
	a.mu.Lock()
	known, ok := a.timers[ref]
	if a.ctx == nil || !ok || !known.at.Equal(at) { // stopped, or set anew
		a.mu.Unlock()
		return
	}
	delete(a.timers, ref)
	ctx := a.ctx
	a.ringing.Add(1)
	a.mu.Unlock()
	defer a.ringing.Done()
	a.wake(ctx, ref)
}

// stop ends all alarms, and returns when none rings any more.
func (a *alarms) stop() {
	a.mu.Lock()
	a.ctx = nil
	for _, known := range a.timers {
		known.timer.Stop()
	}
	clear(a.timers)
	a.mu.Unlock()
	a.ringing.Wait()
}
