package dispatcher_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func answering(status int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
	}
}

// An endpoint that fails rests, says so, and everything arrives once it is well.
func TestBreakerRestsAndRecovers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Redis = server.Client(t)
		c.Breaker = webhook.Breaker{Failures: 3, OpenFor: 4 * time.Second}
	})
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(answering(http.StatusInternalServerError))
	publishAll(t, d, "e", 6)
	health := func() webhook.Health {
		found, err := d.Health(t.Context(), []webhook.EndpointRef{r.Endpoint.Ref()})
		if err != nil {
			t.Fatal(err)
		}
		return found[0]
	}
	dispatchertest.Eventually(t, func() bool { h := health(); return h.Breaker == webhook.BreakerOpen && h.Waiting == 6 })
	if h := health(); h.WaitingFor != webhook.GateBreaker || !h.WaitingUntil.Equal(h.OpenUntil) {
		t.Errorf("health: %+v", h)
	}
	wantExplained(t, d, "e0", "for the breaker until ")
	if woken := scheduledWakeups(t, server); woken != 1 {
		t.Errorf("%d wake-ups are to be seen in asynqmon, want 1", woken)
	}
	before := len(r.Received())
	r.Answer(nil)
	for i := range 6 {
		d.WaitDelivered(t, "acme", fmt.Sprint("e", i))
	}
	if n := len(r.Received()) - before; n != 6 {
		t.Errorf("%d webhooks after it was well, want 6", n)
	}
	probes := 0
	page, err := d.Attempts(t.Context(), webhook.AttemptQuery{Brand: "acme", Slice: webhook.Slice{Limit: 100}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range page.Items {
		if a.Trigger == webhook.TriggerProbe {
			probes++
		}
	}
	if probes == 0 {
		t.Error("no attempt is said to be a probe")
	}
}

func TestRetryAfterHoldsEverythingBack(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(answering(http.StatusServiceUnavailable, "Retry-After", "3"))
	if _, err := d.Publish(t.Context(), event("first")); err != nil {
		t.Fatal(err)
	}
	first := r.Wait(t, 1)[0].At
	d.WaitState(t, "acme", "first", webhook.StateRetrying)
	r.Answer(nil)
	if _, err := d.Publish(t.Context(), event("second")); err != nil {
		t.Fatal(err)
	}
	wantExplained(t, d, "second", "asked for a pause with Retry-After")
	d.WaitDelivered(t, "acme", "second")
	for _, one := range r.Received()[1:] {
		if gap := one.At.Sub(first); gap < 2900*time.Millisecond {
			t.Errorf("%s came %s after the answer that asked for 3 s", one.ID(), gap)
		}
	}
}

// No window of a second ever has more than the limit, with several workers, retries and tests in it.
func TestRateLimitHolds(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	onIt := func(c *dispatcher.Config) { c.Redis, c.Secrets = server.Client(t), sharedKeys() }
	d := dispatchertest.Start(t, onIt)
	dispatchertest.Start(t, onIt)
	const perSecond = 20
	r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.RateLimit.PerSecond = perSecond })
	var calls atomic.Int64
	r.Answer(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%5 == 0 {
			w.WriteHeader(http.StatusConflict)
		}
	})
	publishAll(t, d, "e", 60)
	time.AfterFunc(time.Second, func() { _, _ = d.TestEndpoint(context.Background(), r.Endpoint.Ref(), "") })
	for i := range 60 {
		d.WaitDelivered(t, "acme", fmt.Sprint("e", i))
	}
	got := r.Received()
	from := 0
	for i := range got {
		for got[i].At.Sub(got[from].At) >= time.Second {
			from++
		}
		if n := i - from + 1; n > perSecond+2 { // evenly spaced when sent; what arrives may be bunched a little
			t.Fatalf("%d webhooks within a second, the limit is %d", n, perSecond)
		}
	}
	took := got[len(got)-1].At.Sub(got[0].At)
	t.Logf("%d webhooks in %s: %.1f a second", len(got), took, float64(len(got)-1)/took.Seconds())
}

// The same host stands behind several endpoints: it gets no more at a time than it may from one process.
func TestHostLimitHolds(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.MaxInFlightPerHost = 2 })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	for i := range 4 {
		e := webhook.Endpoint{Brand: "acme", ID: fmt.Sprint("more", i), URL: r.Endpoint.URL, Purpose: webhook.PurposeStatus}
		e.Secrets = r.Endpoint.Secrets
		if _, _, err := d.CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	var now, most atomic.Int64
	r.Answer(func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(20 * time.Millisecond)
		now.Add(-1)
	})
	publishAll(t, d, "e", 6)
	for i := range 6 {
		d.WaitDelivered(t, "acme", fmt.Sprint("e", i))
	}
	if most.Load() > 2 || len(r.Received()) != 30 {
		t.Errorf("%d at a time, %d in all, want at most 2 and 30", most.Load(), len(r.Received()))
	}
}

// Endpoints that hang take half of the slots at most: the others hardly notice.
func TestHangingEndpointsLeaveRoom(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Redis, c.Concurrency, c.Shards = server.Client(t), 32, 1
		c.Timeout = 20 * time.Second
	})
	release := make(chan struct{})
	for i := range 4 {
		r := d.Receiver(t, "bad", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.ID = fmt.Sprint("hangs", i) })
		r.Answer(func(_ http.ResponseWriter, req *http.Request) {
			select {
			case <-release:
			case <-req.Context().Done():
			}
		})
	}
	good := d.Receiver(t, "good", webhook.PurposeStatus)
	for i := range 10 {
		e := event(fmt.Sprint("h", i))
		e.Brand = "bad"
		if _, err := d.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for i := range 20 {
		e := event(fmt.Sprint("g", i))
		e.Brand = "good"
		if _, err := d.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		d.WaitDelivered(t, "good", fmt.Sprint("g", i))
	}
	t.Logf("good ones after %s", time.Since(began))
	if n := len(good.Received()); n != 20 {
		t.Errorf("%d webhooks, want 20", n)
	}
	close(release)
	for i := range 10 {
		d.WaitDelivered(t, "bad", fmt.Sprint("h", i))
	}
}

// panicky breaks off whatever logs an attempt of the given event.
type panicky struct {
	slog.Handler
	event string
	mu    *sync.Mutex
	seen  *int
}

func (p panicky) Enabled(context.Context, slog.Level) bool { return true }

func (p panicky) Handle(ctx context.Context, r slog.Record) error {
	broken := false
	r.Attrs(func(a slog.Attr) bool {
		broken = broken || r.Message == "attempt" && a.Key == "event" && a.Value.String() == p.event
		return true
	})
	if broken {
		p.mu.Lock()
		*p.seen++
		p.mu.Unlock()
		panic("secret-canary")
	}
	return p.Handler.Handle(ctx, r)
}

// What breaks its handler every time ends, and what it panicked with is told to nobody.
func TestThreePanicsAreDeath(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	var mu sync.Mutex
	seen := 0
	d := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Logger = slog.New(panicky{slog.NewTextHandler(&lockedWriter{&mu, &log}, &slog.HandlerOptions{Level: slog.LevelInfo}), "bad", &mu, &seen})
	})
	d.Receiver(t, "acme", webhook.PurposeStatus)
	for _, id := range []string{"bad", "good"} {
		if _, err := d.Publish(t.Context(), event(id)); err != nil {
			t.Fatal(err)
		}
	}
	status := d.WaitState(t, "acme", "bad", webhook.StateDead)
	if got := status.Deliveries[0]; got.DeathReason != webhook.DeathPanic || got.Attempts != 0 {
		t.Errorf("delivery: %+v", got)
	}
	d.WaitDelivered(t, "acme", "good")
	page, err := d.Attempts(t.Context(), webhook.AttemptQuery{Brand: "acme", EventID: "bad", Slice: webhook.Slice{Limit: 10}})
	if err != nil || len(page.Items) != 3 || page.Items[0].Reason != webhook.ReasonInterrupted || page.Items[0].Number != 1 {
		t.Errorf("attempts: %+v, %v", page.Items, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if seen != 3 {
		t.Errorf("%d panics, want 3", seen)
	}
	if strings.Contains(log.String(), "secret-canary") { // under mu
		t.Error("the panic's value is in the log")
	}
}

// A backlog behind a closed gate costs as much as none, however long it is.
func TestABacklogBehindAClosedGateCostsNothing(t *testing.T) {
	t.Parallel()
	sizes := []int{100, 4000}
	if isLong() {
		sizes = []int{100, 50_000}
	}
	var costs []int
	for _, size := range sizes {
		server := redistest.Start(t)
		d := dispatchertest.Start(t, func(c *dispatcher.Config) {
			c.Redis = server.Client(t)
			c.Breaker = webhook.Breaker{Failures: 3, OpenFor: 6 * time.Second, MaxOpenFor: 6 * time.Second}
			c.Retry.InitialInterval, c.Retry.MaxInterval = time.Hour, time.Hour
		})
		r := d.Receiver(t, "acme", webhook.PurposeStatus)
		r.Answer(answering(http.StatusInternalServerError))
		publishAll(t, d, "e", size)
		dispatchertest.Eventually(t, func() bool {
			h, err := d.Health(t.Context(), []webhook.EndpointRef{r.Endpoint.Ref()})
			return err == nil && h[0].Breaker == webhook.BreakerOpen && h[0].InFlight == 0
		})
		before, posts := scriptCalls(t, server), len(r.Received())
		time.Sleep(14 * time.Second) // two rests: two probes
		cost := scriptCalls(t, server) - before
		t.Logf("%d waiting: %d scripts and %d probes in 14 s", size, cost, len(r.Received())-posts)
		costs = append(costs, cost)
	}
	if costs[1] > costs[0]+costs[0]/4+20 {
		t.Errorf("%d scripts with %d waiting, %d with %d", costs[1], sizes[1], costs[0], sizes[0])
	}
}

// scriptCalls counts what Redis ran in scripts' names, by its own count.
func scriptCalls(t *testing.T, server *redistest.Server) int {
	t.Helper()
	info, calls := "", 0
	redistest.Each(t, server.Admin(t), func(ctx context.Context, node *redis.Client) error {
		one, err := node.Info(ctx, "commandstats").Result()
		info += one
		return err
	})
	for line := range strings.Lines(info) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ":calls=")
		if name == "cmdstat_evalsha" || name == "cmdstat_eval" {
			count, _, _ := strings.Cut(rest, ",")
			n, _ := strconv.Atoi(count)
			calls += n
		}
	}
	return calls
}

// publishAll publishes events with ids from prefix and a number, in batches.
func publishAll(t *testing.T, d *dispatchertest.Dispatcher, prefix string, n int) {
	t.Helper()
	for from := 0; from < n; from += 500 {
		var batch []webhook.Event
		for i := from; i < min(n, from+500); i++ {
			batch = append(batch, event(fmt.Sprint(prefix, i)))
		}
		results, err := d.PublishBatch(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
}

// scheduledWakeups counts what asynqmon's scheduled tab shows.
func scheduledWakeups(t *testing.T, server *redistest.Server) int {
	t.Helper()
	rdb, count := redistest.Admin(t, server.Client(t)), 0
	queues, err := rdb.SMembers(t.Context(), "asynq:queues").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, queue := range queues {
		count += int(rdb.ZCard(t.Context(), "asynq:{"+queue+"}:scheduled").Val())
	}
	return count
}

func wantExplained(t *testing.T, d *dispatchertest.Dispatcher, event, text string) {
	t.Helper()
	found, err := d.Explain(t.Context(), webhook.EventRef{Brand: "acme", ID: event})
	if err != nil || !strings.Contains(found.Endpoints[0].Text, text) {
		t.Errorf("explained as %+v, %v, want %q", found.Endpoints, err, text)
	}
}
