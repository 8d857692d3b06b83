package queue

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// yieldBegin is how many replays run at once until it is known how many may.
	yieldBegin = 4
	// lookEvery is about how often an answer of Redis is timed while there are replays. One look in looksAWave lets some in: those that
	// come together share the scripts of the store and of the queue. A process that has nothing else to do lets some in at each: it
	// keeps nobody waiting but those whom its scripts hold up in Redis, and a small one does so for less.
	lookEvery, looksAWave = 7 * time.Millisecond, 3
	// roomFor is how much longer than at its best an answer of Redis may take: beyond it the machine, or Redis, has too much to do,
	// and a live delivery, which waits for half a dozen of them, would notice.
	roomFor = time.Millisecond
	// answerWithin is what an answer may take; one that is none counts as at least that.
	answerWithin = time.Second
	// oneEvery is how often one is let in all the same: those that run may be waiting for receivers, and what is slow be slow for another
	// reason.
	oneEvery = 250 * time.Millisecond
)

// yield bounds the replays that run at once, so that they leave the machine to live deliveries. Every few milliseconds it times an
// answer of Redis: after a slow one nobody joins those that run; as long as they are as fast as at their best there may be one more at once, and else
// there are fewer. It is what LEDBAT (RFC 6817) does for transfers in the background, with the time to Redis and back, the wait for a
// processor included, for the delay on the way.
type yield struct {
	most  int
	wave  int // looks from one that lets some in to the next
	ping  func(context.Context) error
	ended chan struct{}

	mu      sync.Mutex
	limit   float64
	running int
	waiting []chan struct{}
	looking bool
	looks   sync.WaitGroup
	best    time.Duration
	lately  time.Duration // moving mean
	last    time.Time     // when one was let in
}

func newYield(most, wave int, ping func(context.Context) error) *yield {
	return &yield{most: most, wave: wave, ping: ping, ended: make(chan struct{}), limit: min(yieldBegin, float64(most))}
}

// stop ends the looking, whoever is still inside. It is called once.
func (y *yield) stop() {
	close(y.ended)
	y.looks.Wait()
}

// enter waits for its turn, no longer than patience. Who enters leaves.
func (y *yield) enter(ctx context.Context, patience time.Duration) bool {
	turn := y.ask()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return !y.giveUp(turn)
}

func (y *yield) ask() chan struct{} {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !y.looking {
		y.looking = true
		y.looks.Go(y.look)
	}
	turn := make(chan struct{})
	y.waiting = append(y.waiting, turn)
	return turn
}

// giveUp answers false when it was its turn after all.
func (y *yield) giveUp(turn chan struct{}) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	i := slices.Index(y.waiting, turn)
	if i < 0 {
		return false
	}
	y.waiting = slices.Delete(y.waiting, i, i+1)
	return true
}

func (y *yield) leave() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.running--
}

// look lets in wave after wave for as long as there are replays.
func (y *yield) look() {
	for i := 0; ; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
		began := time.Now()
		err := y.ping(ctx)
		took := time.Since(began)
		cancel()
		if err != nil {
			took = max(took, answerWithin)
		}
		if y.adapt(took, i%y.wave == 0) {
			return
		}
		select {
		case <-time.After(lookEvery/2 + rand.N(lookEvery)): // whatever they do in step
		case <-y.ended:
			return
		}
	}
}

// adapt draws the conclusion from an answer's time, lets in who may if it is time for a wave, and tells whether there is nothing left
// to look for.
func (y *yield) adapt(took time.Duration, wave bool) (over bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.running+len(y.waiting) == 0 {
		y.looking, y.lately = false, 0
		return true
	}
	if took < answerWithin && (y.best == 0 || took < y.best) {
		y.best = took
	}
	if y.lately == 0 {
		y.lately = took
	}
	y.lately += (took - y.lately) / 8
	if wave {
		y.admit(took)
	}
	y.best += max(y.best/15000, 1) // the way may have become longer: twice as long is found out within two minutes
	return false
}

// admit lets in who may after an answer that took so long, and says how many may the next time. y.mu is held.
func (y *yield) admit(took time.Duration) {
	for took <= y.best+roomFor && y.running < int(y.limit) && len(y.waiting) > 0 {
		y.letIn()
	}
	if len(y.waiting) > 0 && (y.running == 0 || y.running < y.most && time.Since(y.last) >= oneEvery) {
		y.letIn()
	}
	switch {
	case y.lately > y.best+roomFor:
		y.limit = max(1, y.limit*0.8)
	case y.running >= int(y.limit): // else more would not be used
		y.limit = min(float64(y.most), y.limit+1)
	}
}

// letIn lets in the first that waits. y.mu is held.
func (y *yield) letIn() {
	close(y.waiting[0])
	y.waiting = y.waiting[1:]
	y.running++
	y.last = time.Now()
}
