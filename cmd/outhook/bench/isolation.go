package bench

import "context"

// isolationRate is how many events a second the ten endpoints get together.
const isolationRate = 200

var isolationColumns = []column{
	{metric: "calmP50", head: "ms, none hangs: p50", decimals: 2},
	{metric: "calmP99", head: "p99", decimals: 2},
	{metric: "p50", head: "one hangs: p50", decimals: 2},
	{metric: "p99", head: "p99", decimals: 2},
	{metric: "max", head: "max", decimals: 2},
	{metric: "p99Times", head: "p99 x none hangs", decimals: 2},
}

func isolation(b *bench) []*group {
	g := newGroup("isolation", "the other nine, while 1 of 10 endpoints hangs, 200/s", isolationColumns...)
	for _, r := range []road{roadPlain, roadSingle} {
		what := g.nameOf(r)
		g.add(string(r), func(ctx context.Context) (metrics, error) { return b.isolationRun(ctx, what, r) })
	}
	return []*group{g}
}

// isolationRun has ten brands with an endpoint each, first all well, then with one that never answers.
func (b *bench) isolationRun(ctx context.Context, what string, r road) (metrics, error) {
	s, err := b.build(ctx, r, layout{Brands: 10, Kinds: 1, Fanout: 1, Connections: mostOfAll})
	if err != nil {
		return nil, err
	}
	defer s.end()
	calm := s.run(what+", none hangs", b.steady(isolationRate))
	if err := calm.warm(ctx); err != nil {
		return nil, err
	}
	_, without, err := calm.timed(ctx)
	if err != nil {
		return nil, err
	}
	bad := s.run(what, b.steady(isolationRate))
	bad.hung = s.brands[0][0].Endpoints
	bad.want = bad.load.deliveries(bad.hung)
	if err := bad.after(ctx, calm); err != nil {
		return nil, err
	}
	if err := s.receiver.ask(ctx, "behave", manners{Hang: bad.hung}, nil); err != nil {
		return nil, err
	}
	_, with, err := bad.timed(ctx)
	return besides(without, with), err
}

// besides are the quantiles of with, and of without as calm ones.
func besides(without, with []span) metrics {
	m := quantiles(with).with(quantiles(without).named("calm"))
	if calm := m["calmP99"]; calm > 0 {
		m["p99Times"] = m["p99"] / calm
	}
	return m
}
