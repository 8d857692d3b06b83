package bench

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// beatEvery is how often a pulse looks, beatWork what it does then: some 20 microseconds of arithmetic, a few times.
	beatEvery = 10 * time.Millisecond
	beatWork  = 4000
	beatTries = 5
	// slowTimes is how many times longer than usual it takes on a machine that is slow just now.
	slowTimes = 2
	// evenFor is for how long the machine was not slow after an even event was published.
	evenFor = 100 * time.Millisecond
)

// pulse does the same little work again and again, and so learns when the machine itself is slow: a virtual one may do a tenth of what it
// usually does for a while, and nothing that its system counts says so. One that stands still is not found out: that is the load's.
type pulse struct {
	end   chan struct{}
	ended sync.WaitGroup
	beats []beat
	// sum keeps the work from being left out.
	sum uint64
}

// beat is how long the work took, and when it began, in nanoseconds since 1970.
type beat struct {
	at   int64
	took time.Duration
}

func newPulse() *pulse {
	p := &pulse{end: make(chan struct{})}
	p.ended.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.beats = append(p.beats, beat{time.Now().UnixNano(), p.work()})
			case <-p.end:
				return
			}
		}
	})
	return p
}

// stop ends it; what it has felt can be asked for then.
func (p *pulse) stop() {
	close(p.end)
	p.ended.Wait()
}

// work answers the quickest of some tries: one alone may have had to wait for a processor that others were busy on.
func (p *pulse) work() time.Duration {
	quickest := time.Duration(math.MaxInt64)
	for range beatTries {
		began, x := time.Now(), p.sum|1
		for range beatWork {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		quickest = min(quickest, time.Since(began))
		p.sum = x
	}
	return quickest
}

// slow are the times at which the machine was slow, and what share of all beats that is. Usual is what a tenth of them did not exceed.
func (p *pulse) slow() (at []int64, share float64) {
	if len(p.beats) == 0 {
		return nil, 0
	}
	var all []time.Duration
	for _, b := range p.beats {
		all = append(all, b.took)
	}
	slices.Sort(all)
	usual := quantile(all, 0.1)
	for _, b := range p.beats {
		if b.took > slowTimes*usual {
			at = append(at, b.at)
		}
	}
	return at, float64(len(at)) / float64(len(p.beats))
}

// even are the spans in whose first evenFor, and just before, the machine was not slow: however long they are, so that what took
// long for another reason is not left out more often than the rest.
func (p *pulse) even(all []span) (some []span) {
	slow, _ := p.slow()
	for _, s := range all {
		i, _ := slices.BinarySearch(slow, s.from-2*int64(beatEvery))
		if i == len(slow) || slow[i] > s.from+int64(evenFor) {
			some = append(some, s)
		}
	}
	return some
}
