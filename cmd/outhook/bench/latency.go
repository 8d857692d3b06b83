package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

var latencyColumns = []column{
	{metric: "p50", head: "ms: p50", decimals: 2},
	{metric: "p95", head: "p95", decimals: 2},
	{metric: "p99", head: "p99", decimals: 2},
	{metric: "max", head: "max", decimals: 2},
	{metric: "slow", head: "machine slow %", decimals: 1},
	{metric: "even", head: "else: % of events", decimals: 0},
	{metric: "evenP50", head: "p50", decimals: 2},
	{metric: "evenP99", head: "p99", decimals: 2},
	{metric: "p50", head: "p50 x plain", decimals: 4, against: roadPlain},
	{metric: "cpuApi", head: "CPU s/1,000: api", decimals: 3},
	{metric: "cpuWorker", head: "worker", decimals: 3},
	{metric: "cpuRedis", head: "redis", decimals: 3},
}

func latency(b *bench) []*group {
	var groups []*group
	for _, rate := range []int{100, 1000} {
		g := newGroup("latency", fmt.Sprintf("publish to arrival at %d/s", rate), latencyColumns...)
		for _, r := range []road{roadPlain, roadSingle} {
			what := g.nameOf(r)
			g.add(string(r), func(ctx context.Context) (metrics, error) { return b.latencyRun(ctx, what, r, rate) })
		}
		groups = append(groups, g)
	}
	return groups
}

// steady is a load of one event at a time, over cfg.Steady.
func (b *bench) steady(rate int) load {
	return load{Events: max(1, int(b.cfg.Steady.Seconds()*float64(rate))), Rate: rate, Batch: 1, Timed: true}
}

// latencyRun publishes at a rate and compares when calls began with when events arrived.
func (b *bench) latencyRun(ctx context.Context, what string, r road, rate int) (metrics, error) {
	s, err := b.build(ctx, r, oneEndpoint())
	if err != nil {
		return nil, err
	}
	defer s.end()
	run := s.run(what, b.steady(rate))
	if err := run.warm(ctx); err != nil {
		return nil, err
	}
	before, pulse := s.spent(ctx), newPulse()
	f, spans, err := run.timed(ctx)
	pulse.stop()
	if err != nil {
		return nil, err
	}
	_, slow := pulse.slow()
	even := pulse.even(spans)
	m := quantiles(spans).with(quantiles(even).named("even"))
	m["slow"], m["even"] = 100*slow, 100*float64(len(even))/float64(max(1, len(spans)))
	return m.with(s.cost(before, s.spent(ctx), f.Arrived)), nil
}

// span is from when the call that published an event began to its arrival, in nanoseconds since 1970.
type span struct{ from, to int64 }

// timed has the load flow, and returns the span of each arrival.
func (r *run) timed(ctx context.Context) (flow, []span, error) {
	r.limit += r.b.cfg.Steady
	f, err := r.flow(ctx)
	if err != nil {
		return f, nil, err
	}
	r.judge(f)
	spans, err := r.spans(ctx, f, nil)
	return f, spans, err
}

// spans are those of the arrivals that were published before a time; nil is no such time.
func (r *run) spans(ctx context.Context, f flow, before *time.Time) ([]span, error) {
	arrivals, err := r.arrivals(ctx)
	if err != nil {
		return nil, err
	}
	var all []span
	for _, times := range arrivals {
		for i, began := range f.At {
			at, arrived := times[r.load.First+i]
			if !arrived || before != nil && began > before.UnixNano() {
				continue
			}
			all = append(all, span{began, at})
		}
	}
	return all, nil
}

// arrivals are when the events came, by the endpoints of the load and the events' numbers.
func (r *run) arrivals(ctx context.Context) (map[int]map[int]int64, error) {
	var all map[int]map[int]int64
	if err := r.receiver.ask(ctx, "times", none{}, &all); err != nil {
		return nil, err
	}
	mine := map[int]map[int]int64{}
	for _, brand := range r.load.Brands {
		for _, s := range brand {
			for _, endpoint := range s.Endpoints {
				if !slices.Contains(r.hung, endpoint) {
					mine[endpoint] = all[endpoint]
				}
			}
		}
	}
	return mine, nil
}

// quantiles are how long the spans are, in milliseconds; none of nothing.
func quantiles(spans []span) metrics {
	if len(spans) == 0 {
		return metrics{}
	}
	var took []time.Duration
	for _, s := range spans {
		took = append(took, time.Duration(s.to-s.from))
	}
	slices.Sort(took)
	m := metrics{}
	for name, share := range map[string]float64{"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1} {
		m[name] = float64(quantile(took, share)) / float64(time.Millisecond)
	}
	return m
}
