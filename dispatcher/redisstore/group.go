package redisstore

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	// groupFlights is how many pipelines of a group are on their way at once: while Redis works on one, the next is written.
	groupFlights = 2
	// groupMost bounds the calls of a pipeline.
	groupMost = 128
)

// errGroup is the answer to a call whose pipeline did not come to an end.
var errGroup = errors.New("its pipeline broke off")

// group sends the commands of many goroutines in common pipelines: what arrives while others are on their way goes with the
// next. A lone caller's go at once. It has no goroutine of its own when there is nothing to send.
type group struct {
	rdb redis.Cmdable

	mu      sync.Mutex
	waiting []*passenger
	flying  int
}

// passenger is one caller's commands, which keep their order and stay together.
type passenger struct {
	cmds []redis.Cmder
	err  error
	done chan struct{}
}

// send returns when the commands have their answers, or ctx ended: then they may still be sent, and nobody may read them. The
// error is that of the connection; those of the commands are theirs.
func (g *group) send(ctx context.Context, cmds []redis.Cmder) error {
	own := &passenger{cmds: cmds, err: errGroup, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, own)
	if g.flying < groupFlights {
		g.flying++
		go g.fly()
	}
	g.mu.Unlock()
	select {
	case <-own.done:
		return own.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fly sends what waits until nothing does.
func (g *group) fly() {
	for {
		g.mu.Lock()
		batch := g.waiting[:min(len(g.waiting), groupMost)]
		g.waiting = g.waiting[len(batch):]
		if len(batch) == 0 {
			g.waiting = nil
			g.flying--
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		g.exec(batch)
	}
}

func (g *group) exec(batch []*passenger) {
	defer func() {
		for _, p := range batch {
			close(p.done)
		}
	}()
	pipe := g.rdb.Pipeline()
	for _, p := range batch {
		_ = pipe.BatchProcess(context.Background(), p.cmds...) // it only queues
	}
	_, err := pipe.Exec(context.Background())
	for _, p := range batch {
		p.err = nil
		if err != nil {
			p.err = firstError(p.cmds)
		}
	}
}

// firstError is the first of the commands' that is not Redis's own answer to that command alone.
func firstError(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && err != redis.Nil && !isNoScript(err) { // not errors.Is: Sentinel's nil is wrapped by what it means
			return err
		}
	}
	return nil
}
