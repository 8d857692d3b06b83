package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// faultsRate is how many events a second are published, in small batches, while processes come and go.
	faultsRate  = 200
	faultsBatch = 10
	// faultsAnswer is how long receivers take, so that there is something in flight to be killed.
	faultsAnswer = 50 * time.Millisecond
	// faultsSteps is how often something happens meanwhile, and faultsTimes how many times cfg.Steady all of it takes.
	faultsSteps = 8
	faultsTimes = 10
	// faultsWithin bounds what follows: a killed worker's deliveries are made again after 45 s at the latest.
	faultsWithin = 2 * time.Minute
)

var faultsColumns = []column{
	{metric: "published", head: "events"},
	{metric: "added", head: "workers added"},
	{metric: "killed", head: "killed"},
	{metric: "takeoverMs", head: "ms to a replica"},
	{metric: "refused", head: "calls made again"},
	{metric: "lost", head: "lost"},
	{metric: "twice", head: "came twice"},
	{metric: "afterMs", head: "ms from the last event to the last record"},
}

func scaleFaults(b *bench) *group {
	g := newGroup("scale", fmt.Sprintf("%d events/s while workers are added and killed by SIGKILL", faultsRate), faultsColumns...)
	g.most = 1 // it takes as long as leases
	for _, l := range b.places() {
		b.addFaults(g, l, "")
	}
	if b.redisProgram == "" {
		b.note("scale: no Cluster without redis-server")
		return g
	}
	l := b.places()[1]
	l.Replicas, l.Env = true, []string{"OUTHOOK_REDIS_DURABLE=wait:1"}
	b.addFaults(g, l, ", redis.durable wait:1, one master killed too")
	return g
}

func (b *bench) addFaults(g *group, l layout, more string) {
	name := l.place() + more
	g.add(name, func(ctx context.Context) (metrics, error) { return b.faultsRun(ctx, "scale, faults, "+name, l) })
}

// faultsRun publishes at a rate, and has two workers become four and fewer again, and a node of a cluster with replicas die.
// What comes twice is counted, as it may when a worker is killed.
func (b *bench) faultsRun(ctx context.Context, what string, l layout) (metrics, error) {
	l.Workers, l.ByQueue = 2, false // what a killed worker had done stays in its queue for a minute
	s, err := b.build(ctx, roadBatch, l)
	if err != nil {
		return nil, err
	}
	defer s.end()
	span := faultsTimes * b.cfg.Steady
	r := s.run(what, load{Events: max(faultsBatch, int(span.Seconds()*faultsRate)), Rate: faultsRate, Batch: faultsBatch, Patient: true})
	r.limit = span + faultsWithin
	if err := r.warm(ctx); err != nil {
		return nil, err
	}
	if err := s.receiver.ask(ctx, "behave", manners{Slow: faultsAnswer}, nil); err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	f, m, err := r.disturbed(within, span)
	if err != nil {
		return nil, err
	}
	if err := r.arrive(ctx, within, &f); err != nil {
		return nil, err
	}
	var all bool
	f.settled, all = r.settle(ctx, within, r.brands)
	f.cut = !all
	if err := r.receiver.ask(ctx, "tally", none{}, &f.tally); err != nil { // what came twice, too
		return nil, err
	}
	m["published"], m["refused"] = float64(r.load.Events), float64(f.Refused)
	m["lost"], m["twice"] = float64(r.want-f.Arrived), float64(f.Again)
	m["afterMs"] = float64(f.settled.Sub(time.Unix(0, f.Ended)).Milliseconds())
	f.Again, f.Refused = 0, 0
	r.judge(f)
	return m, nil
}

// disturbed publishes while processes come and go.
func (r *run) disturbed(ctx context.Context, span time.Duration) (flow, metrics, error) {
	var f flow
	m := metrics{}
	both, within := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		r.load.Within = r.limit
		f.published, err = r.publish(within, r.load)
		return err
	})
	both.Go(func() error { return r.disturb(within, span, m) })
	err := both.Wait()
	return f, m, err
}

// disturb adds two workers, then kills one and replaces it again and again. In the middle the first master is killed, where it
// has a replica.
func (r *run) disturb(ctx context.Context, span time.Duration, m metrics) error {
	began := time.Now()
	for step := range faultsSteps {
		sleepUntil(ctx, began.Add(span*time.Duration(step+1)/(faultsSteps+2)))
		if step == faultsSteps/2 && r.layout.Replicas {
			died := time.Now()
			if err := r.redis.failOver(ctx); err != nil {
				return fmt.Errorf("fail over: %w", err)
			}
			m["takeoverMs"] = float64(time.Since(died).Milliseconds())
		}
		if step >= 2 {
			r.killWorker()
			m["killed"]++
		}
		worker, err := r.oneWorker(ctx, step)
		if err != nil {
			return err
		}
		r.more = append(r.more, worker.process)
		m["added"]++
	}
	return ctx.Err()
}

// killWorker ends the one that runs longest.
func (r *run) killWorker() {
	r.worker.end()
	r.worker, r.more = r.more[0], r.more[1:]
}
