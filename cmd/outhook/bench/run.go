package bench

import (
	"context"
	"maps"
	"time"
)

// warmEvents come before what is measured: connections, caches, limits that adapt.
const warmEvents = 500

// run is one load on one stand.
type run struct {
	*stand
	what string
	load load
	// until bounds it.
	until time.Time
}

// flow is what came of a load.
type flow struct {
	published
	tally
	// settled is when everything was received and recorded. Cut says that it was not in time.
	settled time.Time
	cut     bool
}

// flow publishes the load and waits until all of it has arrived and is recorded.
func (r *run) flow(ctx context.Context) (flow, error) {
	var f flow
	var err error
	r.load.Brands, r.load.Within = r.brands, time.Until(r.until)
	if f.published, err = r.publish(ctx, r.load); err != nil {
		return f, err
	}
	within, cancel := context.WithDeadline(ctx, r.until)
	defer cancel()
	want := r.load.deliveries()
	for {
		if err := r.receiver.ask(ctx, "await", awaited{Arrived: want, Within: 200 * time.Millisecond}, &f.tally); err != nil {
			return f, err
		}
		open := 0
		if f.Arrived < want {
			if open, err = r.open(within); err != nil && within.Err() == nil {
				return f, err
			}
		}
		if within.Err() != nil {
			f.cut = true
			return f, ctx.Err()
		}
		if open == 0 {
			break
		}
	}
	var settled bool
	f.settled, settled = r.settle(within)
	f.cut = !settled
	if err := r.receiver.ask(ctx, "tally", none{}, &f.tally); err != nil {
		return f, err
	}
	return f, ctx.Err()
}

// judge says what went wrong.
func (r *run) judge(f flow) {
	want := r.load.deliveries()
	switch {
	case f.cut:
		r.b.note("%s: cut after %s: %d of %d had arrived", r.what, r.b.cfg.Limit, f.Arrived, want)
	case f.Arrived < want:
		r.b.wrong("%s: %d of %d were LOST: nothing is open and they never arrived", r.what, want-f.Arrived, want)
	}
	if f.Again > 0 {
		r.b.wrong("%s: %d came TWICE", r.what, f.Again)
	}
	if f.Refused > 0 {
		r.b.note("%s: %d calls had to be made again: %s", r.what, f.Refused, f.Why)
	}
}

// warm has some events go all the way, and has them forgotten.
func (r *run) warm(ctx context.Context) error {
	l := r.load
	l.First, l.Events, l.Rate, l.Timed = 0, min(warmEvents, r.load.Events), 0, false
	l.Workers, l.Batch = max(1, l.Workers), max(1, l.Batch)
	first := &run{stand: r.stand, what: r.what + " (warming up)", load: l, until: r.until}
	f, err := first.flow(ctx)
	if err != nil {
		return err
	}
	r.load.First = l.Events
	if !f.cut {
		f.Again = 0
	}
	first.judge(f)
	return r.receiver.ask(ctx, "forget", none{}, nil)
}

// spent is the processor time of each process so far, in seconds.
func (s *stand) spent(ctx context.Context) metrics {
	m := metrics{}
	for name, pid := range s.pids() {
		if used, ok := cpuOf(pid); ok {
			m[name] = used
		}
	}
	if s.redis != nil {
		delete(m, "redis")
		if used, ok := s.redis.cpu(ctx); ok {
			m["redis"] = used
		}
	}
	return m
}

// cost is the CPU in seconds per 1,000 deliveries, by process, and the peak memory in MiB.
func (s *stand) cost(before, after metrics, deliveries int) metrics {
	m := metrics{}
	thousands := float64(deliveries) / 1000
	for name, used := range after {
		m["cpu"+title(name)] = (used - before[name]) / thousands
	}
	if worker, ok := m["cpuWorker"]; ok {
		m["cpuOuthook"] = worker + m["cpuApi"]
	}
	for name, pid := range s.pids() {
		if peak, ok := memoryOf(pid, "VmHWM"); ok {
			m["peakMiB"+title(name)] = peak
		}
	}
	return m
}

func (m metrics) with(more metrics) metrics {
	maps.Copy(m, more)
	return m
}
