package dispatcher

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// reconcileEvery is how often a worker looks whether the queue agrees with the
// ledger. Every worker does; a lock a tag keeps them off each other's.
const reconcileEvery = 5 * time.Second

// cancelPause comes after each step of a deletion, so that Redis has time for others.
const cancelPause = 10 * time.Millisecond

// failuresMost is how many tags in a row may fail before the rest waits for the
// next time: one node of a cluster may be away, or all of Redis.
const failuresMost = 3

// reconcile works until ctx ends, through the tags in another order each time,
// so that none is always behind one that fails.
func (d *Dispatcher) reconcile(ctx context.Context) {
	away := false
	for sleep(ctx, reconcileEvery) {
		err := d.Ready(ctx) // says so when Redis has begun to evict: nobody else may ask
		if gone := errors.Is(err, webhook.ErrUnavailable); gone != away && ctx.Err() == nil {
			away = gone
			d.noteRedis(ctx, err)
		}
		if away {
			continue
		}
		failures := 0
		for _, tag := range rand.Perm(d.store.Tags()) {
			err := d.reconcileTag(ctx, tag)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				failures = 0
				continue
			}
			d.log.WarnContext(ctx, "reconciler goes on with this tag later", "tag", tag, "error", err)
			if failures++; failures == failuresMost {
				break
			}
		}
	}
}

// noteRedis tells when Redis goes, and when it is back.
func (d *Dispatcher) noteRedis(ctx context.Context, err error) {
	if errors.Is(err, webhook.ErrUnavailable) {
		d.log.WarnContext(ctx, "redis is away: deliveries wait, and go on by themselves", "error", err)
		return
	}
	d.log.InfoContext(ctx, "redis answers again")
}

// reconcileTag looks after one tag.
func (d *Dispatcher) reconcileTag(ctx context.Context, tag int) error {
	found, err := d.store.Survey(ctx, tag)
	if err != nil {
		return err
	}
	for _, ref := range found.Unfinished {
		if err := d.only(ctx, "event", ref.String(), d.finishFanout(ctx, ref)); err != nil {
			return err
		}
	}
	for _, ref := range found.Due {
		if err := d.only(ctx, "endpoint", ref.String(), d.tend(ctx, ref)); err != nil {
			return err
		}
	}
	return nil
}

// only keeps what is wrong with one event or endpoint from the others: it is logged,
// and just the want of Redis is passed on.
func (d *Dispatcher) only(ctx context.Context, kind, ref string, err error) error {
	if err == nil || errors.Is(err, webhook.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	d.log.ErrorContext(ctx, "reconciler cannot look after this", kind, ref, "error", err)
	return nil
}

// finishFanout completes a publish whose process did not.
func (d *Dispatcher) finishFanout(ctx context.Context, ref webhook.EventRef) error {
	e, endpoints, err := d.store.Event(ctx, ref)
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		e = webhook.Event{ID: ref.ID, Brand: ref.Brand}
	case err != nil:
		return err
	default:
		admitted, err := d.store.Admit(ctx, []webhook.Fanout{{Event: e, Endpoints: endpoints}})
		if err != nil {
			return err
		}
		if err := admitted[0].Err; err != nil {
			return err
		}
		for _, r := range admitted[0].Releases {
			if err := d.queue.Enqueue(ctx, r.Runs); err != nil {
				return err
			}
			d.arrange(ctx, r.Wakeup)
		}
		d.redrives.add(causeFanout)
		d.log.InfoContext(ctx, "fan-out finished", "brand", ref.Brand, "event", ref.ID)
	}
	return d.store.Finish(ctx, []webhook.Event{e})
}

// tend settles what can only end, enqueues what may run, and re-drives what the
// queue has lost.
func (d *Dispatcher) tend(ctx context.Context, ref webhook.EndpointRef) error {
	backlog, err := d.store.Inspect(ctx, ref)
	if err != nil {
		return err
	}
	if len(backlog.Release.Runs) > 0 {
		d.redrives.add(causeWakeup)
		d.log.InfoContext(ctx, "line woken", "brand", ref.Brand, "endpoint", ref.ID, "runs", len(backlog.Release.Runs))
	}
	d.follow(ctx, ref, backlog.Release)
	for more := backlog.Deleted; more; {
		if more, err = d.cancelOpen(ctx, ref); err != nil {
			return err
		}
		if !sleep(ctx, cancelPause) {
			return ctx.Err()
		}
	}
	for _, ending := range backlog.Doomed {
		if err := d.settle(ctx, webhook.Run{DeliveryRef: ending.Ref}, ending.State, ending.Death); err != nil {
			return err
		}
	}
	states, err := d.queue.Inspect(ctx, backlog.Suspects)
	if err != nil {
		return err
	}
	for i, state := range states {
		if state == webhook.TaskAlive {
			continue
		}
		if err := d.redrive(ctx, backlog.Suspects[i], state); err != nil {
			return err
		}
	}
	return nil
}

// redrive gives a delivery whose task is lost a new run. The ledger first: from
// then on the old task, wherever it is, stands for nothing.
func (d *Dispatcher) redrive(ctx context.Context, lost webhook.Run, state webhook.TaskState) error {
	r, err := d.store.Redrive(ctx, lost)
	if err != nil {
		return err
	}
	d.arrange(ctx, r.Wakeup)
	if len(r.Runs) > 0 || r.Wakeup != nil {
		d.redrives.add(state.String())
		d.log.InfoContext(ctx, "delivery re-driven", "brand", lost.Brand, "event", lost.EventID,
			"endpoint", lost.EndpointID, "run", lost.Number, "cause", state.String())
	}
	if err := d.queue.Remove(ctx, lost); err != nil {
		return err
	}
	return d.queue.Enqueue(ctx, r.Runs)
}

// What the reconciler helps on beside tasks, whose states are causes too.
const (
	causeFanout = "fanout"
	causeWakeup = "wakeup"
)

// redrives counts what the reconciler did, by cause.
type redrives struct {
	mu     sync.Mutex
	counts map[string]int
}

func (r *redrives) add(cause string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[cause]++
}

// Redriven answers how often this process's reconciler helped, by cause:
// "fanout" (a publish that its process did not finish), "missing", "abandoned",
// "ended" and "orphaned" (tasks), "wakeup" (a line that nobody woke in time).
func (d *Dispatcher) Redriven() map[string]int {
	d.redrives.mu.Lock()
	defer d.redrives.mu.Unlock()
	return maps.Clone(d.redrives.counts)
}
