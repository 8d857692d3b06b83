package queue

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// again has one enter a yield, run and leave, again and again until ctx ends.
func again(ctx context.Context, y *yield, all *sync.WaitGroup, run func()) {
	all.Go(func() {
		for ctx.Err() == nil {
			if y.enter(ctx, time.Second) {
				run()
				y.leave()
			}
		}
	})
}

// replay runs for a while at a yield, again and again, and counts how many do so at once.
func replay(ctx context.Context, y *yield, all *sync.WaitGroup, running, most *atomic.Int32) {
	again(ctx, y, all, func() {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(15 * time.Millisecond)
		running.Add(-1)
	})
}

func TestReplaysGrowWhileRedisIsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYield(40, looksAWave, func(context.Context) error { time.Sleep(200 * time.Microsecond); return nil })
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
		y := newYield(1000, looksAWave, func(context.Context) error {
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

// crowd has n replays try to get in, which stay, and counts them.
func crowd(ctx context.Context, y *yield, n int) (in *atomic.Int32, all *sync.WaitGroup) {
	in, all = new(atomic.Int32), new(sync.WaitGroup)
	for range n {
		all.Go(func() {
			if y.enter(ctx, time.Minute) {
				in.Add(1)
			}
		})
	}
	return in, all
}

// While answers are slow nobody joins those that run, but for one now and then: they may be waiting for receivers.
func TestNobodyJoinsWhileRedisIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		y := newYield(40, looksAWave, func(context.Context) error {
			if time.Sleep(200 * time.Microsecond); slow.Load() {
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		})
		grown, over := context.WithTimeout(t.Context(), 5*time.Second)
		defer over()
		var all sync.WaitGroup
		var running, most atomic.Int32
		for range 100 {
			replay(grown, y, &all, &running, &most)
		}
		all.Wait()
		if !y.enter(t.Context(), time.Second) { // it stays
			t.Fatal("the first did not get in")
		}
		slow.Store(true)
		time.Sleep(10 * time.Millisecond)
		in, crowded := crowd(t.Context(), y, 30)
		time.Sleep(200 * time.Millisecond)
		if n := in.Load(); n > 1 {
			t.Errorf("%d joined within 200 ms", n)
		}
		time.Sleep(2 * time.Second)
		if n := in.Load(); n < 4 || n > 10 {
			t.Errorf("%d joined in two seconds, want about one every %s", n, oneEvery)
		}
		slow.Store(false)
		crowded.Wait()
		y.stop()
	})
}

// Without an answer one runs all the same, and no other joins it at once.
func TestOneAlwaysRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYield(40, looksAWave, func(context.Context) error { return errors.New("no answer") })
		began := time.Now()
		for range 20 {
			if !y.enter(t.Context(), time.Second) {
				t.Fatal("one did not get in")
			}
			y.leave()
		}
		if took := time.Since(began); took > 20*40*time.Millisecond {
			t.Errorf("20 one after the other waited for %s", took)
		}
		y.enter(t.Context(), time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		in, all := crowd(ctx, y, 20)
		time.Sleep(200 * time.Millisecond)
		if n := in.Load(); n > 1 {
			t.Errorf("%d joined within 200 ms", n)
		}
		cancel()
		all.Wait()
		y.stop()
	})
}

// Those that may are let in together, and not whenever one has left.
func TestReplaysComeInWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYield(40, looksAWave, func(context.Context) error { time.Sleep(200 * time.Microsecond); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var mu sync.Mutex
		entered, times := 0, map[time.Time]bool{}
		for i := range 60 {
			again(ctx, y, &all, func() {
				mu.Lock()
				entered++
				times[time.Now()] = true
				mu.Unlock()
				time.Sleep(time.Duration(1+i) * 100 * time.Microsecond)
			})
		}
		time.Sleep(3 * time.Second)
		cancel()
		all.Wait()
		y.stop()
		if len(times) > 300 || entered < 5*len(times) {
			t.Errorf("%d got in at %d times within 3 s", entered, len(times))
		}
	})
}

// After a failover the way to Redis may be longer: that is its best from then on.
func TestALongerWayIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var way atomic.Int64
		way.Store(int64(time.Millisecond))
		y := newYield(40, looksAWave, func(context.Context) error { time.Sleep(time.Duration(way.Load())); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var running, most atomic.Int32
		for range 100 {
			replay(ctx, y, &all, &running, &most)
		}
		time.Sleep(5 * time.Second)
		way.Store(int64(2500 * time.Microsecond))
		time.Sleep(30 * time.Second)
		most.Store(0)
		time.Sleep(time.Second)
		if n := most.Load(); n > 10 {
			t.Errorf("%d run at once although an answer takes 1.5 ms longer", n)
		}
		time.Sleep(2 * time.Minute)
		cancel()
		all.Wait()
		y.stop()
		if n := most.Load(); n != 40 {
			t.Errorf("%d ran at once, want all 40 that may", n)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYield(1, looksAWave, func(context.Context) error { return nil })
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
		y := newYield(8, looksAWave, func(context.Context) error { pings.Add(1); return nil })
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
