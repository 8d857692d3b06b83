package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/pipeline"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// maxRetry is never reached: the ledger decides when a delivery is given up, and Asynq's archive is no place for one.
	maxRetry = 1 << 30
	// batchRuns bounds a pipeline, to about half a megabyte.
	batchRuns = 1000
	// scriptRuns bounds what one script does, so that Redis has time for others between two.
	scriptRuns = 50
	// enqueueSHA is the digest of the script by which Asynq v0.26.0 makes a task pending. A test compares it with what Asynq sends.
	enqueueSHA = "98d28b42650870a743450ffda9791e9e19c6991b"
)

//go:embed enqueue.lua
var enqueueText string

var enqueueScript = redis.NewScript(enqueueText)

// Enqueue makes every run a task of its Queue: one pipeline for each thousand, of a script for every fifty of a queue, and a second
// one for what a Redis that has lost its script cache did not know. A run that is a task already is left as it is. After an error, which wraps
// [webhook.ErrUnavailable], some runs may be tasks; repeating the call is safe.
func (q *Queue) Enqueue(ctx context.Context, runs []webhook.Run) error {
	if q.enqueues != nil && len(runs) < scriptRuns {
		own := &enqueuing{runs: runs}
		switch err := q.enqueues.Do(ctx, own); {
		case errors.Is(err, pipeline.ErrBroken):
			return fmt.Errorf("enqueue: %w", err)
		case err != nil:
			return fmt.Errorf("enqueue: %w", unavailable(err))
		}
		return own.err
	}
	return q.enqueueMany(ctx, runs)
}

// enqueuing is a call of Enqueue on its way.
type enqueuing struct {
	runs []webhook.Run
	err  error
}

// enqueueAll enqueues what several callers have. That Redis is away is everybody's error, as some runs of each may be tasks; what
// is wrong with a run is its caller's.
func (q *Queue) enqueueAll(ctx context.Context, batch []*enqueuing) {
	var runs []webhook.Run
	for _, e := range batch {
		runs = append(runs, e.runs...)
	}
	err := q.enqueueMany(ctx, runs)
	for _, e := range batch {
		if e.err = err; err != nil && len(batch) > 1 && !errors.Is(err, webhook.ErrUnavailable) {
			e.err = q.enqueueMany(ctx, e.runs)
		}
	}
}

func (q *Queue) enqueueMany(ctx context.Context, runs []webhook.Run) error {
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
	return q.add(ctx, rec)
}

// record lets Asynq build the commands. A client for each call costs two small allocations and spares a pool and its lock.
func (q *Queue) record(ctx context.Context, runs []webhook.Run) (*recorder, error) {
	rec := &recorder{calls: make([]scriptCall, 0, len(runs))}
	client := asynq.NewClientFromRedisClient(rec)
	for _, run := range runs {
		if _, err := client.EnqueueContext(ctx, newTask(run), q.options(run.Queue, run.ID())...); err != nil {
			return nil, fmt.Errorf("run %s: %w", run.ID(), err)
		}
	}
	return rec, nil
}

// options are what all our tasks have in common.
func (q *Queue) options(queue, id string) []asynq.Option {
	return []asynq.Option{asynq.Queue(queue), asynq.TaskID(id), asynq.MaxRetry(maxRetry), asynq.Timeout(q.cfg.TaskTimeout)}
}

// add sends what was recorded. A call that answers 0 found its task: somebody was here before.
func (q *Queue) add(ctx context.Context, rec *recorder) error {
	answers, err := q.runScripts(ctx, together(rec.calls), rec.queues)
	if err != nil {
		return err
	}
	for _, answer := range answers {
		if _, err := answer.Int64(); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// together has tasks of one queue made pending by a common call, in their order. A script that is not known stays a call by itself.
func together(calls []scriptCall) []scriptCall {
	all := make([]scriptCall, 0, len(calls))
	last := map[string]int{} // call of a queue
	for _, c := range calls {
		if c.digest != enqueueSHA || len(c.keys) != 2 || len(c.args) != 3 {
			all = append(all, c)
			continue
		}
		task, pending := c.keys[0], c.keys[1]
		at, begun := last[pending]
		if !begun || len(all[at].keys) > scriptRuns {
			at = len(all)
			last[pending] = at
			all = append(all, scriptCall{digest: enqueueScript.Hash(), text: enqueueText, keys: []string{pending}})
		}
		all[at].keys, all[at].args = append(all[at].keys, task), append(all[at].args, c.args...)
	}
	return all
}
