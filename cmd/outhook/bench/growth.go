package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// growthColumns are of every table of growth; before them are those that say what the run came to.
func growthColumns(first ...column) []column {
	return append(first,
		column{metric: "perSecond", head: "deliveries/s"},
		column{metric: "cpuApi", head: "CPU s/1,000: api", decimals: 3},
		column{metric: "cpuWorker", head: "worker", decimals: 3},
		column{metric: "cpuRedis", head: "redis", decimals: 3},
		column{metric: "peakMiBWorker", head: "peak MiB: worker"},
		column{metric: "peakMiBRedis", head: "redis"},
	)
}

// growth has a table for each of what may become more, all through the batch route.
func growth(b *bench) []*group {
	return []*group{growInFlight(b), growEndpoints(b), growBacklog(b), growShards(b), growWorkers(b)}
}

// grow adds a row for each size that is to be measured.
func (b *bench) grow(g *group, run func(ctx context.Context, what string, n int) (metrics, error), sizes ...int) *group {
	for i, n := range sizes {
		if n > b.cfg.largest && i > 0 {
			break
		}
		n = min(n, b.cfg.largest)
		what := fmt.Sprintf("%s, %s: %d", g.Scenario, g.Title, n)
		g.add(fmt.Sprint(n), func(ctx context.Context) (metrics, error) { return run(ctx, what, n) })
	}
	return g
}

// Answers take slowAnswer, and longer where more are in flight than steadyRate a second could hold up: above that, two cores are
// at their end, and fewer would be in flight than there are to be.
const (
	slowAnswer = 500 * time.Millisecond
	steadyRate = 1250
)

func answersAfter(inFlight int) time.Duration {
	return max(slowAnswer, time.Duration(inFlight)*time.Second/steadyRate)
}

func growInFlight(b *bench) *group {
	g := newGroup("growth", "delivery.concurrency, receivers that are slow to answer", growthColumns(
		column{metric: "heldAtOnce", head: "in flight"}, column{metric: "answerMs", head: "ms to answer"})...)
	g.most = 1 // it takes as long as the answers
	return b.grow(g, b.slowRun, 10, 100, 1000, 10_000)
}

// slowRun has so many in flight for several answers. What warms up is answered at once.
func (b *bench) slowRun(ctx context.Context, what string, n int) (metrics, error) {
	answer := answersAfter(n)
	s, err := b.build(ctx, roadBatch, slowLayout(n))
	if err != nil {
		return nil, err
	}
	defer s.end()
	run := s.run(what, loadOn(roadBatch, s.layout, n*max(2, int(3*b.cfg.Steady/answer))))
	if err := run.warm(ctx); err != nil {
		return nil, err
	}
	if err := s.receiver.ask(ctx, "behave", manners{Slow: answer}, nil); err != nil {
		return nil, err
	}
	before := s.spent(ctx)
	f, err := run.flow(ctx)
	if err != nil {
		return nil, err
	}
	run.judge(f)
	m := metrics{"perSecond": f.perSecond(roadBatch, f.Arrived), "heldAtOnce": float64(f.Most), "answerMs": float64(answer.Milliseconds())}
	return m.with(s.cost(before, s.spent(ctx), f.Arrived)), nil
}

// slowLayout has so many endpoints that their limits, which begin with 4, let n be in flight.
func slowLayout(n int) layout {
	return layout{Brands: max(1, n/30), Kinds: maxKinds, Fanout: 1, Connections: n, ByQueue: true, Env: []string{
		fmt.Sprint("OUTHOOK_DELIVERY_CONCURRENCY=", n), fmt.Sprint("OUTHOOK_DELIVERY_MAX_IN_FLIGHT_PER_HOST=", n),
	}}
}

func growEndpoints(b *bench) *group {
	g := newGroup("growth", "endpoints, each event to one of them", growthColumns()...)
	g.most = 1 // a great many take long to create
	run := func(ctx context.Context, what string, n int) (metrics, error) {
		m, err := b.flatOutRun(ctx, what, roadBatch, endpointsLayout(n), max(n, b.cfg.Events))
		if errors.Is(err, errTooMany) {
			b.note("%s: left out: %s, which --limit bounds", what, err)
			return nil, nil
		}
		return m, err
	}
	return b.grow(g, run, 10, 100, 1000, 10_000, 100_000)
}

// endpointsLayout has n endpoints, as few brands as can have them, but ten where there are enough.
func endpointsLayout(n int) layout {
	l := layout{Brands: 1, Kinds: maxKinds, Fanout: 1, Connections: mostOfAll, ByQueue: true}
	if n >= maxKinds*maxFanout {
		l.Kinds = maxFanout
	}
	l.Brands = max(1, n/l.Kinds)
	return l
}

func growShards(b *bench) *group {
	g := newGroup("growth", "queue.shards, 10 brands x 10 endpoints", growthColumns()...)
	return b.grow(g, b.variedRun(func(l *layout, n int) { l.Env = []string{fmt.Sprint("OUTHOOK_QUEUE_SHARDS=", n)} }), 1, 4, 16)
}

func growWorkers(b *bench) *group {
	g := newGroup("growth", "worker processes, 10 brands x 10 endpoints; CPU of all, memory of the largest", growthColumns()...)
	return b.grow(g, b.variedRun(func(l *layout, n int) { l.Workers = n }), 1, 2, 4)
}

// variedRun is one of throughput, but for what vary makes of its layout.
func (b *bench) variedRun(vary func(l *layout, n int)) func(context.Context, string, int) (metrics, error) {
	return func(ctx context.Context, what string, n int) (metrics, error) {
		l := manyEndpoints()
		l.ByQueue = true
		vary(&l, n)
		return b.flatOutRun(ctx, what, roadBatch, l, b.cfg.Events)
	}
}
