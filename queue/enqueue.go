package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// maxRetry is never reached: the ledger decides when a delivery is given up, and Asynq's archive is no place for one.
	maxRetry = 1 << 30
	// batchRuns bounds a pipeline, to about half a megabyte.
	batchRuns = 1000
)

// Enqueue makes every run a task of its Queue: one pipeline for each thousand, and a second one for what a Redis that has
// lost its script cache did not know. A run that is a task already is left as it is. After an error, which wraps
// [webhook.ErrUnavailable], some runs may be tasks; repeating the call is safe.
func (q *Queue) Enqueue(ctx context.Context, runs []webhook.Run) error {
	for batch := range slices.Chunk(runs, batchRuns) {
		if err := q.enqueue(ctx, batch); err != nil {
			return fmt.Errorf("enqueue: %w", err)
		}
	}
	return nil
}

func (q *Queue) enqueue(ctx context.Context, runs []webhook.Run) error {
	rec, err := q.record(ctx, runs)
	if err != nil {
		return err
	}
	unknown, err := q.send(ctx, rec.calls, q.unlisted(rec.queues), evalSha)
	if err != nil || len(unknown) == 0 {
		return err
	}
	// A server without the script is a new or emptied one: it may not know the queues either.
	unknown, err = q.send(ctx, unknown, rec.queues, eval)
	if err == nil && len(unknown) > 0 {
		return unavailable(redis.ErrNoScript)
	}
	return err
}

// record lets Asynq build the commands. A client for each call costs two small allocations and spares a pool and its lock.
func (q *Queue) record(ctx context.Context, runs []webhook.Run) (*recorder, error) {
	rec := &recorder{calls: make([]scriptCall, 0, len(runs))}
	client := asynq.NewClientFromRedisClient(rec)
	for _, run := range runs {
		_, err := client.EnqueueContext(ctx, newTask(run), asynq.Queue(run.Queue), asynq.TaskID(run.ID()),
			asynq.MaxRetry(maxRetry), asynq.Timeout(q.cfg.TaskTimeout))
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", run.ID(), err)
		}
	}
	return rec, nil
}

func (q *Queue) unlisted(all []listing) []listing {
	return slices.DeleteFunc(slices.Clone(all), func(l listing) bool {
		_, listed := q.published.Load(l.name)
		return listed
	})
}

// send runs the calls in one pipeline, not a transaction, so that it works in a cluster too. It answers the calls whose
// script the server does not know. A call that answers 0 found its task: somebody was here before.
func (q *Queue) send(ctx context.Context, calls []scriptCall, queues []listing,
	run func(context.Context, redis.Pipeliner, scriptCall) *redis.Cmd) (unknown []scriptCall, err error) {
	pipe := q.redis.Pipeline()
	listed := make([]*redis.IntCmd, len(queues))
	for i, l := range queues {
		listed[i] = pipe.SAdd(ctx, l.key, l.name)
	}
	answers := make([]*redis.Cmd, len(calls))
	for i, call := range calls {
		answers[i] = run(ctx, pipe, call)
	}
	if _, err := pipe.Exec(ctx); err != nil && !noScript(err) {
		return nil, unavailable(err)
	}
	for i, answer := range answers {
		switch _, err := answer.Int64(); {
		case err == nil:
		case noScript(err):
			unknown = append(unknown, calls[i])
		default:
			return nil, unavailable(err)
		}
	}
	return unknown, q.list(queues, listed)
}

// list remembers the queues whose names Redis has now.
func (q *Queue) list(queues []listing, answers []*redis.IntCmd) error {
	for i, l := range queues {
		if err := answers[i].Err(); err != nil {
			return unavailable(err)
		}
		q.published.Store(l.name, true)
	}
	return nil
}

func evalSha(ctx context.Context, pipe redis.Pipeliner, c scriptCall) *redis.Cmd {
	return pipe.EvalSha(ctx, c.digest, c.keys, c.args...)
}

func eval(ctx context.Context, pipe redis.Pipeliner, c scriptCall) *redis.Cmd {
	return pipe.Eval(ctx, c.text, c.keys, c.args...)
}

func noScript(err error) bool {
	return errors.Is(err, redis.ErrNoScript) || redis.HasErrorPrefix(err, "NOSCRIPT")
}

// unavailable marks an error of the network or the server.
func unavailable(err error) error { return fmt.Errorf("%w: %w", webhook.ErrUnavailable, err) }
