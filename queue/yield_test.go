package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// replay runs for a while at a yield, again and again until ctx ends, and counts how many do so at once.
func replay(ctx context.Context, y *yield, all *sync.WaitGroup, running, most *atomic.Int32) {
	all.Go(func() {
		for ctx.Err() == nil {
			if !y.enter(ctx, time.Second) {
				continue
			}
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(15 * time.Millisecond)
			running.Add(-1)
			y.leave()
		}
	})
}

func TestReplaysGrowWhileRedisIsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYield(40, func(context.Context) error { time.Sleep(200 * time.Microsecond); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var running, most atomic.Int32
		for range 100 {
			replay(ctx, y, &all, &running, &most)
		}
		time.Sleep(5 * time.Millisecond)
		if most.Load() != yieldBegin {
			t.Errorf("%d began at once, want %d", most.Load(), yieldBegin)
		}
		time.Sleep(5 * time.Second)
		cancel()
		all.Wait()
		y.stop()
		if most.Load() != 40 {
			t.Errorf("%d ran at once, want all 40 that may", most.Load())
		}
	})
}

// An answer takes longer the more replays there are, as on a machine that has enough to do.
func TestReplaysGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		y := newYield(1000, func(context.Context) error {
			time.Sleep(time.Duration(200+100*running.Load()) * time.Microsecond)
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 500 {
			replay(ctx, y, &all, &running, &most)
		}
		time.Sleep(10 * time.Second)
		most.Store(0)
		time.Sleep(10 * time.Second)
		cancel()
		all.Wait()
		y.stop()
		if n := most.Load(); n < 4 || n > 40 {
			t.Errorf("%d ran at once where ten cost a millisecond", n)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYield(1, func(context.Context) error { return nil })
		if !y.enter(t.Context(), time.Second) {
			t.Fatal("the first did not get in")
		}
		if y.enter(t.Context(), time.Second) {
			t.Error("the second got in")
		}
		y.leave()
		if !y.enter(t.Context(), time.Second) {
			t.Error("the third did not get in")
		}
		y.leave()
		y.stop()
	})
}

// Looking ends with the last replay, and begins again with the next.
func TestNobodyLooksWithoutReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings atomic.Int32
		y := newYield(8, func(context.Context) error { pings.Add(1); return nil })
		for range 2 {
			before := pings.Load()
			y.enter(t.Context(), time.Second)
			time.Sleep(time.Second)
			y.leave()
			time.Sleep(time.Second)
			after := pings.Load()
			time.Sleep(time.Minute)
			if after == before || pings.Load() != after {
				t.Errorf("%d pings with a replay, %d without", after-before, pings.Load()-after)
			}
		}
		y.stop()
	})
}
