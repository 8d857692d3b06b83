package asynqredis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// waiter is everything that takes time here, and ends when it is stopped.
type waiter struct {
	stopped chan struct{}
	asking  sync.WaitGroup // blocking commands on their way, abandoned ones included
	mu      sync.Mutex     // none is sent once stopped, so that asking may be waited for
}

func (w *waiter) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isStopped() {
		close(w.stopped)
	}
}

func (w *waiter) isStopped() bool {
	select {
	case <-w.stopped:
		return true
	default:
		return false
	}
}

// sleep passes d, or less when stopped.
func (w *waiter) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.stopped:
	}
}

// ask answers what a blocking command answered, redis.Nil as soon as it is stopped, and an error when there is no answer
// within the time given. A read cannot be interrupted, so the command is then left to its own end; its context is cancelled,
// which keeps go-redis from sending it again.
func (w *waiter) ask(ctx context.Context, within time.Duration, command func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answer := make(chan error, 1)
	if !w.begin(func() { answer <- command(ctx) }) {
		return redis.Nil
	}
	select {
	case err := <-answer:
		return err
	case <-w.stopped:
		return redis.Nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a pending task: no answer: %w", ctx.Err())
	}
}

func (w *waiter) begin(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isStopped() {
		return false
	}
	w.asking.Go(f)
	return true
}

// pauses grow from first to most, each twice as long as the one before, and are shortened at random by up to a half so that
// workers do not move in step.
type pauses struct{ first, most, last time.Duration }

func (p *pauses) next() time.Duration {
	p.last = min(max(2*p.last, p.first), p.most)
	return p.last - rand.N(p.last/2)
}

func (p *pauses) reset() { p.last = 0 }
