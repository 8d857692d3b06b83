package bench

import (
	"context"
	"time"
)

func growBacklog(b *bench) *group {
	g := newGroup("growth", "backlog, 10 brands x 10 endpoints, and what then comes first", growthColumns(
		column{metric: "publishedPerSecond", head: "published/s"}, column{metric: "waitingMiB", head: "MiB waiting"},
		column{metric: "waitingBytes", head: "bytes each"}, column{metric: "firstMs", head: "ms to the first"})...)
	g.most = 1 // what it takes in Redis is always the same
	return b.grow(g, b.drainRun, 1000, 10_000, 100_000, 1_000_000)
}

// drainRun publishes n events while nothing delivers, then looks at how fast the first cfg.Events of them are.
func (b *bench) drainRun(ctx context.Context, what string, n int) (metrics, error) {
	l := manyEndpoints()
	l.Later = true
	s, err := b.build(ctx, roadBatch, l)
	if err != nil {
		return nil, err
	}
	defer s.end()
	run := s.run(what, loadOn(roadBatch, l, n))
	m, err := run.pile(ctx)
	if err != nil || run.want == 0 {
		return m, err
	}
	run.want = min(run.want, b.cfg.Events)
	drained, err := run.drain(ctx)
	return m.with(drained), err
}

// pile publishes the load, and looks at what waits then: that is what is wanted from now on.
func (r *run) pile(ctx context.Context) (metrics, error) {
	empty, known := r.redis.holds(ctx)
	r.load.Within = r.limit
	done, err := r.publish(ctx, r.load)
	if err != nil {
		return nil, err
	}
	waiting, err := r.open(ctx, r.brands)
	if err != nil {
		return nil, err
	}
	if waiting < r.want {
		r.b.note("%s: publishing was cut after %s: %d of %d wait, and the figures are of these", r.what, r.limit, waiting, r.want)
	}
	if r.want = waiting; waiting == 0 {
		return nil, nil
	}
	m := metrics{"publishedPerSecond": float64(waiting) / time.Duration(done.Ended-done.Began).Seconds()}
	if full, ok := r.redis.holds(ctx); ok && known {
		m["waitingMiB"], m["waitingBytes"] = (full-empty)/(1<<20), (full-empty)/float64(waiting)
	}
	return m, nil
}

// drain starts the worker and counts from the first arrival to the last that is wanted.
func (r *run) drain(ctx context.Context) (metrics, error) {
	within, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	began := time.Now()
	if err := r.startWorker(ctx); err != nil {
		return nil, err
	}
	var first tally
	if err := r.receiver.ask(ctx, "await", awaited{Arrived: 1, Within: r.limit}, &first); err != nil {
		return nil, err
	}
	if first.Arrived == 0 {
		r.judge(flow{cut: true})
		return nil, nil
	}
	before := r.spent(ctx)
	var f flow
	if err := r.arrive(ctx, within, &f); err != nil {
		return nil, err
	}
	after := r.spent(ctx)
	r.judge(f)
	m := metrics{"firstMs": float64(time.Unix(0, first.LastAt).Sub(began)) / float64(time.Millisecond)}
	if done := f.Arrived - first.Arrived; done > 0 {
		m["perSecond"] = float64(done) / time.Duration(f.LastAt-first.LastAt).Seconds()
		m.with(r.cost(before, after, done))
	}
	return m, nil
}
