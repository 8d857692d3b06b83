package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/pipeline"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Queue is a [webhook.Queue] on Asynq. Make one with [Open]; it is safe for concurrent use, and holds nothing to close.
type Queue struct {
	cfg   Config
	redis redis.UniversalClient
	log   *slog.Logger
	// published has the queues whose names stand in Asynq's list of queues.
	published sync.Map
	told      told
	// enqueues gathers what several enqueue at the same time; nil in a cluster, where a node that is away would hold up the rest.
	enqueues *pipeline.Group[*enqueuing]
}

var _ webhook.Queue = (*Queue)(nil)

// Open checks the configuration and returns a queue. It does not talk to Redis and starts nothing: a process that only
// enqueues never calls [Queue.Run]. Errors are [webhook.FieldError]s.
func Open(cfg Config) (*Queue, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	q := &Queue{cfg: cfg, redis: cfg.Redis, log: cfg.Logger}
	if _, single := cfg.Redis.(*redis.Client); single {
		q.enqueues = pipeline.NewGroup(pipeline.Flights, pipeline.Most, q.enqueueAll)
	}
	return q, nil
}

// QueueFor names the queue of an endpoint's live deliveries.
func (q *Queue) QueueFor(ref webhook.EndpointRef) string {
	return queueName(LaneLive, shard(ref, q.cfg.Shards))
}

// Behind answers how many tasks are pending in the fullest queue of live deliveries that is not paused: more than a few
// say that the workers cannot keep up. Errors wrap [webhook.ErrUnavailable].
func (q *Queue) Behind(ctx context.Context) (int, error) {
	pending, paused := make([]*redis.IntCmd, q.cfg.Shards), make([]*redis.IntCmd, q.cfg.Shards)
	_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range q.cfg.Shards {
			name := queueName(LaneLive, i)
			pending[i], paused[i] = p.LLen(ctx, setKey(name, keyPending)), p.Exists(ctx, PausedKey(name))
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("behind: %w: %w", webhook.ErrUnavailable, err)
	}
	most := 0
	for i := range pending {
		if paused[i].Val() == 0 {
			most = max(most, int(pending[i].Val()))
		}
	}
	return most, nil
}

// BulkFor names the queue of what jobs send to an endpoint once more.
func (q *Queue) BulkFor(ref webhook.EndpointRef) string {
	return queueName(LaneBulk, shard(ref, q.cfg.Shards))
}

// Shards is the number of queues a lane is spread over.
func (q *Queue) Shards() int { return q.cfg.Shards }
