package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of trying again to publish what was refused.
const (
	publishTries = 20
	publishAgain = 50 * time.Millisecond
)

// sendFunc publishes events of one brand.
type sendFunc func(ctx context.Context, events []event) error

// published is what a publisher has done.
type published struct {
	// Began and Ended are in nanoseconds since 1970.
	Began, Ended int64
	// Refused is how many calls had to be made again, and Why the last one's reason.
	Refused int
	Why     string
	// At is when the call of each event began, from the first on.
	At []int64
}

// publishing is one load on its way.
type publishing struct {
	load
	send    sendFunc
	at      []int64
	refused atomic.Int64
	why     atomic.Value
}

// publish does what a load asks for.
func publish(ctx context.Context, l load, send sendFunc) (published, error) {
	p := &publishing{load: l, send: send}
	if l.Timed {
		p.at = make([]int64, l.Events)
	}
	run := p.flatOut
	if l.Rate > 0 {
		run = p.steadily
	}
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, l.Within)
	defer cancel()
	err := run(within)
	if within.Err() != nil {
		err = ctx.Err() // what is missing is seen at the other end
	}
	done := published{Began: began.UnixNano(), Ended: time.Now().UnixNano(), Refused: int(p.refused.Load()), At: p.at}
	done.Why, _ = p.why.Load().(string)
	return done, err
}

// flatOut publishes batches from so many workers, each after its last was answered.
func (p *publishing) flatOut(ctx context.Context) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	failed := make([]error, p.Workers)
	for w := range p.Workers {
		workers.Go(func() {
			for failed[w] == nil {
				n := int(next.Add(1)) - 1
				if n >= p.batches() {
					return
				}
				failed[w] = p.one(ctx, n)
			}
		})
	}
	workers.Wait()
	return errors.Join(failed...)
}

// steadily publishes at a rate, whether or not what came before was answered.
func (p *publishing) steadily(ctx context.Context) error {
	var calls sync.WaitGroup
	var failed atomic.Value
	began := time.Now()
	for n := range p.batches() {
		due := began.Add(time.Duration(n*p.Batch) * time.Second / time.Duration(p.Rate))
		if !sleepUntil(ctx, due) {
			break
		}
		calls.Go(func() {
			if err := p.one(ctx, n); err != nil {
				failed.Store(err)
			}
		})
	}
	calls.Wait()
	err, _ := failed.Load().(error)
	return errors.Join(err, ctx.Err())
}

func sleepUntil(ctx context.Context, due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// one publishes the n-th batch, again if it is refused: ids make that safe.
func (p *publishing) one(ctx context.Context, n int) error {
	events := p.batch(n)
	if p.at != nil {
		now := time.Now().UnixNano()
		for _, e := range events {
			p.at[e.number-p.First] = now
		}
	}
	var err error
	for try := 0; try < publishTries || p.Patient; try++ {
		if err = p.send(ctx, events); err == nil || ctx.Err() != nil {
			return err
		}
		p.refused.Add(1)
		p.why.Store(err.Error())
		if !sleepUntil(ctx, time.Now().Add(publishAgain)) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("publish: %w", err)
}
