package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Schedule makes a wake-up a task that is due at its time, never earlier and up to a second later, in the queue of its
// endpoint's live deliveries. One that is there is left as it is. Errors wrap [webhook.ErrUnavailable].
func (q *Queue) Schedule(ctx context.Context, w webhook.Wakeup) error {
	name := q.QueueFor(w.Endpoint)
	rec := &recorder{}
	// Asynq cuts the time off to whole seconds.
	options := append(q.options(name, wakeID(w)), asynq.ProcessAt(w.At.Add(time.Second)))
	if _, err := asynq.NewClientFromRedisClient(rec).EnqueueContext(ctx, newWakeTask(w), options...); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	if err := q.add(ctx, rec); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	return nil
}
