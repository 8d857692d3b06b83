package asynqredis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	blockFor     = time.Second     // how long Redis holds a BLMOVE
	answerWithin = 5 * time.Second // what a BLMOVE may take in all: alone, go-redis would read on for eleven
	pausedEvery  = time.Second     // between looks at whether the queue is still paused

	// livelyFor is how long after a task the next one is taken together with the wait for it. A queue that is idle for longer
	// costs one command a second and not three.
	livelyFor = 10 * time.Second
)

// state is what the last dequeue showed of the queue.
type state int

const (
	busy   state = iota // it gave a task, or none was tried: run the next at once
	idle                // nothing pending: wait for an element first
	paused              // something pending, none given: wait until it is resumed
)

// idleWait decides when a dequeue is really sent. Dequeues come one after another.
type idleWait struct {
	inner   redis.UniversalClient
	waiter  waiter
	fetch   *prefetch // whose pop may be sent behind a wait; nil when none may
	state   state
	gave    time.Time // when there was a task last, zero after an error
	misses  pauses    // dequeues in a row that gave nothing although an element was there
	refusal pauses    // errors in a row
}

func newIdleWait(inner redis.UniversalClient) *idleWait {
	return &idleWait{
		inner:   inner,
		waiter:  waiter{stopped: make(chan struct{})},
		misses:  pauses{first: time.Millisecond, most: 250 * time.Millisecond},
		refusal: pauses{first: 50 * time.Millisecond, most: time.Second},
	}
}

// dequeue runs Asynq's script now, later or not at all; then it answers redis.Nil, which means an empty queue.
func (w *idleWait) dequeue(ctx context.Context, sha1 string, q queueKeys, args []any, run func() *redis.Cmd) *redis.Cmd {
	for {
		if err := w.ready(ctx, q, args); err != nil {
			return answer(ctx, sha1, err)
		}
		before := w.state
		cmd := run()
		w.learn(ctx, q, cmd.Err())
		if before != busy || w.state != idle {
			return cmd
		}
		// Just emptied: wait here, because Asynq would sleep first.
	}
}

// plain passes the dequeue on. Only its answer is held back when it is an error, or when the only queue is empty: with a
// TaskCheckInterval made for the idle wait, Asynq would ask a thousand times a second.
func (w *idleWait) plain(several bool, run func() *redis.Cmd) *redis.Cmd {
	cmd := run()
	switch err := cmd.Err(); {
	case err == nil:
		w.misses.reset()
		w.refusal.reset()
	case errors.Is(err, redis.Nil):
		w.refusal.reset()
		if !several {
			w.waiter.sleep(w.misses.next())
		}
	case !isNoScript(err):
		w.waiter.sleep(w.refusal.next())
	}
	return cmd
}

// ready waits until a dequeue has a chance. It answers redis.Nil when it has none yet and an error when Redis refuses.
func (w *idleWait) ready(ctx context.Context, q queueKeys, args []any) error {
	if w.waiter.isStopped() {
		return redis.Nil
	}
	switch w.state {
	case idle:
		if b, ok := w.popBehind(q, args); ok {
			return w.awaitTask(ctx, b)
		}
		return w.awaitElement(ctx, q)
	case paused:
		return w.awaitResume(ctx, q)
	default:
		return nil
	}
}

func (w *idleWait) awaitElement(ctx context.Context, q queueKeys) error {
	return w.waited(w.waiter.ask(ctx, answerWithin, func(ctx context.Context) error {
		return blockOn(ctx, w.inner, q).Err()
	}))
}

// waited draws the conclusion from what a wait ended with, and answers it.
func (w *idleWait) waited(err error) error {
	switch {
	case errors.Is(err, redis.Nil):
		w.misses.reset()
		w.refusal.reset()
	case err != nil:
		w.gave = time.Time{}
		w.waiter.sleep(w.refusal.next())
	}
	return err
}

func (w *idleWait) awaitResume(ctx context.Context, q queueKeys) error {
	w.waiter.sleep(pausedEvery)
	if w.waiter.isStopped() {
		return redis.Nil
	}
	isPaused, err := w.isPaused(ctx, q)
	switch {
	case err != nil:
		return err
	case isPaused:
		return redis.Nil
	}
	w.state = busy
	return nil
}

// learn draws the conclusion from the script's answer, and holds it back when asking again at once would be in vain.
func (w *idleWait) learn(ctx context.Context, q queueKeys, err error) {
	switch {
	case err == nil:
		w.state, w.gave = busy, time.Now()
		w.misses.reset()
		w.refusal.reset()
	case errors.Is(err, redis.Nil):
		w.refusal.reset()
		w.learnEmpty(ctx, q)
	case isNoScript(err):
		w.state = busy // Asynq sends the text next
	default:
		w.gave = time.Time{}
		w.waiter.sleep(w.refusal.next())
	}
}

// learnEmpty tells the reasons apart: nothing was pending, another worker was faster, or the queue is paused.
func (w *idleWait) learnEmpty(ctx context.Context, q queueKeys) {
	if w.state != idle {
		w.state = idle
		return
	}
	isPaused, err := w.isPaused(ctx, q)
	switch {
	case err != nil: // held back already
	case isPaused:
		w.state = paused
		w.misses.reset()
	default:
		w.waiter.sleep(w.misses.next())
	}
}

// isPaused looks at Asynq's mark. An error is held back before it is answered.
func (w *idleWait) isPaused(ctx context.Context, q queueKeys) (bool, error) {
	n, err := w.inner.Exists(ctx, q.paused).Result()
	if err != nil {
		w.waiter.sleep(w.refusal.next())
		return false, err
	}
	w.refusal.reset()
	return n > 0, nil
}

// answer is the command as if Redis had answered err.
func answer(ctx context.Context, sha1 string, err error) *redis.Cmd {
	cmd := redis.NewCmd(ctx, "evalsha", sha1)
	cmd.SetErr(err)
	return cmd
}

func isNoScript(err error) bool {
	return errors.Is(err, redis.ErrNoScript) || redis.HasErrorPrefix(err, "NOSCRIPT")
}
