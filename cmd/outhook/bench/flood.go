package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// floodTimes is how many times the events of a throughput run are a flood.
	floodTimes = 5
	// besideRate is how many events a second another brand publishes meanwhile.
	besideRate = 20
)

var floodColumns = []column{
	{metric: "calmP50", head: "ms, no flood: p50", decimals: 2},
	{metric: "calmP99", head: "p99", decimals: 2},
	{metric: "p50", head: "flood: p50", decimals: 2},
	{metric: "p99", head: "p99", decimals: 2},
	{metric: "max", head: "max", decimals: 2},
	{metric: "beside", head: "events beside it"},
	{metric: "floodPerSecond", head: "flood: deliveries/s"},
}

func flood(b *bench) []*group {
	events := floodTimes * b.cfg.Events
	g := newGroup("flood", fmt.Sprintf("another brand's %d/s, while one publishes %d at once", besideRate, events), floodColumns...)
	for _, r := range []road{roadPlain, roadSingle} {
		what := g.nameOf(r)
		g.add(string(r), func(ctx context.Context) (metrics, error) { return b.floodRun(ctx, what, r, events) })
	}
	return []*group{g}
}

// floodRun has two brands: the second publishes at a steady rate, first alone, then beside the flood of the first.
func (b *bench) floodRun(ctx context.Context, what string, r road, events int) (metrics, error) {
	s, err := b.build(ctx, r, layout{Brands: 2, Kinds: 1, Fanout: 1, Connections: mostOfAll})
	if err != nil {
		return nil, err
	}
	defer s.end()
	load := b.steady(besideRate)
	load.Brands = s.brands[1:]
	calm := s.run(what+", no flood", load)
	if err := calm.warm(ctx); err != nil {
		return nil, err
	}
	_, without, err := calm.timed(ctx)
	if err != nil {
		return nil, err
	}
	load.Events *= 4 // most floods are over before
	beside := s.run(what, load)
	if err := beside.after(ctx, calm); err != nil {
		return nil, err
	}
	with, perSecond, err := beside.flooded(ctx, events)
	m := besides(without, with)
	m["floodPerSecond"], m["beside"] = perSecond, float64(len(with))
	return m, err
}

// flooded has the load flow beside a flood of the first brand. It answers the spans of those arrivals that were published
// before the flood was over, and how fast that was.
func (r *run) flooded(ctx context.Context, events int) ([]span, float64, error) {
	second, err := r.child("publisher")
	if err != nil {
		return nil, 0, err
	}
	much := loadOn(floodRoad(r.road), r.layout, events)
	much.Road, much.Brands, much.First = floodRoad(r.road), r.stand.brands[:1], r.load.First
	r.limit = 2*r.limit + 4*r.b.cfg.Steady
	much.Within = r.limit
	r.want, r.brands = r.want+much.deliveries(nil), r.stand.brands
	began, done := time.Now(), make(chan error, 1)
	go func() {
		_, err := r.publishBy(ctx, second, much)
		done <- err
	}()
	f, err := r.flow(ctx)
	if err = errors.Join(err, <-done); err != nil {
		return nil, 0, err
	}
	r.judge(f)
	last, arrived, err := r.lastOf(ctx, much)
	if err != nil {
		return nil, 0, err
	}
	spans, err := r.spans(ctx, f, &last)
	return spans, float64(arrived) / last.Sub(began).Seconds(), err
}

// floodRoad is the fastest way through the same API.
func floodRoad(r road) road {
	if r == roadSingle {
		return roadBatch
	}
	return r
}

// lastOf is when the last event of a load arrived, and how many did.
func (r *run) lastOf(ctx context.Context, l load) (time.Time, int, error) {
	arrivals, err := r.stand.run(r.what, l).arrivals(ctx)
	var last int64
	count := 0
	for _, times := range arrivals {
		for event, at := range times {
			if event >= l.First {
				last, count = max(last, at), count+1
			}
		}
	}
	return time.Unix(0, last), count, err
}
