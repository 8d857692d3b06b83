package bench

import (
	"context"
	"strconv"
	"time"
)

var memoryColumns = []column{
	{metric: "waitingBytes", head: "Redis bytes: waiting"},
	{metric: "deliveredBytes", head: "delivered, kept"},
	{metric: "heldAtOnce", head: "in flight"},
	{metric: "heldMiBWorker", head: "worker MiB then"},
}

func memory(b *bench) []*group {
	g := newGroup("memory", "of one delivery, and of a worker with all it may have in flight", memoryColumns...)
	g.most = 1 // it is always the same
	for _, r := range []road{roadPlain, roadBatch} {
		what := g.nameOf(r)
		g.add(string(r), func(ctx context.Context) (metrics, error) {
			m, err := b.backlogRun(ctx, what, r)
			if err != nil {
				return nil, err
			}
			held, err := b.heldRun(ctx, r)
			return m.with(held), err
		})
	}
	return []*group{g}
}

// backlogRun publishes while nothing delivers, then has it delivered, and looks at what Redis holds each time.
func (b *bench) backlogRun(ctx context.Context, what string, r road) (metrics, error) {
	l := manyEndpoints()
	l.Later = true
	s, err := b.build(ctx, r, l)
	if err != nil {
		return nil, err
	}
	defer s.end()
	empty, known := s.redis.holds(ctx)
	clients := s.redis.clients(ctx)
	backlog := s.run(what, loadOn(r, l, b.cfg.Events))
	backlog.load.Within = backlog.limit
	if _, err := s.publish(ctx, backlog.load); err != nil || !known {
		return metrics{}, err
	}
	waiting, _ := s.redis.holds(ctx)
	if err := s.startWorker(ctx); err != nil {
		return nil, err
	}
	backlog.load.Events = 0 // what is there already
	f, err := backlog.flow(ctx)
	if err != nil {
		return nil, err
	}
	backlog.judge(f)
	m := metrics{"waitingBytes": (waiting - empty) / float64(backlog.want)}
	s.worker.end() // its connections take more than many a delivery
	s.redis.awaitClients(ctx, clients)
	if delivered, ok := s.redis.holds(ctx); ok && !f.cut {
		m["deliveredBytes"] = (delivered - empty) / float64(backlog.want)
	}
	return m, ctx.Err()
}

// clientsWithin bounds how long Redis may take to see that connections are gone.
const clientsWithin = 2 * time.Second

func (s *redisServer) awaitClients(ctx context.Context, most float64) {
	ctx, cancel := context.WithTimeout(ctx, clientsWithin)
	defer cancel()
	for s.clients(ctx) > most && sleepUntil(ctx, time.Now().Add(settleEvery)) {
	}
}

// clients is how many connections a Redis has, all nodes together.
func (s *redisServer) clients(ctx context.Context) (all float64) {
	for _, one := range s.each() {
		n, _ := strconv.ParseFloat(one.info(ctx, "clients")["connected_clients"], 64)
		all += n
	}
	return all
}

// holds is what a Redis keeps in memory, in bytes, without what connections and the AOF take for a while.
func (s *redisServer) holds(ctx context.Context) (float64, bool) {
	info := s.info(ctx, "memory")
	used, err := strconv.ParseFloat(info["used_memory"], 64)
	if err != nil {
		return 0, false
	}
	for _, passing := range []string{"mem_clients_normal", "mem_aof_buffer"} {
		bytes, _ := strconv.ParseFloat(info[passing], 64)
		used -= bytes
	}
	return used, true
}

// heldFor bounds how long a worker may take to have all in flight: less than attempts may take.
const heldFor = 8 * time.Second

// heldRun has receivers that do not answer, and so many endpoints that their limits, which begin low, do not matter.
func (b *bench) heldRun(ctx context.Context, r road) (metrics, error) {
	// A limit begins with 4: this is a third more than is to be in flight.
	l := layout{Brands: max(1, b.cfg.inFlight/30), Kinds: maxKinds, Fanout: 1, Connections: mostOfAll}
	s, err := b.build(ctx, r, l)
	if err != nil {
		return nil, err
	}
	defer s.end()
	if err := s.receiver.ask(ctx, "behave", manners{HangAll: true}, nil); err != nil {
		return nil, err
	}
	load := s.run("", loadOn(r, l, 5*l.Brands*l.Kinds)).load
	load.Within, load.Batch = b.cfg.Limit, 5*l.Kinds // each brand has one
	if _, err := s.publish(ctx, load); err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, heldFor)
	defer cancel()
	var t tally
	for within.Err() == nil && t.Held < b.cfg.inFlight {
		if err := s.receiver.ask(ctx, "tally", none{}, &t); err != nil {
			return nil, err
		}
		sleepUntil(within, time.Now().Add(20*time.Millisecond))
	}
	m := metrics{"heldAtOnce": float64(t.Held)}
	if now, ok := memoryOf(s.worker.pid(), "VmRSS"); ok {
		m["heldMiBWorker"] = now
	}
	return m, ctx.Err()
}
