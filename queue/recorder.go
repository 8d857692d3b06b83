package queue

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// recorder is a Redis client that writes down what an asynq.Client would send, and answers that it went well. Asynq v0.26.0
// has no batch of its own. Any other command panics: it would be one that Asynq did not send when this was written.
type recorder struct {
	redis.UniversalClient
	calls  []scriptCall
	queues []listing
	digest string
}

// EvalSha answers that the script is not known, so that Asynq tells its text too.
func (r *recorder) EvalSha(ctx context.Context, digest string, _ []string, _ ...any) *redis.Cmd {
	r.digest = digest
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(redis.ErrNoScript)
	return cmd
}

// Eval writes the script down and answers that the task was new.
func (r *recorder) Eval(ctx context.Context, text string, keys []string, args ...any) *redis.Cmd {
	r.calls = append(r.calls, scriptCall{digest: r.digest, text: text, keys: keys, args: args})
	cmd := redis.NewCmd(ctx)
	cmd.SetVal(int64(1))
	return cmd
}

// SAdd writes the queue's name down; an asynq.Client sends it before its first task of that queue.
func (r *recorder) SAdd(ctx context.Context, key string, members ...any) *redis.IntCmd {
	for _, name := range members {
		r.queues = append(r.queues, listing{key: key, name: name})
	}
	return redis.NewIntCmd(ctx)
}
