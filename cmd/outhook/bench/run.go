package bench

import (
	"context"
	"maps"
	"time"
)

// warmEvents come before what is measured: connections, caches, limits that adapt.
const warmEvents = 500

// awaitEvery is how long is waited for the last arrival before it is looked whether there is anything left to arrive.
const awaitEvery = 200 * time.Millisecond

// run is one load on a stand.
type run struct {
	*stand
	what string
	load load
	// limit bounds it, from the first event on.
	limit time.Duration
	// want is how many arrivals are waited for, of endpoints of brands.
	want   int
	brands [][]subject
	// hung are endpoints that never answer: what is for them is not waited for.
	hung []int
}

func (s *stand) run(what string, l load) *run {
	if l.Road == "" {
		l.Road = s.road
	}
	if l.Brands == nil {
		l.Brands = s.brands
	}
	return &run{stand: s, what: what, load: l, limit: s.b.cfg.Limit, want: l.deliveries(nil), brands: l.Brands}
}

// flow is what came of a load.
type flow struct {
	published
	tally
	// settled is when everything was received and recorded; cut says that it was not in time.
	settled time.Time
	cut     bool
}

// flow publishes the load and waits until all of it has arrived and is recorded, or nothing is left that could.
func (r *run) flow(ctx context.Context) (flow, error) {
	within, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	var f flow
	var err error
	r.load.Within = r.limit
	if f.published, err = r.publish(ctx, r.load); err != nil {
		return f, err
	}
	err = r.arrive(ctx, within, &f)
	if err == nil && !f.cut && len(r.hung) == 0 {
		var all bool
		f.settled, all = r.settle(ctx, within, r.brands)
		f.cut = !all
	}
	if err == nil && f.cut {
		err = r.fallen()
	}
	if err == nil {
		err = r.receiver.ask(ctx, "tally", none{}, &f.tally) // what came twice, too
	}
	return f, err
}

// arrive waits for the last arrival, or until nothing is open.
func (r *run) arrive(ctx, within context.Context, f *flow) error {
	for {
		if err := r.receiver.ask(ctx, "await", awaited{Arrived: r.want, Within: awaitEvery}, &f.tally); err != nil {
			return err
		}
		if f.Arrived >= r.want {
			return nil
		}
		if f.cut = within.Err() != nil; f.cut {
			return ctx.Err()
		}
		if err := r.fallen(); err != nil {
			return err
		}
		if r.idle(ctx) { // the last may have come since they were counted
			return r.receiver.ask(ctx, "tally", none{}, &f.tally)
		}
	}
}

// idle tells whether nothing is left that could arrive.
func (r *run) idle(ctx context.Context) bool {
	if open, err := r.unsettled(ctx, r.brands); err != nil || open > 0 || !r.layout.ByQueue {
		return err == nil && open == 0
	}
	open, err := r.open(ctx, r.brands) // what waits for a retry is in no queue
	return err == nil && open == 0
}

// judge says what went wrong.
func (r *run) judge(f flow) {
	switch {
	case f.cut:
		r.b.note("%s: cut after %s: %d of %d had arrived, and its figures are of these", r.what, r.limit, f.Arrived, r.want)
	case f.Arrived < r.want:
		r.b.wrong("%s: %d of %d were LOST: nothing is open, and they never arrived", r.what, r.want-f.Arrived, r.want)
	}
	if f.Again > 0 {
		r.b.wrong("%s: %d came TWICE", r.what, f.Again)
	}
	if f.Refused > 0 {
		r.b.note("%s: %d calls had to be made again: %s", r.what, f.Refused, f.Why)
	}
}

// warm has some events go all the way, as fast as they do.
func (r *run) warm(ctx context.Context) error {
	first := r.stand.run(r.what+", warming up", r.some())
	f, err := first.flow(ctx)
	if err != nil {
		return err
	}
	first.judge(f)
	return r.after(ctx, first)
}

// some is a load like that of the run, but small and as fast as it goes.
func (r *run) some() load {
	l := loadOn(r.load.Road, r.layout, min(warmEvents, r.load.Events))
	l.Road, l.Brands, l.First = r.load.Road, r.load.Brands, r.load.First
	return l
}

// lead publishes some events ahead of the run, which are waited for with it, and answers how many have arrived once one has.
func (r *run) lead(ctx context.Context) (int, error) {
	some := r.some()
	some.Within = r.limit
	if _, err := r.publish(ctx, some); err != nil {
		return 0, err
	}
	r.load.First, r.want = r.load.First+some.Events, r.want+some.deliveries(nil)
	var t tally
	err := r.receiver.ask(ctx, "await", awaited{Arrived: 1, Within: r.limit}, &t)
	return t.Arrived, err
}

// after numbers the events on from those of another run, and has the receiver count from 0.
func (r *run) after(ctx context.Context, other *run) error {
	r.load.First = other.load.First + other.load.Events
	return r.receiver.ask(ctx, "forget", none{}, nil)
}

// spent is the processor time of each process so far, in seconds.
func (s *stand) spent(ctx context.Context) metrics {
	m := metrics{}
	for name, all := range s.processes() {
		for _, p := range all {
			if used, ok := cpuOf(p.pid()); ok && name != "redis" {
				m[name] += used
			}
		}
	}
	if s.redis != nil {
		if used, ok := s.redis.cpu(ctx); ok {
			m["redis"] = used
		}
	}
	return m
}

// cost is the CPU in seconds per 1,000 deliveries, by process, and the peak memory in MiB: of several, the CPU of all and the
// memory of the largest.
func (s *stand) cost(before, after metrics, deliveries int) metrics {
	m := metrics{}
	thousands := float64(max(1, deliveries)) / 1000
	for name, used := range after {
		m["cpu"+title(name)] = (used - before[name]) / thousands
	}
	if worker, ok := m["cpuWorker"]; ok {
		m["cpuBoth"] = worker + m["cpuApi"]
	}
	for name, all := range s.processes() {
		for _, p := range all {
			if peak, ok := memoryOf(p.pid(), "VmHWM"); ok {
				m["peakMiB"+title(name)] = max(peak, m["peakMiB"+title(name)])
			}
		}
	}
	return m
}

// with adds figures.
func (m metrics) with(more metrics) metrics {
	maps.Copy(m, more)
	return m
}

// named puts a word before each name.
func (m metrics) named(prefix string) metrics {
	out := metrics{}
	for name, value := range m {
		out[prefix+title(name)] = value
	}
	return out
}
