package bench

import (
	"context"
	"strconv"
	"time"
)

var idleColumns = []column{
	{metric: "idleApi", head: "% of a core: api", decimals: 2},
	{metric: "idleWorker", head: "worker", decimals: 2},
	{metric: "idleRedis", head: "redis", decimals: 2},
	{metric: "idleCommands", head: "Redis commands/s", decimals: 1},
}

func idle(b *bench) []*group {
	g := newGroup("idle", "one endpoint, nothing to do", idleColumns...)
	for _, r := range []road{roadPlain, roadBatch} {
		g.add(string(r), func(ctx context.Context) (metrics, error) { return b.idleRun(ctx, g.nameOf(r), r) })
	}
	return []*group{g}
}

// idleRun looks at what processes use that have nothing to do any more.
func (b *bench) idleRun(ctx context.Context, what string, r road) (metrics, error) {
	s, err := b.build(ctx, r, oneEndpoint())
	if err != nil {
		return nil, err
	}
	defer s.end()
	return s.idleFor(ctx, what)
}

// idleFor is over twice cfg.Steady, once something has been delivered.
func (s *stand) idleFor(ctx context.Context, what string) (metrics, error) {
	if err := s.run(what, loadOn(s.road, s.layout, s.b.cfg.Events)).warm(ctx); err != nil {
		return nil, err
	}
	sleepUntil(ctx, time.Now().Add(s.b.cfg.Steady)) // what follows from the work is over
	before, commands := s.spent(ctx), s.redis.commands(ctx)
	span := 2 * s.b.cfg.Steady
	sleepUntil(ctx, time.Now().Add(span))
	m := metrics{"idleCommands": (s.redis.commands(ctx) - commands) / span.Seconds()}
	for name, used := range s.spent(ctx) {
		m["idle"+title(name)] = 100 * (used - before[name]) / span.Seconds()
	}
	return m, ctx.Err()
}

// commands is how many a Redis has done, all nodes together.
func (s *redisServer) commands(ctx context.Context) (all float64) {
	for _, one := range s.each() {
		n, _ := strconv.ParseFloat(one.info(ctx, "stats")["total_commands_processed"], 64)
		all += n
	}
	return all
}
