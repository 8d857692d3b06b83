package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// leaseGrace is how long a lease may be over, by Redis's clock, before its worker counts as gone: workers write leases by
// their own clocks, in whole seconds.
const leaseGrace = 3 * time.Second

// Inspect answers what Asynq knows of each run, in the order of the input and without changing anything: one pipeline for
// each thousand. The queues need not be served by this process. Errors wrap [webhook.ErrUnavailable].
func (q *Queue) Inspect(ctx context.Context, runs []webhook.Run) ([]webhook.TaskState, error) {
	states := make([]webhook.TaskState, 0, len(runs))
	for batch := range slices.Chunk(runs, batchRuns) {
		seen, err := q.inspect(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("inspect: %w", err)
		}
		states = append(states, seen...)
	}
	return states, nil
}

func (q *Queue) inspect(ctx context.Context, runs []webhook.Run) ([]webhook.TaskState, error) {
	pipe := q.redis.Pipeline()
	clock := pipe.Time(ctx)
	looks := make([]look, len(runs))
	for i, run := range runs {
		looks[i].state = pipe.HGet(ctx, taskKey(run.Queue, run.ID()), "state")
		looks[i].lease = pipe.ZScore(ctx, setKey(run.Queue, keyLease), run.ID())
	}
	answers, err := pipe.Exec(ctx)
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, unavailable(err)
	}
	for _, answer := range answers {
		if err := answer.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return nil, unavailable(err)
		}
	}
	states := make([]webhook.TaskState, len(runs))
	for i, l := range looks {
		states[i] = l.judge(clock.Val())
	}
	return states, nil
}

// look is what was read of one task.
type look struct {
	state *redis.StringCmd
	lease *redis.FloatCmd
}

func (l look) judge(now time.Time) webhook.TaskState {
	if l.state.Err() != nil {
		return webhook.TaskMissing
	}
	switch l.state.Val() {
	case keyArchived, keyCompleted:
		return webhook.TaskEnded
	case keyActive:
		return l.judgeLease(now)
	}
	return webhook.TaskAlive
}

// judgeLease counts a missing lease as a live one: between the two reads the task may have ended.
func (l look) judgeLease(now time.Time) webhook.TaskState {
	if l.lease.Err() != nil {
		return webhook.TaskAlive
	}
	if now.Sub(time.Unix(int64(l.lease.Val()), 0)) > leaseGrace {
		return webhook.TaskAbandoned
	}
	return webhook.TaskAlive
}
