// Package pipeline sends what many goroutines have to ask Redis in common pipelines, so that they share round trips and system
// calls.
//
// It is go-redis's AutoPipeliner in small: each wait ends with its caller's context, nobody is waited for, and there is nothing
// to close.
package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	// flights is how many pipelines are under way at once: while Redis works on one, the next is written.
	flights = 2
	// most bounds the callers of one pipeline.
	most = 128
)

// errBroken is the answer to a call whose pipeline did not come to an end.
var errBroken = errors.New("pipeline: broken off")

// Shared sends the commands of many goroutines in common pipelines: what arrives while others are under way goes with the
// next. A lone caller's go at once. Make one with [New]; while nothing is sent it has no goroutine.
type Shared struct {
	rdb redis.Cmdable

	mu      sync.Mutex
	waiting []*call
	flying  int
}

// call is one caller's commands.
type call struct {
	ctx  context.Context // whose end leaves the commands behind, unless they are on their way
	cmds []redis.Cmder
	err  error
	done chan struct{}
}

// New returns a Shared on a client that stays the caller's. In a cluster, give it what goes to one node: one that is away
// would hold up the others' commands.
func New(rdb redis.Cmdable) *Shared { return &Shared{rdb: rdb} }

// Send sends commands, which keep their order and stay together, and returns when they have their answers, or ctx has ended:
// then what is on its way may still be done, and nobody may read it; the rest is not sent any more. The error is the first of these commands', [redis.Nil] and NOSCRIPT
// left out. What they are sent with has no deadline but the client's own.
func (s *Shared) Send(ctx context.Context, cmds ...redis.Cmder) error {
	own := &call{ctx: ctx, cmds: cmds, err: errBroken, done: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, own)
	if s.flying < flights {
		s.flying++
		go s.fly(context.WithoutCancel(ctx))
	}
	s.mu.Unlock()
	select {
	case <-own.done:
		return own.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Waiting is how many callers wait for the next pipeline.
func (s *Shared) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// fly sends what waits until nothing does.
func (s *Shared) fly(ctx context.Context) {
	for {
		batch := s.board()
		if len(batch) == 0 {
			return
		}
		// What Redis was too slow for is not to keep it from what is waited for.
		s.exec(ctx, slices.DeleteFunc(batch, func(c *call) bool { return c.ctx.Err() != nil }))
	}
}

// board answers who goes with the next pipeline; nobody: there is none.
func (s *Shared) board() []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.waiting[:min(len(s.waiting), most)]
	s.waiting = s.waiting[len(batch):]
	if len(batch) == 0 {
		s.waiting = nil
		s.flying--
	}
	return batch
}

func (s *Shared) exec(ctx context.Context, batch []*call) {
	defer func() {
		for _, c := range batch {
			close(c.done)
		}
	}()
	pipe := s.rdb.Pipeline()
	for _, c := range batch {
		for _, cmd := range c.cmds {
			_ = pipe.Process(ctx, cmd) // it only queues
		}
	}
	err := Exec(ctx, pipe)
	for _, c := range batch {
		c.err = nil
		if err != nil {
			c.err = firstError(c.cmds)
		}
	}
}

// Exec sends a pipeline, after which each command has its answer or an error; it answers the first error. What Redis says to a
// new connection, such as that the password is wrong, go-redis gives to the pipeline alone: here it is each command's.
func Exec(ctx context.Context, p redis.Pipeliner) error {
	cmds, err := p.Exec(ctx)
	if err == nil || slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Err() != nil }) {
		return err
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return err
}

func firstError(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && err != redis.Nil && !redis.HasErrorPrefix(err, "NOSCRIPT") { // not errors.Is: Sentinel's nil is wrapped by what it means
			return err
		}
	}
	return nil
}
