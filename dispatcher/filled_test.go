package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// filled is a Redis with the history of a day ago, a running dispatcher on it, and what must survive.
type filled struct {
	*testing.T
	server *redistest.Server
	admin  redis.UniversalClient
	store  *redisstore.Store
	d      *dispatchertest.Dispatcher
	log    diary
	// history are events that were delivered, died those with a dead letter, and open those that wait for a retry.
	history, died, open []webhook.Event
}

const (
	filledBrands = 3
	// ballast is memory beside which noise counts little.
	ballast = 8 << 20
)

func newFilled(t *testing.T, events int) *filled {
	redistest.OneServer(t, "about the memory of one")
	f := &filled{T: t, server: redistest.Start(t, "--maxmemory-policy", "noeviction", "--maxmemory", "1gb")}
	f.admin = f.server.Admin(t)
	f.must(f.admin.Set(t.Context(), "ballast", strings.Repeat("x", ballast), 0).Err())
	f.d = onServer(t, f.server, f.log.keep)
	yesterday := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	store, err := redisstore.New(redisstore.Config{
		Redis: f.server.Client(t), Keys: sharedKeys(), Now: yesterday, QueueFor: func(webhook.EndpointRef) string { return "live-0" },
	})
	f.must(err)
	f.store = store
	for b := range filledBrands {
		f.d.Receiver(t, brandNamed(b), webhook.PurposeStatus, func(e *webhook.Endpoint) { e.ID = "a" })
	}
	failure := webhook.Verdict{Outcome: webhook.OutcomeDead, Reason: webhook.ReasonHTTPStatus, State: webhook.StateDead, DeathReason: webhook.DeathMaxAttempts, Counts: true}
	for i := range events {
		switch i % 50 {
		case 10:
			f.died = append(f.died, f.settled(i, failure, 0))
		case 20:
			f.open = append(f.open, f.settled(i, webhook.Verdict{Outcome: webhook.OutcomeRetrying, Reason: webhook.ReasonHTTPStatus,
				State: webhook.StateRetrying, Counts: true, NextAttemptAt: time.Now().Add(time.Hour)}, 0))
		default:
			size := 0
			if i%10 == 1 { // as if it had failed before
				size = 16 << 10
			}
			f.history = append(f.history, f.settled(i, webhook.Verdict{Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK,
				State: webhook.StateDelivered, Counts: true}, size))
		}
	}
	return f
}

func brandNamed(i int) string { return fmt.Sprint("brand", i%filledBrands) }

func (f *filled) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// settled is an event of yesterday whose delivery had one attempt, answered with so many bytes.
func (f *filled) settled(i int, v webhook.Verdict, answered int) webhook.Event {
	f.Helper()
	e := eventOf(brandNamed(i), fmt.Sprint("e", i))
	e.Payload = fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("t", 1000))
	e.PublishedAt = time.Now().Add(-24 * time.Hour).Truncate(time.Millisecond)
	admitted, err := f.store.Admit(f.Context(), []webhook.Fanout{{Event: e, Endpoints: []string{"a"}}})
	f.must(err)
	f.must(f.store.Finish(f.Context(), []webhook.Event{e}))
	run := admitted[0].Runs()[0]
	_, err = f.store.Record(f.Context(), &webhook.Settlement{Run: run, Verdict: v, Attempt: &webhook.Attempt{
		ID: webhook.NewID(webhook.AttemptPrefix), Ref: run.DeliveryRef, Type: e.Type, Number: 1, Trigger: webhook.TriggerDelivery,
		StartedAt: e.PublishedAt, URL: "https://example.com/", Status: 500, Outcome: v.Outcome, Reason: v.Reason, NextAttemptAt: v.NextAttemptAt,
		ResponseBody: []byte(strings.Repeat("b", answered)),
	}})
	f.must(err)
	return e
}

// use has so many hundredths of maxmemory be in use.
func (f *filled) use(percent int) (most int) {
	f.Helper()
	most = inUse(f.T, f.admin) * 100 / percent
	set(f.T, f.server, "maxmemory", fmt.Sprint(most))
	return most
}

// publishing publishes 100 events a second until stop is called, which answers how many.
func (f *filled) publishing(size int) (stop func() int) {
	ctx, cancel := context.WithCancel(f.Context())
	var published atomic.Int64
	var publishers sync.WaitGroup
	publishers.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			e := eventOf(brandNamed(i), fmt.Sprint("live", i))
			e.Payload = fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("t", size))
			if _, err := f.d.Publish(ctx, e); err != nil && ctx.Err() == nil {
				f.Errorf("publishing stopped at %d: %v", i, err)
				return
			}
			published.Add(1)
		}
	})
	stop = sync.OnceValue(func() int {
		cancel()
		publishers.Wait()
		return int(published.Load())
	})
	f.Cleanup(func() { stop() })
	return stop
}

// looks waits until the memory was looked at so many times more.
func (f *filled) looks(n int) {
	f.Helper()
	asked := func() (n int) {
		_, rest, _ := strings.Cut(f.admin.Info(f.Context(), "commandstats").Val(), "cmdstat_info:calls=")
		fmt.Sscan(rest, &n)
		return n
	}
	before, own := asked(), 0
	dispatchertest.Eventually(f, func() bool {
		own++
		return asked() >= before+own+n
	})
}

// wantKept checks what is never dropped.
func (f *filled) wantKept() {
	f.Helper()
	letters := 0
	for b := range filledBrands {
		page, err := f.d.DeadLetters(f.Context(), webhook.DeadLetterQuery{Brand: brandNamed(b), Slice: webhook.Slice{Limit: 200}})
		f.must(err)
		letters += len(page.Items)
	}
	if letters != len(f.died) {
		f.Errorf("%d dead letters are left, want %d", letters, len(f.died))
	}
	for state, events := range map[webhook.State][]webhook.Event{webhook.StateDead: f.died, webhook.StateRetrying: f.open} {
		for _, e := range events {
			got, err := f.d.Event(f.Context(), e.Ref())
			if err != nil || string(got.Event.Payload) != string(e.Payload) || len(got.Deliveries) != 1 || got.Deliveries[0].State != state {
				f.Fatalf("event %s: %v, %+v, want it whole with a delivery that is %s", e.Ref(), err, got.Deliveries, state)
			}
		}
	}
}

// dropped answers how many of the events are markers, each of which is still known.
func (f *filled) dropped() (n int) {
	f.Helper()
	for _, e := range f.history {
		if _, err := f.d.Event(f.Context(), e.Ref()); !errors.Is(err, webhook.ErrNotFound) {
			continue
		}
		n++
		receipt, err := f.d.Publish(f.Context(), e)
		if err != nil || !receipt.Duplicate {
			f.Fatalf("event %s, published once more: %+v, %v", e.Ref(), receipt, err)
		}
	}
	return n
}

// answers and attempts are how many there are.
func (f *filled) answers() int  { return f.entries("h") }
func (f *filled) attempts() int { return f.entries("a") }

func (f *filled) entries(kind string) (n int) {
	f.Helper()
	keys, err := f.admin.Keys(f.Context(), "oh:*:"+kind+":*:a").Result()
	f.must(err)
	for _, key := range keys {
		n += int(f.admin.XLen(f.Context(), key).Val())
	}
	return n
}
