// Package asynqredis is the Redis client that an Asynq server sees: go-redis with cures for Asynq v0.26.0.
//
// The first lets a task's end be written even though Redis was away when the task ended: Asynq repeats that write later, but
// on a context it has cancelled by then, so that the task would be delivered a second time.
//
// The second turns an idle worker's polling into waiting. An empty dequeue is not answered but repeated, preceded by
//
//	BLMOVE pending pending RIGHT RIGHT 1
//
// which moves the last element of the queue's pending list onto itself: it changes nothing and answers as soon as there is
// one. An idle queue costs one command a second, and a task is taken when it arrives. While the queue is paused the wait is
// one EXISTS a second on Asynq's mark. While Redis refuses, answers are held back, as Asynq's loop has no pause of its own.
// With the prefetch, and until ten seconds after the last task, the next one is taken in the round trip of the wait; for that
// the inner client needs a ReadTimeout of two to eleven seconds. It goes to the worker that has waited longest, also to one that is cut
// off or stopped meanwhile: then it waits for the end of its lease. Meanwhile a queue without tasks costs three commands a second.
//
// The third is a prefetch. Asynq takes one task a round trip; here one script takes as many as could begin at once, but no more
// than 64 and half of what is pending, and the next dequeues are answered from memory. What Asynq does not ask for within a
// second goes back to the head of the queue in its old order, and so does what is left at the end. A task that waits here is
// active with a lease of its own, as any that Asynq has. Nothing is handed over whose lease might be lost.
//
// The fourth ends those tasks by one script that end together, as Asynq's own would each, and by one pipeline those that are to
// come again, and all whose script is not known here.
//
// Give each asynq.Server a Client and one queue of its own. TaskCheckInterval then only is what Asynq sleeps after each empty
// answer; a millisecond is right. To shut down, call Stop, then the Server's Shutdown, then Close.
//
// The wait occupies one connection of the inner client's pool for up to a second at a time (up to three while Redis is
// silent): allow one for each Server in PoolSize, beside one for each command that may run at once. The Redis user needs the
// right to BLMOVE, EXISTS and what the scripts here call. In Redis Cluster the queue's tag leads all to the right node.
//
// Idle wait and prefetch stay off, with one warning in the log, when the Server works several queues or Asynq dequeues by a
// script that is not known here. Dequeues are then passed on as they are. Only their answers are held back, errors for up to a
// second and the empty ones of a single queue for up to 250 ms: Asynq would otherwise ask again after each TaskCheckInterval.
package asynqredis

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/pipeline"
)

// Config has a switch for each cure. The zero value has all on but the prefetch, which needs Free.
type Config struct {
	// Logger is told when a cure cannot be applied. Defaults to slog.Default().
	Logger *slog.Logger

	// Free answers how many tasks of the queue could begin at once. It is asked before each fetch and must not block. Without
	// it nothing is prefetched.
	Free func() int

	// NoWithoutCancel leaves scripts on the context that Asynq gives them.
	NoWithoutCancel bool

	// NoIdleWait leaves dequeues alone: Asynq then polls at its TaskCheckInterval, and without a pause while Redis is away.
	NoIdleWait bool

	// NoPrefetch takes one task at a time, as Asynq does.
	NoPrefetch bool

	// Linger is how long the end of a task waits for that of others; 0 does not.
	Linger time.Duration

	// NoPipelining sends the end of each task by itself. With others it outlives its context in any case.
	NoPipelining bool
}

// Client is a redis.UniversalClient for one asynq.Server. What it does not change goes to the inner client as it is.
type Client struct {
	redis.UniversalClient
	cfg   Config
	wait  *idleWait
	fetch *prefetch        // nil without prefetch
	share *pipeline.Shared // nil without pipelining
	ends  *ends            // nil without pipelining

	turn  sync.Mutex // held over a whole dequeue: Asynq takes tasks from one goroutine
	known known
}

var _ redis.UniversalClient = (*Client)(nil)

// New wraps inner, which stays the caller's: neither Asynq nor Close ends it.
func New(inner redis.UniversalClient, cfg Config) *Client {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Client{UniversalClient: inner, cfg: cfg, wait: newIdleWait(inner), known: known{log: cfg.Logger}}
	if cfg.Free != nil && !cfg.NoPrefetch {
		c.fetch = &prefetch{inner: inner, log: cfg.Logger, free: cfg.Free}
		if readsThrough(inner) {
			c.wait.fetch = c.fetch
		}
	}
	if !cfg.NoPipelining {
		c.share, c.ends = pipeline.New(inner), newEnds(inner, cfg.Linger)
	}
	return c
}

// EvalSha runs a script by its digest. A dequeue may wait first; the end of a task may be sent together with others.
func (c *Client) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	ctx = c.lasting(ctx)
	if c.share != nil && endsTask(keys) {
		if d, ok := doneOf(sha1, keys, args); ok {
			return c.ends.run(ctx, d)
		}
		return c.shared(ctx, "evalsha", sha1, keys, args)
	}
	return c.dequeue(ctx, sha1, keys, args, func() *redis.Cmd {
		return c.UniversalClient.EvalSha(ctx, sha1, keys, args...)
	})
}

// Eval is EvalSha by the script's text, which Asynq sends when Redis has lost the digest.
func (c *Client) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	ctx = c.lasting(ctx)
	if c.share != nil && endsTask(keys) {
		return c.shared(ctx, "eval", script, keys, args)
	}
	run := func() *redis.Cmd { return c.UniversalClient.Eval(ctx, script, keys, args...) }
	if _, ok := dequeueOf(keys); !ok {
		return run() // spares the digest
	}
	return c.dequeue(ctx, digest(script), keys, args, run)
}

// EvalShaRO is EvalSha for a script that only reads.
func (c *Client) EvalShaRO(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	return c.UniversalClient.EvalShaRO(c.lasting(ctx), sha1, keys, args...)
}

// EvalRO is Eval for a script that only reads.
func (c *Client) EvalRO(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return c.UniversalClient.EvalRO(c.lasting(ctx), script, keys, args...)
}

// Stop ends every wait at once and makes all further dequeues answer that the queue is empty, without asking Redis. Other
// commands go on, and so do dequeues where the idle wait is off. Calling it again does nothing.
func (c *Client) Stop() { c.wait.waiter.stop() }

// Close stops, and waits until everything prefetched is back, for ten seconds at most, and for the wait that Stop left behind:
// at most a second, or eleven when Redis is silent, until go-redis gives it up. The inner client stays open. The answer is
// always nil.
func (c *Client) Close() error {
	c.Stop()
	if c.fetch != nil {
		c.turn.Lock() // a pop may be on its way
		defer c.turn.Unlock()
		c.fetch.close()
	}
	c.wait.waiter.asking.Wait()
	return nil
}

// dequeue answers a dequeue by the cures that are on; run is the script itself, as is any other script.
func (c *Client) dequeue(ctx context.Context, sha1 string, keys []string, args []any, run func() *redis.Cmd) *redis.Cmd {
	q, ok := dequeueOf(keys)
	if !ok || c.cfg.NoIdleWait && c.fetch == nil {
		return run()
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	if !c.known.understands(q, sha1) {
		if c.cfg.NoIdleWait {
			return run()
		}
		return c.wait.plain(c.known.several, run)
	}
	take := run
	if c.fetch != nil {
		take = func() *redis.Cmd { return c.fetch.dequeue(ctx, sha1, q, args, run) }
	}
	if c.cfg.NoIdleWait {
		return take()
	}
	return c.wait.dequeue(ctx, sha1, q, args, take)
}

// shared runs a script in a pipeline with others.
func (c *Client) shared(ctx context.Context, name, script string, keys []string, args []any) *redis.Cmd {
	cmd := scriptCmd(ctx, name, script, keys, args)
	_ = c.share.Send(context.WithoutCancel(ctx), cmd) // the error is the command's
	return cmd
}

// lasting is ctx without its end, its values kept.
func (c *Client) lasting(ctx context.Context) context.Context {
	if c.cfg.NoWithoutCancel {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
