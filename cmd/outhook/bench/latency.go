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
			what := fmt.Sprintf("%s, %s: %s", g.Scenario, g.Title, rowText(string(r)))
			g.add(string(r), func(ctx context.Context) (metrics, error) { return b.latencyRun(ctx, what, r, rate) })
		}
		groups = append(groups, g)
	}
	return groups
}

// latencyRun publishes at a rate through a process of its own, and compares when calls began with when events arrived.
func (b *bench) latencyRun(ctx context.Context, what string, r road, rate int) (metrics, error) {
	s, err := b.build(ctx, r, oneEndpoint())
	if err != nil {
		return nil, err
	}
	defer s.end()
	l := load{Events: max(1, int(b.cfg.Steady.Seconds()*float64(rate))), Rate: rate, Batch: 1, Workers: 4, Timed: true}
	run := &run{stand: s, what: what, load: l, until: time.Now().Add(b.cfg.Limit + b.cfg.Steady)}
	if err := run.warm(ctx); err != nil {
		return nil, err
	}
	before := s.spent(ctx)
	f, err := run.flow(ctx)
	if err != nil {
		return nil, err
	}
	run.judge(f)
	after := s.spent(ctx)
	took, err := run.took(ctx, f, nil)
	return quantiles(took).with(s.cost(before, after, f.Arrived)), err
}

// took is how long each arrival took, in order; of all endpoints but those left out.
func (r *run) took(ctx context.Context, f flow, leftOut []int) ([]time.Duration, error) {
	var arrivals map[int][]int64
	if err := r.receiver.ask(ctx, "times", none{}, &arrivals); err != nil {
		return nil, err
	}
	var all []time.Duration
	for endpoint, times := range arrivals {
		if slices.Contains(leftOut, endpoint) {
			continue
		}
		for event, at := range times {
			if i := event - r.load.First; at != 0 && i >= 0 && i < len(f.At) {
				all = append(all, time.Duration(at-f.At[i]))
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// quantiles are in milliseconds; none of nothing.
func quantiles(sorted []time.Duration) metrics {
	if len(sorted) == 0 {
		return metrics{}
	}
	m := metrics{}
	for name, share := range map[string]float64{"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1} {
		m[name] = float64(quantile(sorted, share)) / float64(time.Millisecond)
	}
	return m
}
