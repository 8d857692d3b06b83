// Package pipeline sends what many goroutines have to ask Redis together, so that they share round trips, system calls and scripts.
//
// It is go-redis's AutoPipeliner in small: each wait ends with its caller's context, nobody is waited for but by a [Group] that lingers, and
// there is nothing to close.
package pipeline

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

const (
	// Flights is how many pipelines are under way at once: while Redis works on one, the next is written.
	Flights = 2
	// Most bounds the callers of one pipeline.
	Most = 128
)

// Shared sends the commands of many goroutines in common pipelines: what arrives while others are under way goes with the
// next. A lone caller's go at once. Make one with [New]; while nothing is sent it has no goroutine.
type Shared struct {
	rdb   redis.Cmdable
	group *Group[*call]
}

// call is one caller's commands.
type call struct {
	cmds []redis.Cmder
	err  error
}

// New returns a Shared on a client that stays the caller's. In a cluster, give it what goes to one node: one that is away
// would hold up the others' commands.
func New(rdb redis.Cmdable) *Shared {
	s := &Shared{rdb: rdb}
	s.group = NewGroup(Flights, Most, s.exec)
	return s
}

// Send sends commands, which keep their order and stay together, and returns when they have their answers, or ctx has ended:
// then what is on its way may still be done, and nobody may read it; the rest is not sent any more. The error is the first of these commands', [redis.Nil] and NOSCRIPT
// left out. What they are sent with has no deadline but the client's own.
func (s *Shared) Send(ctx context.Context, cmds ...redis.Cmder) error {
	own := &call{cmds: cmds}
	if err := s.group.Do(ctx, own); err != nil {
		return err
	}
	return own.err
}

// Waiting is how many callers wait for the next pipeline.
func (s *Shared) Waiting() int { return s.group.Waiting() }

func (s *Shared) exec(ctx context.Context, batch []*call) {
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
