package dispatcher_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// TestWorkersKilledUnderLoad kills one of three workers every two to five
// seconds for a minute of 300 events a second. A killed one is replaced at once.
func TestWorkersKilledUnderLoad(t *testing.T) {
	t.Parallel()
	long(t)
	const brands, perSecond = 4, 300
	server := redistest.Start(t, "--appendonly", "yes")
	warm(t, server)
	d := onServer(t, server, idle)
	b := newBooks()
	var gauge gauge
	for i := range brands {
		b.endpoint(t, d, fmt.Sprint("b", i), func(_ http.ResponseWriter, req *http.Request) {
			defer gauge.enter()()
			select {
			case <-time.After(20 * time.Millisecond):
			case <-req.Context().Done():
			}
		})
	}
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	var loads sync.WaitGroup
	for i := range brands {
		loads.Go(func() { b.load(ctx, t, d, fmt.Sprint("b", i), perSecond/brands) })
	}
	kills := killSome(ctx, t, server)
	loads.Wait()
	duplicates := b.balance(t, d, 2*dispatchertest.Patience)
	all, late := b.latencies(kills)
	most := int(gauge.most.Load())
	t.Logf("%d kills, most in flight %d; publish to 2xx: p50 %s, p99 %s, worst %s", len(kills), most,
		percentile(all, 0.5), percentile(all, 0.99), percentile(all, 1))
	t.Logf("%d deliveries hit by a kill: complete after it p50 %s, p99 %s, worst %s", len(late),
		percentile(late, 0.5), percentile(late, 0.99), percentile(late, 1))
	if duplicates > len(kills)*most {
		t.Errorf("%d duplicates of %d kills with at most %d in flight", duplicates, len(kills), most)
	}
	if p99 := percentile(late, 0.99); p99 > 45*time.Second {
		t.Errorf("redelivered within %s, p99", p99)
	}
}

// killSome kills one of three workers every two to five seconds until ctx ends, and answers when.
func killSome(ctx context.Context, t *testing.T, server *redistest.Server) (kills []time.Time) {
	t.Helper()
	var workers []*exec.Cmd
	for range 3 {
		workers = append(workers, child(t, "work", server.URL()))
	}
	for {
		select {
		case <-ctx.Done():
			return kills
		case <-time.After(2*time.Second + rand.N(3*time.Second)):
		}
		i := rand.N(len(workers))
		kills = append(kills, time.Now())
		kill(t, workers[i])
		workers[i] = child(t, "work", server.URL())
	}
}

// gauge remembers how many were in at once.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) enter() (leave func()) {
	now := g.now.Add(1)
	for seen := g.most.Load(); now > seen && !g.most.CompareAndSwap(seen, now); seen = g.most.Load() {
	}
	return func() { g.now.Add(-1) }
}

// latencies answers how long each delivery took to its first 2xx, and for those
// that took over a second how long that was after the first kill since.
func (b *books) latencies(kills []time.Time) (all, late []time.Duration) {
	for _, a := range b.accounts {
		for ref, accepted := range b.accepted {
			if ref.Brand != a.brand {
				continue
			}
			for _, p := range a.of(ref.ID) {
				if !p.ok {
					continue
				}
				took := p.at.Sub(accepted)
				all = append(all, took)
				for _, killed := range kills {
					if took > time.Second && killed.After(accepted.Add(-time.Second)) && killed.Before(p.at) {
						late = append(late, p.at.Sub(killed))
						break
					}
				}
				break
			}
		}
	}
	return all, late
}

// TestBudgetSurvivesKills kills the worker in the middle of a POST four times
// over, with a budget of three attempts: none of it is used.
func TestBudgetSurvivesKills(t *testing.T) {
	t.Parallel()
	kills := either(4, 1)
	server := redistest.Start(t, "--appendonly", "yes")
	d := onServer(t, server, idle)
	b := newBooks()
	arrived, posted := make(chan struct{}, 100), atomic.Int32{}
	a := b.endpoint(t, d, "acme", func(w http.ResponseWriter, req *http.Request) {
		switch n := int(posted.Add(1)); {
		case n <= kills: // held until its worker is killed
			arrived <- struct{}{}
			<-req.Context().Done()
		case n <= kills+2:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}, func(e *webhook.Endpoint) { e.Timeout = 28 * time.Second })
	if err := b.publish(t.Context(), d, event("e1")); err != nil {
		t.Fatal(err)
	}
	for range kills {
		worker := child(t, "work", server.URL(), childAttempts+"=3")
		<-arrived
		kill(t, worker)
		if !isLong() {
			endLeases(t, redistest.Admin(t, d.Redis))
		}
	}
	onServer(t, server, func(c *dispatcher.Config) { c.Retry.MaxAttempts = 3 })
	b.balance(t, d, dispatchertest.Patience)
	posts := a.of("e1")
	var numbers, after []string
	for i, p := range posts {
		numbers = append(numbers, p.attempt)
		after = append(after, p.at.Sub(posts[max(0, i-1)].at).Round(100*time.Millisecond).String())
	}
	t.Logf("%d kills: attempts %v, each so long after the one before: %v", kills, numbers, after)
	if want := slices.Concat(slices.Repeat([]string{"1"}, kills+1), []string{"2", "3"}); !slices.Equal(numbers, want) {
		t.Fatalf("attempts %v, want %v", numbers, want)
	}
}
