package dispatcher_test

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// durably has a publish be answered when a replica has it.
func durably(c *dispatcher.Config) { c.Durable.Replicas, c.Durable.Timeout = 1, 500*time.Millisecond }

// failover is a load on servers of which one fails: a publisher here, and two workers in processes of their own.
type failover struct {
	*testing.T
	b       *books
	d       *dispatchertest.Dispatcher
	workers []*exec.Cmd
	// stop ends the load, and waits until all of it is accepted.
	stop func()
}

// underLoad publishes so many events a second to an endpoint each of so many brands, and returns once each has received some.
func underLoad(t *testing.T, server *redistest.Server, brands, perSecond int) *failover {
	t.Helper()
	f := &failover{T: t, b: newBooks(), d: onServer(t, server, idle, durably)}
	for range 2 {
		f.workers = append(f.workers, child(t, "work", server.URL()))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var loads sync.WaitGroup
	for i := range brands {
		brand := fmt.Sprint("b", i)
		f.b.endpoint(t, f.d, brand, nil, func(e *webhook.Endpoint) { e.ID = "ep" })
		loads.Go(func() { f.b.load(ctx, t, f.d, brand, perSecond/brands) })
	}
	f.stop = func() { cancel(); loads.Wait() }
	t.Cleanup(f.stop)
	for _, a := range f.b.accounts {
		dispatchertest.Eventually(t, func() bool { return len(a.Received()) > 20 })
	}
	return f
}

// wantWell ends the load: all that was accepted has arrived, and no worker had to be started again.
func (f *failover) wantWell() {
	f.Helper()
	f.stop()
	duplicates := f.b.balance(f.T, f.d, 2*dispatchertest.Patience)
	refused, slowest := f.b.answers()
	f.Logf("%d publishes refused, the slowest answer %s; %d duplicates", refused, slowest.Round(time.Millisecond), duplicates)
	if refused == 0 {
		f.Error("nobody was told that redis was away")
	}
	if slowest > answeredWithin {
		f.Errorf("a publish was answered after %s", slowest)
	}
	for _, worker := range f.workers {
		kill(f.T, worker)
	}
}

// accepts and receives wait until something is accepted, or received by an account, that began after that.
func (f *failover) accepts(after time.Time) time.Duration {
	f.Helper()
	return awaitAfter(f.T, after, func() time.Time { f.b.mu.Lock(); defer f.b.mu.Unlock(); return f.b.last })
}

func (f *failover) receives(a *account, after time.Time) time.Duration {
	f.Helper()
	return awaitAfter(f.T, after, a.last)
}

// TestSentinelFailsOverUnderLoad kills the master for good, and later starts it again as the replica that it is now: with
// redis.durable wait:1 nothing is accepted until then, and nothing that was accepted before is lost.
func TestSentinelFailsOverUnderLoad(t *testing.T) {
	t.Parallel()
	long(t)
	set := redistest.StartSentinel(t, "--appendonly", "yes")
	f := underLoad(t, set.Server(), 4, 100)
	set.Master.Kill()
	killed := time.Now()
	dispatchertest.Eventually(t, func() bool { return roleOf(t, set.Replica) == "master" })
	promoted := time.Now()
	received := f.receives(f.b.accounts[0], promoted)
	set.Master.Restart(t)
	dispatchertest.Eventually(t, func() bool { return roleOf(t, set.Master) == "slave" })
	replica := time.Now()
	accepted := f.accepts(replica)
	t.Logf("promoted %s after the kill, received again %s after that, accepted %s after the old master was a replica",
		promoted.Sub(killed).Round(time.Millisecond), received.Round(time.Millisecond), accepted.Round(time.Millisecond))
	f.wantWell()
}

func roleOf(t *testing.T, server *redistest.Server) string {
	t.Helper()
	role, err := server.Admin(t).Do(t.Context(), "ROLE").Slice()
	if err != nil || len(role) == 0 {
		return ""
	}
	return fmt.Sprint(role[0])
}

// TestClusterNodeFailsOverUnderLoad kills one of three masters for good: its replica takes over, what was accepted arrives, and
// what is on the other masters goes on meanwhile.
func TestClusterNodeFailsOverUnderLoad(t *testing.T) {
	t.Parallel()
	long(t)
	options := []string{"--appendonly", "yes", "--cluster-require-full-coverage", "no"}
	cluster := redistest.StartCluster(t, options...)
	replicas := map[string]*redistest.Server{}
	masters := cluster.Client(t)
	redistest.Each(t, masters, func(_ context.Context, node *redis.Client) error {
		addr := node.Options().Addr
		replicas[addr] = cluster.AddReplica(t, addr, options...)
		return nil
	})
	f := underLoad(t, cluster.Server(), 12, 120)
	victim, hit, spared := f.choose(cluster)
	cluster.Node(victim).Kill()
	killed := time.Now()
	dispatchertest.Eventually(t, func() bool { return roleOf(t, replicas[victim]) == "master" })
	promoted := time.Now()
	for _, a := range spared {
		n := f.both(a, killed)
		t.Logf("%s, on the other masters: %d events that were published after the kill had come %s after it, before the replica took over",
			a.brand, n, promoted.Sub(killed).Round(time.Millisecond))
		if n < 5 {
			t.Errorf("%s stood still: %d events", a.brand, n)
		}
	}
	for _, a := range hit {
		f.receives(a, promoted)
	}
	t.Logf("%d endpoints of the killed master had something %s after its replica took over", len(hit), time.Since(promoted).Round(time.Millisecond))
	cluster.Node(victim).Restart(t) // a replica from now on: redis.durable wait:1 wants one
	f.accepts(time.Now())
	f.wantWell()
}

// choose answers a master to kill, the accounts that have anything on it, and those that have nothing there but some of their events.
func (f *failover) choose(cluster *redistest.Cluster) (victim string, hit, spared []*account) {
	f.Helper()
	rdb, queues := cluster.Client(f.T), queuesOf(f.T, cluster.Server())
	homes := map[*account]map[string]bool{}
	for _, a := range f.b.accounts {
		homes[a] = map[string]bool{}
		keys := []string{"asynq:{" + queues.QueueFor(a.Endpoint.Ref()) + "}:pending"}
		for _, pattern := range []string{"oh:*:" + a.brand, "oh:*:" + a.brand + ":ep"} {
			keys = append(keys, redistest.Keys(f.T, redistest.Admin(f.T, rdb), pattern)...)
		}
		for _, key := range keys {
			node, err := rdb.MasterForKey(f.Context(), key)
			if err != nil {
				f.Fatal(err)
			}
			homes[a][node.Options().Addr] = true
		}
	}
	redistest.Each(f.T, rdb, func(_ context.Context, node *redis.Client) error {
		addr := node.Options().Addr
		var with, without []*account
		for _, a := range f.b.accounts {
			if homes[a][addr] {
				with = append(with, a)
			} else {
				without = append(without, a)
			}
		}
		if victim == "" || len(without) > 0 && len(with) > 0 && len(without) > len(spared) {
			victim, hit, spared = addr, with, without
		}
		return nil
	})
	if len(hit) == 0 || len(spared) == 0 {
		f.Fatalf("no master is of some and not of others: %d, %d", len(hit), len(spared))
	}
	return victim, hit, spared
}

// both counts the events that were accepted after that, and have come to the account.
func (f *failover) both(a *account, after time.Time) (n int) {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	for ref, at := range f.b.accepted {
		if ref.Brand == a.brand && at.After(after) && len(a.of(ref.ID)) > 0 {
			n++
		}
	}
	return n
}
