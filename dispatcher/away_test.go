package dispatcher_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// answeredWithin is what a publisher may wait while Redis is away: two seconds
// are promised, the machine is shared.
const answeredWithin = 3500 * time.Millisecond

// between faults all is well for so long.
const between = 500 * time.Millisecond

// fault is one way of Redis to be away.
type fault struct {
	name       string
	away, back func()
}

// TestRedisKilledUnderLoad kills Redis five times, with an AOF that is written
// each second: what the server was told it has, as the system has it.
func TestRedisKilledUnderLoad(t *testing.T) {
	t.Parallel()
	long(t)
	redistest.OneServer(t, "it is killed and started again: of a failover, see failover_test.go")
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	d := onServer(t, server)
	var faults []fault
	for i := range 5 {
		faults = append(faults, fault{fmt.Sprint("killed ", i+1), server.Kill, func() { server.Restart(t) }})
	}
	awayUnderLoad(t, d, faults, 10*time.Second, 100)
}

// TestNetworkAwayUnderLoad has the network before Redis fail in three ways.
func TestNetworkAwayUnderLoad(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "a network is staged before one server")
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	proxy := redistest.StartProxy(t, server.Addr())
	rdb := redis.NewClient(redistest.Options(proxy.Addr()))
	t.Cleanup(func() { rdb.Close() })
	d := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Redis, c.Secrets, c.Catalog.Validation = rdb, sharedKeys(), catalog.ValidationOff
	})
	faults := []fault{
		{"reset", proxy.Reset, proxy.Resume},
		{"cut", proxy.Cut, proxy.Resume},
		{"black hole", proxy.Blackhole, proxy.Resume},
	}
	awayUnderLoad(t, d, faults, either(10*time.Second, 2500*time.Millisecond), either(100, 20))
}

// awayUnderLoad lets each fault last for a time, with a moment between them,
// while events are published. All of them are accepted in the end, and received.
func awayUnderLoad(t *testing.T, d *dispatchertest.Dispatcher, faults []fault, lasts time.Duration, perSecond int) {
	t.Helper()
	b := newBooks()
	b.endpoint(t, d, "acme", nil)
	ctx, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { b.load(ctx, t, d, "acme", perSecond) })
	dispatchertest.Eventually(t, func() bool { return len(b.accounts[0].Received()) > 0 })
	for _, f := range faults {
		before, _ := b.answers()
		f.away()
		time.Sleep(lasts)
		f.back()
		back := time.Now()
		refused, slowest := b.answers()
		accepted := awaitAfter(t, back, func() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.last })
		received := awaitAfter(t, back, b.accounts[0].last)
		t.Logf("%s for %s: %d publishes refused, the slowest answer so far %s; accepted again after %s, received again after %s", f.name, lasts,
			refused-before, slowest.Round(time.Millisecond), accepted.Round(time.Millisecond), received.Round(time.Millisecond))
		if refused == before {
			t.Errorf("%s: nobody was told", f.name)
		}
		if received > 15*time.Second {
			t.Errorf("%s: received again after %s only", f.name, received)
		}
		time.Sleep(between)
	}
	end()
	load.Wait()
	b.balance(t, d, 2*dispatchertest.Patience)
	if _, slowest := b.answers(); slowest > answeredWithin {
		t.Errorf("a publish was answered after %s", slowest)
	}
}

// awaitAfter waits until what happened last was after back, and answers how long after.
func awaitAfter(t *testing.T, back time.Time, last func() time.Time) (took time.Duration) {
	t.Helper()
	dispatchertest.Eventually(t, func() bool {
		took = last().Sub(back)
		return took > 0
	})
	return took
}

// last is when a POST arrived last.
func (a *account) last() (last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, posts := range a.posts {
		if at := posts[len(posts)-1].at; at.After(last) {
			last = at
		}
	}
	return last
}
