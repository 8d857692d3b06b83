package bench

import (
	"context"
	"fmt"
	"time"
)

// How publishers publish where there is no rate.
const (
	batchSize     = 100
	batchWorkers  = 4
	singleWorkers = 64
	plainWorkers  = 16
)

var throughputColumns = []column{
	{metric: "perSecond", head: "deliveries/s"},
	{metric: "perSecond", head: "x plain", decimals: 2, against: roadPlain},
	{metric: "perSecond", head: "x raw", decimals: 2, against: roadRaw},
	{metric: "cpuApi", head: "CPU s/1,000: api", decimals: 3},
	{metric: "cpuWorker", head: "worker", decimals: 3},
	{metric: "cpuBoth", head: "both", decimals: 3},
	{metric: "cpuRedis", head: "redis", decimals: 3},
	{metric: "cpuReceiver", head: "receiver", decimals: 3},
	{metric: "cpuPublisher", head: "publisher", decimals: 3},
	{metric: "peakMiBApi", head: "peak MiB: api"},
	{metric: "peakMiBWorker", head: "worker"},
	{metric: "peakMiBRedis", head: "redis"},
}

func throughput(b *bench) []*group {
	one := newGroup("throughput", "1 endpoint", throughputColumns...)
	many := newGroup("throughput", "10 brands x 10 endpoints", throughputColumns...)
	for _, r := range []road{roadRaw, roadPlain, roadGo, roadBatch, roadSingle} {
		b.addFlatOut(one, r, oneEndpoint(), b.cfg.Events)
		b.addFlatOut(many, r, manyEndpoints(), b.cfg.Events)
	}
	return []*group{one, many}
}

// addFlatOut adds a row of events published as fast as it goes.
func (b *bench) addFlatOut(g *group, r road, l layout, events int) {
	if r == roadRaw {
		events *= 4 // it would be over before it could be measured
	}
	what := g.nameOf(r)
	g.add(string(r), func(ctx context.Context) (metrics, error) { return b.flatOutRun(ctx, what, r, l, events) })
}

// flatOutRun counts until the last delivery is received and recorded. It begins beside the last of those that warm up: an idle
// Asynq sleeps for up to a second, which is part of its latency, not of what it can do.
func (b *bench) flatOutRun(ctx context.Context, what string, r road, l layout, events int) (metrics, error) {
	s, err := b.build(ctx, r, l)
	if err != nil {
		return nil, err
	}
	defer s.end()
	run := s.run(what, loadOn(r, l, events))
	if err := run.warm(ctx); err != nil {
		return nil, err
	}
	watch, err := s.watch(ctx, what)
	if err != nil {
		return nil, err
	}
	ahead, err := run.lead(ctx)
	if err != nil {
		return nil, err
	}
	before := s.spent(ctx)
	f, err := run.flow(ctx)
	if err != nil {
		return nil, err
	}
	done := f.Arrived - ahead
	m := metrics{"perSecond": f.perSecond(r, done)}.with(s.cost(before, s.spent(ctx), done))
	run.judge(f)
	return m, watch.end(ctx, f.Arrived)
}

// loadOn is how a publisher of the road publishes as fast as it goes. A batch is smaller where each event goes to many.
func loadOn(r road, l layout, events int) load {
	switch r {
	case roadRaw:
		return load{Events: events, Workers: l.Connections, Batch: 1}
	case roadPlain:
		return load{Events: events, Workers: plainWorkers, Batch: 1}
	case roadSingle:
		return load{Events: events, Workers: singleWorkers, Batch: 1}
	}
	return load{Events: events, Workers: batchWorkers, Batch: max(1, batchSize/l.Fanout)}
}

// perSecond is from the first call to when the last was recorded.
func (f flow) perSecond(r road, deliveries int) float64 {
	end := f.settled
	switch {
	case f.cut:
		end = time.Unix(0, f.LastAt)
	case r == roadRaw:
		end = time.Unix(0, f.Ended)
	}
	took := end.Sub(time.Unix(0, f.Began)).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(deliveries) / took
}

func (g *group) nameOf(r road) string {
	return fmt.Sprintf("%s, %s: %s", g.Scenario, g.Title, rowText(string(r)))
}
