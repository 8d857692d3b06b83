package bench

import (
	"context"
	"fmt"
	"time"
)

// How publishers publish where there is no rate. More of any made none faster on two cores.
const (
	batchSize     = 100
	batchWorkers  = 4
	singleWorkers = 64
	plainWorkers  = 16
)

// oneEndpoint and manyEndpoints are the layouts of throughput. In flight outhook has at most 256 for one endpoint, and 1,024
// in one process.
func oneEndpoint() layout { return layout{Brands: 1, Kinds: 1, Fanout: 1, Connections: 256} }

func manyEndpoints() layout { return layout{Brands: 10, Kinds: 10, Fanout: 1, Connections: 1024} }

var throughputColumns = []column{
	{metric: "perSecond", head: "deliveries/s"},
	{metric: "perSecond", head: "x plain", decimals: 2, against: roadPlain},
	{metric: "perSecond", head: "x raw", decimals: 2, against: roadRaw},
	{metric: "cpuApi", head: "CPU s/1,000: api", decimals: 3},
	{metric: "cpuWorker", head: "worker", decimals: 3},
	{metric: "cpuOuthook", head: "both", decimals: 3},
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
		b.addThroughput(one, r, oneEndpoint(), b.cfg.Events)
		b.addThroughput(many, r, manyEndpoints(), b.cfg.Events)
	}
	return []*group{one, many}
}

func (b *bench) addThroughput(g *group, r road, l layout, events int) {
	if r == roadRaw {
		events *= 4 // it would be over before it could be measured
	}
	what := fmt.Sprintf("%s, %s: %s", g.Scenario, g.Title, rowText(string(r)))
	g.add(string(r), func(ctx context.Context) (metrics, error) { return b.throughputRun(ctx, what, r, l, events) })
}

// throughputRun publishes as fast as it goes and counts until the last is received and recorded.
func (b *bench) throughputRun(ctx context.Context, what string, r road, l layout, events int) (metrics, error) {
	s, err := b.build(ctx, r, l)
	if err != nil {
		return nil, err
	}
	defer s.end()
	run := &run{stand: s, what: what, load: loadOn(r, l, events), until: time.Now().Add(b.cfg.Limit)}
	if err := run.warm(ctx); err != nil {
		return nil, err
	}
	watch, err := s.watch(ctx, what)
	if err != nil {
		return nil, err
	}
	before := s.spent(ctx)
	f, err := run.flow(ctx)
	if err != nil {
		return nil, err
	}
	after := s.spent(ctx)
	if err := watch.end(ctx, f.Arrived); err != nil {
		return nil, err
	}
	run.judge(f)
	return metrics{"perSecond": f.perSecond(r)}.with(s.cost(before, after, f.Arrived)), nil
}

// loadOn is how a publisher of the road publishes as fast as it goes.
func loadOn(r road, l layout, events int) load {
	switch r {
	case roadRaw:
		return load{Events: events, Workers: l.Connections, Batch: 1}
	case roadPlain:
		return load{Events: events, Workers: plainWorkers, Batch: 1}
	case roadSingle:
		return load{Events: events, Workers: singleWorkers, Batch: 1}
	}
	return load{Events: events, Workers: batchWorkers, Batch: batchSize}
}

// perSecond is from the first call to when the last was recorded.
func (f flow) perSecond(r road) float64 {
	end := f.settled
	switch {
	case r == roadRaw:
		end = time.Unix(0, f.Ended)
	case f.cut:
		end = time.Unix(0, f.LastAt)
	}
	took := end.Sub(time.Unix(0, f.Began)).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(f.Arrived) / took
}
