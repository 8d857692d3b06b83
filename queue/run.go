package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/asynqredis"
)

// cutOff is how long Run waits, at the end, for handlers whose context has ended.
const cutOff = time.Second

// Run works the served queues until ctx ends; then it takes no more tasks, waits for the handlers, and returns nil. Redis need
// not be there when it starts, and may go away: it goes on by itself. A process calls it once at a time: the limit of
// handlers in flight is that of one Run.
//
// A handler's context does not end with ctx but after TaskTimeout, when the task goes back to the queue whatever the handler
// does; for one that runs on regardless, Run returns [ErrUnfinished]. A nil error of a handler ends the task, a
// [webhook.RetryError] repeats it after that delay and never earlier, anything else, a panic included, repeats it within a few
// seconds. Error texts go to the log only: Asynq would keep them, and asynqmon show them.
//
// Concurrency is that of deliveries. Wake-ups take none of it, so that they do not wait behind slow receivers: up to 32 of
// them are handled at once, and they are to be quick.
func (q *Queue) Run(ctx context.Context, do webhook.Handlers) error {
	switch {
	case do.Deliver == nil:
		return webhook.Invalid("handlers.deliver", "is required")
	case do.Wake == nil:
		return webhook.Invalid("handlers.wake", "is required")
	}
	h := &handler{
		do: do, log: q.log,
		deliveries: make(slots, q.cfg.Concurrency), wakes: make(slots, maxWakes),
		queues:   map[string]*part{},
		patience: (q.cfg.TaskTimeout - q.cfg.AttemptTimeout) / 2,
	}
	for _, name := range q.cfg.Serve {
		h.queues[name] = &part{slots: make(slots, max(1, q.cfg.Concurrency/2)), most: q.concurrencyOf(name)}
	}
	h.replays = newYield(q.replaysMost(), q.looksAWave(), func(ctx context.Context) error { return q.redis.Ping(ctx).Err() })
	defer h.replays.stop()
	started, err := q.start(h)
	if err == nil {
		q.log.InfoContext(ctx, "queues open", "queues", q.cfg.Serve)
		<-ctx.Done()
	}
	stop(started)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if err := h.drained(cutOff); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	q.log.InfoContext(ctx, "queues drained", "queues", q.cfg.Serve)
	return nil
}

// server works one queue. Asynq fetches with one goroutine per Server, and an idle wait holds one queue only.
type server struct {
	client *asynqredis.Client
	asynq  *asynq.Server
}

// start answers the servers that were started, also beside an error.
func (q *Queue) start(h *handler) ([]server, error) {
	var started []server
	for _, name := range q.cfg.Serve {
		client := asynqredis.New(q.redis, q.clientConfig(name, h))
		s := server{client: client, asynq: asynq.NewServerFromRedisClient(client, q.serverConfig(name))}
		if err := s.asynq.Start(h); err != nil {
			return started, fmt.Errorf("queue %s: %w", name, err)
		}
		started = append(started, s)
	}
	return started, nil
}

func (q *Queue) clientConfig(name string, h *handler) asynqredis.Config {
	return asynqredis.Config{
		Logger:       q.log,
		Linger:       Linger(q.cfg.Serve),
		Free:         func() int { return h.free(name) },
		NoIdleWait:   q.cfg.Switches.NoIdleWait,
		NoPrefetch:   q.cfg.Switches.NoPrefetch,
		NoPipelining: q.cfg.Switches.NoPipelining,
	}
}

func (q *Queue) serverConfig(name string) asynq.Config {
	return asynq.Config{
		Queues:          map[string]int{name: 1},
		Concurrency:     q.concurrencyOf(name),
		ShutdownTimeout: q.cfg.ShutdownTimeout,
		RetryDelayFunc:  retryDelay,
		IsFailure:       isFailure,
		// The idle wait of asynqredis is what paces an empty queue.
		TaskCheckInterval:        time.Millisecond,
		DelayedTaskCheckInterval: time.Second,
		Logger:                   asynqLog{q.log.With("queue", name), &q.told},
		LogLevel:                 asynqLevel(q.log),
	}
}

// bulkShare of Concurrency is what a queue of replays takes at once: they are to leave the machine to what happens now.
const bulkShare = 32

func (q *Queue) concurrencyOf(name string) int {
	if isBulk(name) {
		return max(1, q.cfg.Concurrency/bulkShare)
	}
	return q.cfg.Concurrency
}

// replaysMost is what all queues of replays take at once.
func (q *Queue) replaysMost() int {
	most := 1
	for _, name := range q.cfg.Serve {
		if isBulk(name) {
			most += q.concurrencyOf(name)
		}
	}
	return most
}

// looksAWave is 1 if all queues that are worked are of replays.
func (q *Queue) looksAWave() int {
	if !worksReplaysAlone(q.cfg.Serve) {
		return looksAWave
	}
	return 1
}

// stop ends all servers side by side, so that they share one ShutdownTimeout.
func stop(servers []server) {
	var all sync.WaitGroup
	for _, s := range servers {
		all.Go(func() {
			s.client.Stop()
			s.asynq.Shutdown()
			_ = s.client.Close() // it has no error
		})
	}
	all.Wait()
}
