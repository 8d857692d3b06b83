package asynqredis

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// prefetchMost bounds a batch: a round trip is then shared by so many that a larger one gains nothing.
	prefetchMost = 64
	// heldFor is how long a task waits here for Asynq to ask.
	heldFor = time.Second
	// givenWithin bounds an attempt to give tasks back.
	givenWithin = 5 * time.Second
)

// prefetch answers dequeues from batches. A batch is asked for when there is none, and is given back when Asynq did not ask
// for all of it within a second: then all its workers are busy, and those of another process may not be.
type prefetch struct {
	inner redis.UniversalClient
	log   *slog.Logger
	free  func() int

	settling sync.Mutex // held while tasks are given back: who asks next is to find them

	mu     sync.Mutex
	held   *batch   // what dequeues are answered from
	owed   []*batch // to be given back
	timer  *time.Timer
	giving sync.WaitGroup // timers, set or running
	closed bool
}

// dequeue answers as Asynq's script would. Calls come one after another.
func (p *prefetch) dequeue(ctx context.Context, sha1 string, q queueKeys, args []any, plain func() *redis.Cmd) *redis.Cmd {
	message, held := p.handOver()
	if !held {
		b, ok := newBatch(q, args)
		if !ok {
			return plain()
		}
		if err := p.fetch(ctx, b); err != nil {
			return answer(ctx, sha1, err)
		}
		if message, held = p.handOver(); !held {
			return answer(ctx, sha1, redis.Nil)
		}
	}
	cmd := answer(ctx, sha1, nil)
	cmd.SetVal(message)
	return cmd
}

// fetch pops a batch, of which nothing is held if there is nothing to be handed over.
func (p *prefetch) fetch(ctx context.Context, b *batch) error {
	if err := p.settle(ctx); err != nil {
		return err
	}
	if p.isClosed() {
		return redis.Nil
	}
	err := b.pop(ctx, p.inner, max(1, min(p.free(), prefetchMost)))
	if err == nil && len(b.tasks) == 0 {
		return redis.Nil
	}
	p.hold(b)
	return err
}

func (p *prefetch) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// hold keeps a batch for the next dequeues, or owes it when nobody knows what is in it. Nothing is held while any is owed.
func (p *prefetch) hold(b *batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !b.answered {
		p.owe(b)
		return
	}
	p.held = b
	p.set(heldFor)
}

// handOver answers the first task that is held.
func (p *prefetch) handOver() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.held
	if b == nil {
		return "", false
	}
	if b.stale() {
		p.held = nil
		p.owe(b)
		return "", false
	}
	first := b.tasks[0]
	if b.tasks = b.tasks[1:]; len(b.tasks) == 0 {
		p.held = nil
		p.unset()
	}
	return first.message, true
}

// owe has a batch given back at once. p.mu is held.
func (p *prefetch) owe(b *batch) {
	p.owed = append(p.owed, b)
	p.set(0)
}

// set has what is held then, and what is owed, given back after d. p.mu is held.
func (p *prefetch) set(d time.Duration) {
	p.unset()
	if p.closed {
		return
	}
	p.giving.Add(1)
	p.timer = time.AfterFunc(d, func() {
		defer p.giving.Done()
		_ = p.release() // it tries again
	})
}

// unset ends the timer if it has not run yet. p.mu is held.
func (p *prefetch) unset() {
	if p.timer != nil && p.timer.Stop() {
		p.giving.Done()
	}
	p.timer = nil
}

// release gives everything back that is due.
func (p *prefetch) release() error {
	p.mu.Lock()
	if b := p.held; b != nil && (p.closed || time.Since(b.asked) >= heldFor) { // else it came meanwhile, and set its own timer
		p.held = nil
		p.owed = append(p.owed, b)
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), givenWithin)
	defer cancel()
	return p.settle(ctx)
}

// settle gives back what is owed. What it cannot give back it tries again later, until the leases are over: then it is the
// reconciler's.
func (p *prefetch) settle(ctx context.Context) error {
	p.settling.Lock()
	defer p.settling.Unlock()
	p.mu.Lock()
	owed := p.owed
	p.owed = nil
	p.mu.Unlock()
	for i, b := range owed {
		if err := b.giveBack(ctx, p.inner); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.owed = append(p.owed, slices.DeleteFunc(owed[i:], (*batch).over)...)
			if len(p.owed) > 0 {
				p.set(heldFor)
			}
			return fmt.Errorf("give prefetched tasks back: %w", err)
		}
	}
	return nil
}

// close gives everything back, for no longer than two attempts may take. No dequeue may be on its way.
func (p *prefetch) close() {
	p.mu.Lock()
	p.closed = true
	p.unset()
	p.mu.Unlock()
	p.giving.Wait()
	if err := p.release(); err != nil {
		p.log.Warn("prefetched tasks come again when their leases are over", "error", err)
	}
}
