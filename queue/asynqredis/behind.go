package asynqredis

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// readsThrough says that a wait may go in a pipeline. There go-redis gives it the ReadTimeout of any other command, not the
// eleven seconds of a wait: it must be longer than the wait by what an answer may take, and no longer than those eleven, as Close
// waits for its end. Of a client that is not go-redis's own nobody knows.
func readsThrough(inner redis.UniversalClient) bool {
	var read time.Duration
	switch c := inner.(type) {
	case *redis.Client:
		read = c.Options().ReadTimeout
	case *redis.ClusterClient:
		read = c.Options().ReadTimeout
	}
	return read >= blockFor+time.Second && read <= blockFor+10*time.Second
}

// popBehind answers the pop that is to go behind the next wait, if one is to.
func (w *idleWait) popBehind(q queueKeys, args []any) (*batch, bool) {
	if w.fetch == nil || time.Since(w.gave) > livelyFor {
		return nil, false
	}
	return newBatch(q, args)
}

// awaitTask waits for a task and takes it, in one round trip: Redis runs nothing more of a connection that it has blocked, so
// that the pop comes right after the wait. What it took is held for the dequeue that follows. When nobody waits for the answer
// any more, the batch is given back at once, and the mark this leaves keeps the pop from taking anything later.
func (w *idleWait) awaitTask(ctx context.Context, b *batch) error {
	if err := w.fetch.settle(ctx); err != nil {
		return w.waited(err)
	}
	var move *redis.StringCmd
	var pop *redis.Cmd
	if err := w.waiter.ask(ctx, answerWithin, func(ctx context.Context) error {
		move, pop = b.blockAndPop(ctx, w.inner)
		return nil
	}); err != nil {
		w.fetch.hold(b)
		return w.waited(err)
	}
	switch err := b.read(pop); {
	case isNoScript(err): // has not run: as if it had not been sent
	case err != nil:
		w.fetch.hold(b)
		return w.waited(err)
	case len(b.tasks) > 0: // whatever the wait says
		w.fetch.hold(b)
		return nil
	case move.Err() == nil: // a dequeue, which was in vain
		w.learn(ctx, b.keys, redis.Nil)
		return redis.Nil
	}
	return w.waited(move.Err())
}

// blockAndPop sends a wait and a pop behind it, neither of them twice. The pop is of one task: how many could begin is asked
// before a wait, not after it, and of a worker that is lost while it waits one task is lost until its lease ends.
func (b *batch) blockAndPop(ctx context.Context, inner redis.UniversalClient) (*redis.StringCmd, *redis.Cmd) {
	pipe := inner.Pipeline()
	move := blockOn(ctx, pipe, b.keys)
	pop := scriptCmd(ctx, "evalsha", popScript.Hash(), b.popKeys(), b.popArgs(1))
	_ = pipe.Process(ctx, unrepeated{pop}) // it is only noted
	if _, err := pipe.Exec(ctx); err != nil && move.Err() == nil && pop.Err() == nil {
		move.SetErr(err) // a hook may keep it for itself
		pop.SetErr(err)
	}
	return move, pop
}

// blockOn waits until there is a pending element, which it moves onto itself.
func blockOn(ctx context.Context, c redis.Cmdable, q queueKeys) *redis.StringCmd {
	return c.BLMove(ctx, q.pending, q.pending, "RIGHT", "RIGHT", blockFor)
}
