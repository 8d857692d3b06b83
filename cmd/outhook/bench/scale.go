package bench

import (
	"context"
	"fmt"
	"strings"
)

// scale is more and more worker processes: what they deliver, what becomes of it when some are killed, and what they cost idle.
func scale(b *bench) []*group {
	return []*group{scaleOut(b), scaleFaults(b), scaleHerd(b)}
}

// places are the kinds of Redis that workers share.
func (b *bench) places() []layout {
	one, cluster := manyEndpoints(), manyEndpoints()
	one.ByQueue, cluster.ByQueue, cluster.Cluster = true, true, true
	if b.redisProgram == "" {
		return []layout{one}
	}
	return []layout{one, cluster}
}

func (l layout) place() string {
	if l.Cluster {
		return "Cluster of 3"
	}
	return "one Redis"
}

func scaleOut(b *bench) *group {
	g := newGroup("scale", "worker processes, 10 brands x 10 endpoints; CPU of all, memory of the largest", growthColumns()...)
	for _, l := range b.places() {
		for _, n := range b.upTo(1, 2, 4) {
			l.Workers = n
			name := fmt.Sprintf("%s, %s", l.place(), times(n, "worker"))
			g.add(name, func(ctx context.Context) (metrics, error) {
				return b.flatOutRun(ctx, "scale, "+name, roadBatch, l, b.cfg.Events)
			})
		}
	}
	return g
}

// upTo leaves out what is larger than the largest, but for the first.
func (b *bench) upTo(sizes ...int) []int {
	for i, n := range sizes {
		if i > 0 && n > b.cfg.largest {
			return sizes[:i]
		}
	}
	return sizes
}

var herdColumns = []column{
	{metric: "idleCommands", head: "Redis commands/s", decimals: 1},
	{metric: "perWorker", head: "of each worker", decimals: 1},
	{metric: "idleRedis", head: "% of a core: redis", decimals: 2},
	{metric: "idleWorker", head: "all workers", decimals: 2},
	{metric: "connections", head: "connections"},
}

func scaleHerd(b *bench) *group {
	g := newGroup("scale", "idle worker processes beside an API, one Redis", herdColumns...)
	g.most = 1 // it is always the same
	for _, n := range b.upTo(1, 2, 4, 8, 16) {
		b.addHerd(g, n, false)
	}
	for _, n := range b.upTo(1, 2, 4, 8, 16)[1:] {
		b.addHerd(g, n, true)
	}
	return g
}

func (b *bench) addHerd(g *group, n int, parted bool) {
	l := oneEndpoint()
	l.Workers, l.Parted = n, parted
	name := times(n, "worker") + ", all queues"
	if parted {
		name = fmt.Sprintf("%s, queue.serve of %d", times(n, "worker"), 1+strings.Count(partOf(0, n), ","))
	}
	g.add(name, func(ctx context.Context) (metrics, error) { return b.herdRun(ctx, "scale, idle, "+name, l) })
}

// herdRun is idleRun of many workers.
func (b *bench) herdRun(ctx context.Context, what string, l layout) (metrics, error) {
	s, err := b.build(ctx, roadBatch, l)
	if err != nil {
		return nil, err
	}
	defer s.end()
	m, err := s.idleFor(ctx, what)
	if err != nil {
		return nil, err
	}
	return m.with(metrics{"perWorker": m["idleCommands"] / float64(l.Workers), "connections": s.redis.clients(ctx)}), nil
}

// defaultShards is queue.shards of the default configuration.
const defaultShards = 4

// partOf names the queues of the i-th of n processes: every n-th, or one where there are more processes than queues.
func partOf(i, n int) string {
	var queues []string
	for _, lane := range []string{"live-", "bulk-"} {
		for shard := range defaultShards {
			queues = append(queues, fmt.Sprint(lane, shard))
		}
	}
	n = min(n, len(queues))
	var part []string
	for q := i % n; q < len(queues); q += n {
		part = append(part, queues[q])
	}
	return strings.Join(part, ",")
}
