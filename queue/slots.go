package queue

import (
	"context"
	"time"
)

// slots bounds how many handlers are in flight; it has one element for each.
type slots chan struct{}

// take waits for a slot, no longer than patience.
func (s slots) take(ctx context.Context, patience time.Duration) bool {
	select {
	case s <- struct{}{}:
		return true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case s <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s slots) free() { <-s }

// left is how many are free now.
func (s slots) left() int { return cap(s) - len(s) }

// lend gives a slot back when its handler ends, or after d if that is earlier.
func (s slots) lend(d time.Duration) (end func()) {
	timer := time.AfterFunc(d, s.free)
	return func() {
		if timer.Stop() { // else the slot was given back already
			s.free()
		}
	}
}

// drain takes every slot, for ever, and answers how many it did not get before ctx ended.
func (s slots) drain(ctx context.Context) (taken int) {
	for free := range cap(s) {
		if !s.take(ctx, time.Hour) {
			return cap(s) - free
		}
	}
	return 0
}
