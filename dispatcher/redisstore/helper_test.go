package redisstore_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

const brand = "acme"

// world is a store on a real Redis of its own, with a clock that stands still.
type world struct {
	testing.TB
	*redisstore.Store
	server *redistest.Server
	// client is the store's, rdb the test's own, which may do everything.
	client, rdb redis.UniversalClient
	clock       *clock
	keys        redisstore.KeyRing
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Millisecond).UTC()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newWorld opens a store with cfg, whose Redis, Keys and Now are set here.
func newWorld(t testing.TB, cfg redisstore.Config, options ...string) *world {
	t.Helper()
	server := redistest.Start(t, options...)
	w := &world{TB: t, server: server, client: server.Client(t), clock: newClock(), keys: redisstore.NewKeyRing()}
	w.rdb = redistest.Admin(t, w.client)
	cfg.Redis, cfg.Keys, cfg.Now = w.client, w.keys, w.clock.Now
	w.Store = open(t, cfg)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func endpointOf(id string) webhook.Endpoint {
	at := time.UnixMilli(1767225600000).UTC()
	return webhook.Endpoint{
		ID: id, Brand: brand, URL: "https://example.com/" + id, Purpose: webhook.PurposeStatus,
		Secrets: []webhook.EndpointSecret{{HMAC: signer.NewSecret()}}, CreatedAt: at, UpdatedAt: at,
	}
}

func (w *world) endpoint(id string, change ...func(*webhook.Endpoint)) webhook.EndpointRef {
	w.Helper()
	e := endpointOf(id)
	for _, c := range change {
		c(&e)
	}
	_, created, err := w.CreateEndpoint(w.Context(), e)
	if err != nil || !created {
		w.Fatalf("CreateEndpoint(%s): created %v, %v", id, created, err)
	}
	return e.Ref()
}

// disabling is a change of an endpoint.
func disabling(e *webhook.Endpoint) error {
	e.DisabledReason = webhook.DisabledManually
	return nil
}

// keyOf is a key of the API.
func keyOf(id string) webhook.APIKey {
	return webhook.APIKey{
		ID: id, Brand: brand, Description: "of <tests>", Hash: sha256.Sum256([]byte(id)), CreatedAt: time.UnixMilli(1767225600000).UTC(),
	}
}

// serial is an endpoint that has one delivery in flight at a time.
func serial(e *webhook.Endpoint) { e.MaxInFlight = 1 }

func eventOf(id string, at time.Time) webhook.Event {
	return webhook.Event{
		ID: id, Brand: brand, Type: "message.delivered", PublishedAt: at, Payload: fmt.Appendf(nil, `{"id":%q}`, id),
	}
}

func (w *world) event(id string) webhook.Event { return eventOf(id, w.clock.Now()) }

func fanoutOf(e webhook.Event, endpoints ...string) []webhook.Fanout {
	return []webhook.Fanout{{Event: e, Endpoints: endpoints}}
}

// admit admits one event and finishes its fan-out.
func (w *world) admit(e webhook.Event, endpoints ...string) webhook.Admitted {
	w.Helper()
	answers, err := w.Admit(w.Context(), []webhook.Fanout{{Event: e, Endpoints: endpoints, AtOnce: true}})
	w.must(err)
	if !answers[0].Finished {
		w.must(w.Finish(w.Context(), []webhook.Event{e}))
	}
	return answers[0]
}

// run admits one event to one endpoint that has a free slot.
func (w *world) run(id, endpoint string) webhook.Run {
	w.Helper()
	a := w.admit(w.event(id), endpoint)
	if len(a.Runs()) != 1 || a.Runs()[0].EventID != id {
		w.Fatalf("Admit(%s) = %+v, want its run", id, a)
	}
	return a.Runs()[0]
}

func (w *world) claim(run webhook.Run, want webhook.ClaimVerdict) webhook.Claim {
	w.Helper()
	c, err := w.Claim(w.Context(), run)
	w.must(err)
	if c.Verdict != want {
		w.Fatalf("Claim(%s) = %d, want %d", run.ID(), c.Verdict, want)
	}
	return *c
}

// settle records an attempt with its verdict; none for a state that needs none.
func (w *world) settle(run webhook.Run, v webhook.Verdict) []webhook.Run {
	w.Helper()
	freed, err := w.Record(w.Context(), settlementOf(run, v, w.clock.Now()))
	runs := freed.Runs
	w.must(err)
	return runs
}

func settlementOf(run webhook.Run, v webhook.Verdict, at time.Time) *webhook.Settlement {
	s := &webhook.Settlement{Run: run, Verdict: v}
	if v.Outcome == "" {
		return s
	}
	s.Attempt = &webhook.Attempt{
		ID: webhook.NewID(webhook.AttemptPrefix), Ref: run.DeliveryRef, Type: "message.delivered", Number: 1,
		Trigger: webhook.TriggerDelivery, StartedAt: at, Duration: 1234 * time.Microsecond,
		Phases: webhook.Phases{FirstByte: 1100 * time.Microsecond},
		URL:    "https://example.com/webhooks/outhook", Status: 200, Outcome: v.Outcome, Reason: v.Reason, NextAttemptAt: v.NextAttemptAt,
	}
	return s
}

func delivered() webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK, State: webhook.StateDelivered, Counts: true}
}

func dead() webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeDead, Reason: webhook.ReasonHTTPStatus, State: webhook.StateDead,
		DeathReason: webhook.DeathMaxAttempts, Counts: true}
}

func retryAt(at time.Time) webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeRetrying, Reason: webhook.ReasonHTTPStatus, State: webhook.StateRetrying,
		Counts: true, NextAttemptAt: at}
}

func (w *world) wantState(id, endpoint string, want webhook.State) webhook.Delivery {
	w.Helper()
	d, err := w.Delivery(w.Context(), webhook.DeliveryRef{Brand: brand, EventID: id, EndpointID: endpoint})
	w.must(err)
	if d.State != want {
		w.Fatalf("delivery of %s to %s is %s, want %s", id, endpoint, d.State, want)
	}
	return d
}

// doomed settles what Inspect says must end, as the reconciler does.
func (w *world) doomed(ref webhook.EndpointRef) {
	w.Helper()
	b, err := w.Inspect(w.Context(), ref)
	w.must(err)
	for _, d := range b.Doomed {
		w.settle(webhook.Run{DeliveryRef: d.Ref}, webhook.Verdict{State: d.State, DeathReason: d.Death})
	}
}

// cancel settles what a deleted endpoint had open, as the dispatcher does.
func (w *world) cancel(ref webhook.EndpointRef) {
	w.Helper()
	for range 10 {
		_, more, err := w.CancelOpen(w.Context(), ref)
		w.must(err)
		if !more {
			return
		}
	}
	w.Fatalf("%s has something to cancel for ever", ref)
}

// keysOf scans for the keys of a kind, the word after the tag; all when empty.
func keysOf(t testing.TB, rdb redis.UniversalClient, kind string) []string {
	t.Helper()
	var keys []string
	redistest.Each(t, rdb, func(ctx context.Context, node *redis.Client) error {
		scan := node.Scan(ctx, 0, "*", 1000).Iterator()
		for scan.Next(ctx) {
			if key := scan.Val(); kind == "" || kindOf(key) == kind {
				keys = append(keys, key)
			}
		}
		return scan.Err()
	})
	return keys
}

// kindOf is what follows the tag of a key: "e" for an event, "due".
func kindOf(key string) string {
	parts := strings.SplitN(key, ":", 4)
	if len(parts) < 3 {
		return key
	}
	return parts[2]
}

// only is the single key of a kind.
func (w *world) only(kind string) string {
	w.Helper()
	keys := keysOf(w, w.rdb, kind)
	if len(keys) != 1 {
		w.Fatalf("keys of kind %s: %v, want one", kind, keys)
	}
	return keys[0]
}

// trips counts the round trips of a client.
type trips struct{ commands, pipelines int }

func (n *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (n *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		n.commands++
		return next(ctx, cmd)
	}
}

func (n *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		n.pipelines++
		return next(ctx, cmds)
	}
}
