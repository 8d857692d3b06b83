package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// gate is a hook that keeps pipelines which write events down until it is opened.
type gate struct {
	names  map[string]string
	opened chan struct{}

	mu sync.Mutex
	// events are how many each pipeline had.
	events []int
}

func newGate(t *testing.T) *gate {
	t.Helper()
	names, err := scriptNames("redisstore/lua")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{names: names, opened: make(chan struct{})}
	t.Cleanup(g.open)
	return g
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

// pipelines answers how many events each pipeline had that wrote some down.
func (g *gate) pipelines() []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.events)
}

func (g *gate) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		events := 0
		for _, cmd := range cmds {
			if args := cmd.Args(); len(args) > 1 && g.names[fmt.Sprint(args[1])] == "publish" {
				events += args[3+args[2].(int)+8].(int) // its ninth argument
			}
		}
		if events == 0 {
			return next(ctx, cmds)
		}
		g.mu.Lock()
		g.events = append(g.events, events)
		g.mu.Unlock()
		select {
		case <-g.opened:
		case <-ctx.Done():
		}
		return next(ctx, cmds)
	}
}

// gathering is a dispatcher whose publishes of a moment all wait behind a gate.
type gathering struct {
	*testing.T
	*dispatchertest.Dispatcher
	*gate
	calls sync.WaitGroup
}

// gather opens the road and then closes the gate on as many publishes as may be under way by themselves.
func gather(t *testing.T) *gathering {
	t.Helper()
	redistest.NotCluster(t, "there each goes to its nodes at once")
	server := redistest.Start(t)
	rdb := server.Client(t)
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Redis = rdb })
	d.Receiver(t, "acme", webhook.PurposeStatus)
	if _, err := d.Publish(t.Context(), event("first")); err != nil {
		t.Fatal(err)
	}
	g := &gathering{T: t, Dispatcher: d, gate: newGate(t)}
	rdb.AddHook(g.gate)
	for i := range 2 {
		g.calls.Go(func() {
			if _, err := d.Publish(t.Context(), event(fmt.Sprint("ahead-", i))); err != nil {
				t.Error(err)
			}
		})
		dispatchertest.Eventually(t, func() bool { return len(g.pipelines()) == i+1 })
	}
	return g
}

// publish has the events published, each by a caller of its own, and returns when all of them wait.
func (g *gathering) publish(events ...webhook.Event) (results []webhook.Result) {
	g.Helper()
	results = make([]webhook.Result, len(events))
	for i, e := range events {
		g.calls.Go(func() { results[i].Receipt, results[i].Err = g.Dispatcher.Publish(g.Context(), e) })
	}
	dispatchertest.Eventually(g.T, func() bool { return g.Joining() == len(events) })
	return results
}

// TestPublishTogether has callers who come while others' publishes are under way admitted together, and each gets the answer to its own.
func TestPublishTogether(t *testing.T) {
	t.Parallel()
	g := gather(t)
	known, other := event("first"), event("first")
	other.Payload = []byte(`{"other":1}`)
	events := []webhook.Event{known, other}
	for i := range 20 {
		conflicting := event(fmt.Sprint("split-", i))
		conflicting.Payload = []byte(`{"other":1}`)
		events = append(events, event(fmt.Sprint("fresh-", i)), event(fmt.Sprint("twice-", i)), event(fmt.Sprint("twice-", i)),
			event(fmt.Sprint("split-", i)), conflicting)
	}
	results := g.publish(events...)
	g.open()
	g.calls.Wait()
	if n := g.pipelines(); len(n) != 4 || n[2]+n[3] != len(events) { // of 64 publishes at the most
		t.Errorf("events a pipeline: %v", n)
	}
	if r := results[0]; r.Err != nil || !r.Receipt.Duplicate || r.Receipt.ID != "first" {
		t.Errorf("what was known: %+v", r)
	}
	if r := results[1]; !errors.Is(r.Err, webhook.ErrConflict) {
		t.Errorf("what was known with another payload: %+v", r)
	}
	for i := range 20 {
		one := results[2+5*i:][:5]
		if r := one[0]; r.Err != nil || r.Receipt.Duplicate || r.Receipt.ID != fmt.Sprint("fresh-", i) || len(r.Receipt.Endpoints) != 1 {
			t.Errorf("what is new: %+v", r)
		}
		if a, b := one[1], one[2]; a.Err != nil || b.Err != nil || a.Receipt.Duplicate == b.Receipt.Duplicate || a.Receipt.ID != fmt.Sprint("twice-", i) {
			t.Errorf("the same twice: %+v, %+v", a, b)
		}
		if a, b := one[3], one[4]; !errors.Is(errors.Join(a.Err, b.Err), webhook.ErrConflict) || (a.Err == nil) == (b.Err == nil) {
			t.Errorf("two payloads of one id: %+v, %+v", a, b)
		}
		for _, id := range []string{"fresh-", "twice-", "split-"} {
			g.WaitDelivered(t, "acme", fmt.Sprint(id, i))
		}
	}
}

// TestLargePublishGoesAlone has what would hold up others not wait for them.
func TestLargePublishGoesAlone(t *testing.T) {
	t.Parallel()
	g := gather(t)
	large, many := make([]webhook.Event, 5), make([]webhook.Event, 100)
	for i := range large {
		large[i] = event(fmt.Sprint("large-", i))
		large[i].Payload = []byte(`{"text":"` + strings.Repeat("x", 20_000) + `"}`)
	}
	for i := range many {
		many[i] = event(fmt.Sprint("many-", i))
	}
	for _, events := range [][]webhook.Event{large, many} {
		g.calls.Go(func() {
			if _, err := g.PublishBatch(t.Context(), events); err != nil {
				t.Error(err)
			}
		})
	}
	dispatchertest.Eventually(t, func() bool { return len(g.pipelines()) == 4 })
	if n := g.Joining(); n != 0 {
		t.Errorf("%d wait", n)
	}
	g.open()
	g.calls.Wait()
}

// TestLeavingATogether has a caller leave whose publish is under way with others', and one whose is not: both are answered
// at once, may use their payloads again, and disturb nobody.
func TestLeavingATogether(t *testing.T) {
	t.Parallel()
	g := gather(t)
	results := g.publish(event("stays"))
	ctx, leave := context.WithCancel(t.Context())
	left := event("leaves")
	left.Payload = slices.Clone(left.Payload)
	answered := make(chan error, 1)
	go func() {
		_, err := g.Dispatcher.Publish(ctx, left)
		answered <- err
	}()
	dispatchertest.Eventually(t, func() bool { return g.Joining() == 2 })
	leave()
	if err := <-answered; !errors.Is(err, webhook.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("who left is answered %v", err)
	}
	clear(left.Payload)
	g.open()
	g.calls.Wait()
	if r := results[0]; r.Err != nil || r.Receipt.Duplicate {
		t.Errorf("who stayed is answered %+v", r)
	}
	g.WaitDelivered(t, "acme", "stays")
	if _, err := g.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: "leaves"}); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("what was not begun: %v", err)
	}
}

// TestLeavingUnderWay leaves a publish that Redis is being told of: it is stored with the payload that it had.
func TestLeavingUnderWay(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := server.Client(t)
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Redis = rdb })
	d.Receiver(t, "acme", webhook.PurposeStatus)
	g := newGate(t)
	rdb.AddHook(g)
	ctx, leave := context.WithCancel(t.Context())
	e := event("e1")
	e.Payload = slices.Clone(e.Payload)
	answered := make(chan error, 1)
	go func() {
		_, err := d.Publish(ctx, e)
		answered <- err
	}()
	dispatchertest.Eventually(t, func() bool { return len(g.pipelines()) == 1 })
	leave()
	if err := <-answered; !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("who left is answered %v", err)
	}
	clear(e.Payload)
	g.open()
	dispatchertest.Eventually(t, func() bool {
		receipt, err := d.Publish(t.Context(), event("e1"))
		return err == nil && receipt.Duplicate
	})
	d.WaitDelivered(t, "acme", "e1")
}

// TestTogetherWithoutRedis answers each of many callers that Redis is away, in time, and goes on when it is back.
func TestTogetherWithoutRedis(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "a network is staged before one server")
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr())
	for _, prompt := range []bool{true, false} { // a client that does not end with its context is left behind
		opts := redistest.Options(proxy.Addr())
		opts.ContextTimeoutEnabled = prompt
		rdb := redis.NewClient(opts)
		t.Cleanup(func() { rdb.Close() })
		d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Redis, c.Secrets = rdb, sharedKeys() })
		brand := fmt.Sprint("prompt-", prompt)
		d.Receiver(t, brand, webhook.PurposeStatus)
		if _, err := d.Publish(t.Context(), eventOf(brand, "first")); err != nil {
			t.Fatal(err)
		}
		proxy.Blackhole()
		var calls sync.WaitGroup
		for i := range 100 {
			calls.Go(func() {
				began := time.Now()
				_, err := d.Publish(t.Context(), eventOf(brand, fmt.Sprint("e", i)))
				if took := time.Since(began); !errors.Is(err, webhook.ErrUnavailable) || took > answeredWithin {
					t.Errorf("after %s: %v", took, err)
				}
			})
		}
		calls.Wait()
		proxy.Resume()
		for i := range 100 {
			e := eventOf(brand, fmt.Sprint("e", i))
			dispatchertest.Eventually(t, func() bool { _, err := d.Publish(t.Context(), e); return err == nil })
		}
		for i := range 100 {
			d.WaitDelivered(t, brand, fmt.Sprint("e", i))
		}
	}
}

// TestMistakeIsNobodyElses has one event's key be none of an event: it alone fails, not those who go with it.
func TestMistakeIsNobodyElses(t *testing.T) {
	t.Parallel()
	g := gather(t)
	rdb := redistest.Admin(t, g.Redis)
	keys := redistest.Keys(t, rdb, "*:acme:first")
	if len(keys) != 1 {
		t.Fatalf("keys %v", keys)
	}
	if err := errors.Join(rdb.Del(t.Context(), keys[0]).Err(), rdb.LPush(t.Context(), keys[0], "no event").Err()); err != nil {
		t.Fatal(err)
	}
	results := g.publish(event("good"), event("first"), event("better"))
	g.open()
	g.calls.Wait()
	for _, i := range []int{0, 2} {
		if results[i].Err != nil || len(results[i].Receipt.Endpoints) != 1 {
			t.Errorf("beside it: %+v", results[i])
		}
	}
	if err := results[1].Err; err == nil || errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("it is answered %v", err)
	}
	g.WaitDelivered(t, "acme", "good")
	g.WaitDelivered(t, "acme", "better")
}
