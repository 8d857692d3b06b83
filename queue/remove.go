package queue

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

//go:embed remove.lua
var removeText string

var removeScript = redis.NewScript(removeText)

// Remove takes whatever is left of a run's task out of the queue, also when a worker holds it: that worker's end of the task
// is then ignored. What of it is there and what is not does not matter. A run that is not there is no error. Errors wrap
// [webhook.ErrUnavailable].
func (q *Queue) Remove(ctx context.Context, run webhook.Run) error {
	keys := []string{taskKey(run.Queue, run.ID())}
	for _, name := range []string{keyPending, keyActive, keyLease, keyScheduled, keyRetry, keyArchived, keyCompleted} {
		keys = append(keys, setKey(run.Queue, name))
	}
	if err := removeScript.Run(ctx, q.redis, keys, run.ID()).Err(); err != nil {
		return fmt.Errorf("remove: %w", unavailable(err))
	}
	return nil
}
