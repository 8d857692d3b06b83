package bench

import (
	"context"
	"time"
)

var roundTripColumns = []column{
	{metric: "perSecond", head: "deliveries/s"},
	{metric: "perSecond", head: "x plain", decimals: 2, against: roadPlain},
	{metric: "pingMs", head: "ms: a PING", decimals: 2},
	{metric: "cpuBoth", head: "CPU s/1,000: both", decimals: 3},
	{metric: "cpuRedis", head: "redis", decimals: 3},
}

// roundTrip is how much further away Redis is.
const roundTrip = time.Millisecond

func roundTrips(b *bench) []*group {
	g := newGroup("rtt", "10 brands x 10 endpoints, Redis 1 ms away", roundTripColumns...)
	l := manyEndpoints()
	l.RTT = roundTrip
	for _, r := range []road{roadPlain, roadGo, roadBatch} {
		what := g.nameOf(r)
		g.add(string(r), func(ctx context.Context) (metrics, error) {
			ping, err := b.ping(ctx)
			if err != nil {
				return nil, err
			}
			m, err := b.flatOutRun(ctx, what, r, l, max(1, b.cfg.Events/2)) // the plain program has its time
			return m.with(metrics{"pingMs": ping}), err
		})
	}
	return []*group{g}
}

// pings are how many round trips are looked at.
const pings = 100

// ping is what one round trip takes here, in milliseconds.
func (b *bench) ping(ctx context.Context) (float64, error) {
	server, err := startRedis(ctx, b.redisProgram)
	if err != nil {
		return 0, err
	}
	defer server.end()
	between, err := startDelay(ctx, server.addr, roundTrip)
	if err != nil {
		return 0, err
	}
	defer between.end()
	rdb := connect(between.addr())
	defer func() { _ = rdb.Close() }()
	took := make([]float64, pings)
	for i := range took {
		began := time.Now()
		if err := rdb.Ping(ctx).Err(); err != nil {
			return 0, err
		}
		took[i] = float64(time.Since(began)) / float64(time.Millisecond)
	}
	middle, _ := median(took)
	return middle, nil
}
