package queue

import (
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"

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
}

var _ webhook.Queue = (*Queue)(nil)

// Open checks the configuration and returns a queue. It does not talk to Redis and starts nothing: a process that only
// enqueues never calls [Queue.Run]. Errors are [webhook.FieldError]s.
func Open(cfg Config) (*Queue, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	return &Queue{cfg: cfg, redis: cfg.Redis, log: cfg.Logger}, nil
}

// QueueFor names the queue of an endpoint's live deliveries.
func (q *Queue) QueueFor(ref webhook.EndpointRef) string {
	return queueName(laneLive, shard(ref, q.cfg.Shards))
}
