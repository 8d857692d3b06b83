package queue_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// gauge counts handlers in flight, which stay so until opened.
type gauge struct {
	gate chan struct{}

	mu       sync.Mutex
	now, max int
	done     int
}

func newGauge() *gauge { return &gauge{gate: make(chan struct{})} }

func (g *gauge) handle(_ context.Context, run webhook.Run) error {
	g.add(1)
	<-g.gate
	g.add(-1)
	return nil
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.max = max(g.max, g.now)
	if n < 0 {
		g.done++
	}
}

func (g *gauge) look() (now, most, done int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now, g.max, g.done
}

func TestConcurrencyHoldsOverAllQueues(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Concurrency: 4})
	g := newGauge()
	work(t, q, g.handle)
	enqueue(t, q, runsOf(q, 40)...)

	// Four of each queue are taken, of which four have a slot.
	eventually(t, "sixteen tasks taken", func() bool { return active(t, rdb, "live-0", "live-1", "live-2", "live-3") == 16 })
	eventually(t, "four handlers", func() bool { now, _, _ := g.look(); return now == 4 })
	close(g.gate)
	eventually(t, "all handled", func() bool { _, _, done := g.look(); return done == 40 })
	if _, most, _ := g.look(); most != 4 {
		t.Errorf("%d handlers at once", most)
	}
}

// Handlers that take long hold no slot of their queue any more: the next ones begin, as many as there may be in all.
func TestAQueueThatHangsGoesOn(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Concurrency: 6, Shards: 1})
	g := newGauge()
	work(t, q, g.handle)
	enqueue(t, q, runsOf(q, 20)...)
	eventually(t, "six handlers", func() bool { now, _, _ := g.look(); return now == 6 })
	close(g.gate)
	eventually(t, "all handled", func() bool { _, _, done := g.look(); return done == 20 })
	if _, most, _ := g.look(); most != 6 {
		t.Errorf("%d handlers at once", most)
	}
}

func TestOneQueueHoldsHalf(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Concurrency: 6, Shards: 1})
	g := newGauge()
	work(t, q, g.handle)
	enqueue(t, q, runsOf(q, 20)...)
	eventually(t, "three handlers", func() bool { now, _, _ := g.look(); return now == 3 })
	close(g.gate)
	eventually(t, "all handled", func() bool { _, _, done := g.look(); return done == 20 })
	if _, most, _ := g.look(); most != 3 {
		t.Errorf("%d handlers of one queue at once", most)
	}
}

// A task that finds no slot goes back, so that its timeout is left for the attempt.
func TestTaskWithoutSlotGoesBack(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Concurrency: 2, AttemptTimeout: 59 * time.Second, TaskTimeout: time.Minute})
	g := newGauge()
	work(t, q, g.handle)
	for i, name := range []string{"live-0", "live-1", "live-2"} {
		run := runOf(q, i)
		run.Queue = name
		enqueue(t, q, run)
		if i < 2 {
			eventually(t, "a handler holds a slot", func() bool { now, _, _ := g.look(); return now == i+1 })
			continue
		}
		eventually(t, "the third is back", func() bool {
			info, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo(name, run.ID())
			return err == nil && strings.Contains(info.LastErr, "no free slot") && info.Retried == 0
		})
	}
	close(g.gate)
	eventually(t, "all handled", func() bool { _, _, done := g.look(); return done == 3 })
}

func active(t testing.TB, rdb redis.UniversalClient, queues ...string) (n int64) {
	t.Helper()
	for _, name := range queues {
		n += rdb.LLen(t.Context(), "asynq:{"+name+"}:active").Val()
	}
	return n
}
