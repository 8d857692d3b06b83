package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// While no worker runs for longer than a record lives, records of deliveries
// in the queue or waiting for a retry end by themselves. Their slots must not.
func TestSlotOfAnEndedRecordIsFreed(t *testing.T) {
	for _, state := range []webhook.State{webhook.StateRunning, webhook.StateRetrying} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			ref := w.endpoint("a", serial)
			run := w.run("e1", "a")
			if state == webhook.StateRetrying {
				w.settle(run, retryAt(w.clock.Now().Add(time.Second)))
			}
			w.must(w.rdb.Del(t.Context(), w.only("d")).Err())
			w.clock.pass(150 * time.Hour)
			w.claim(run, webhook.ClaimStale)

			b, err := w.Inspect(t.Context(), ref)
			w.must(err)
			want := []webhook.Doomed{{Ref: run.DeliveryRef, State: webhook.StateDead, Death: webhook.DeathMaxAge}}
			if len(b.Suspects) != 0 || !slices.Equal(b.Doomed, want) {
				t.Fatalf("backlog %+v, want %v doomed", b, want)
			}
			w.doomed(ref)
			w.wantState("e1", "a", webhook.StateDead)
			w.run("e2", "a")
		})
	}
}

// A settlement without a run must not touch what is in the queue.
func TestDoomedDeliveryThatWasReleasedGoesOn(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	run := w.run("e1", "a")
	w.settle(webhook.Run{DeliveryRef: run.DeliveryRef}, webhook.Verdict{State: webhook.StateDead, DeathReason: webhook.DeathMaxAge})
	w.wantState("e1", "a", webhook.StateRunning)
	w.claim(run, webhook.ClaimGo)
}

// Once the tombstone has ended the id may be used again, and no process may
// still send to the old URL with the old secret.
func TestEndpointMadeAgainIsNotTheCachedOne(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	w.claim(w.run("e1", "a"), webhook.ClaimGo) // now its settings are cached
	w.must(w.DeleteEndpoint(t.Context(), ref))
	w.must(w.rdb.Del(t.Context(), w.only("p")).Err())

	w.clock.pass(150 * time.Hour)
	w.endpoint("a", func(e *webhook.Endpoint) { e.URL = "https://example.com/new" })
	if c := w.claim(w.run("e2", "a"), webhook.ClaimGo); c.Endpoint.URL != "https://example.com/new" {
		t.Fatalf("the attempt goes to %s", c.Endpoint.URL)
	}
}

// The index drops what is past its time as it grows, whole nodes of the stream at once.
func TestAdmitDropsWhatIsOldFromTheIndex(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.admit(w.event("first"))
	index := w.only("i")
	w.must(w.rdb.Del(t.Context(), index).Err())
	for i := range 1000 {
		w.must(w.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: index, ID: fmt.Sprintf("1-%d", i), Values: []string{"e", "1old", "t", "old"}}).Err())
	}
	w.admit(w.event("e1"))
	left, err := w.rdb.XLen(t.Context(), index).Result()
	w.must(err)
	if left > 101 {
		t.Fatalf("%d entries left", left)
	}
}

func TestDeadLettersUpToNoneIsNone(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.settle(w.run("e1", "a"), dead())
	for limit, want := range []int{0, 1, 1} {
		page, err := w.DeadLetters(t.Context(), webhook.DeadLetterQuery{Brand: brand, Slice: webhook.Slice{Limit: limit}})
		w.must(err)
		if len(page.Items) != want {
			t.Errorf("limit %d: %v, want %d", limit, page.Items, want)
		}
	}
}

func TestTheBodyOfAnEventMayBeGone(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	run := w.run("e1", "a")
	w.must(w.rdb.Del(t.Context(), w.only("e")).Err())
	if c := w.claim(run, webhook.ClaimGo); c.Event.Ref() != run.Event() || len(c.Event.Payload) != 0 {
		t.Fatalf("claim %+v, want an event without payload", c)
	}
	if _, _, err := w.Event(t.Context(), run.Event()); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("event: %v", err)
	}
}

func TestNewNamesTheField(t *testing.T) {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer rdb.Close()
	queue := func(webhook.EndpointRef) string { return "live-0" }
	keys := redisstore.NewKeyRing()
	for field, cfg := range map[string]redisstore.Config{
		"Redis":             {Keys: keys, QueueFor: queue},
		"Keys":              {Redis: rdb, QueueFor: queue},
		"QueueFor":          {Redis: rdb, Keys: keys},
		"MaxAge":            {Redis: rdb, Keys: keys, QueueFor: queue, MaxAge: -1},
		"MaxInFlight":       {Redis: rdb, Keys: keys, QueueFor: queue, MaxInFlight: -1},
		"EndpointsPerBrand": {Redis: rdb, Keys: keys, QueueFor: queue, EndpointsPerBrand: -1},
		"RetainDelivered":   {Redis: rdb, Keys: keys, QueueFor: queue, RetainDelivered: -1},
		"RetainAttempts":    {Redis: rdb, Keys: keys, QueueFor: queue, RetainAttempts: -1},
		"RetainDeadLetters": {Redis: rdb, Keys: keys, QueueFor: queue, RetainDeadLetters: -1},
	} {
		_, err := redisstore.New(cfg)
		wrong, ok := errors.AsType[*webhook.FieldError](err)
		if !ok || wrong.Field != field {
			t.Errorf("New without a good %s: %v", field, err)
		}
	}
}

// A creation that was cut off leaves an id in the brand's list; it takes nobody's place for ever.
func TestCreationsCutOffDoNotFillTheLimit(t *testing.T) {
	w := newWorld(t, redisstore.Config{EndpointsPerBrand: 3})
	w.endpoint("there")
	w.must(w.rdb.SAdd(t.Context(), w.only("b"), "lost1", "lost2").Err())
	w.endpoint("a")
	w.endpoint("b")
	if _, _, err := w.CreateEndpoint(t.Context(), endpointOf("more")); !errors.Is(err, webhook.ErrLimit) {
		t.Fatalf("beyond the limit: %v", err)
	}
	if found, err := w.Endpoints(t.Context(), brand); err != nil || len(found) != 3 {
		t.Fatalf("%d endpoints, %v", len(found), err)
	}
}

// An event leaves the unfinished only together with its entry in the index.
func TestFinishIsWholeOrNot(t *testing.T) {
	w := newWorld(t, redisstore.Config{}, "--maxmemory-policy", "noeviction")
	w.endpoint("a")
	e := w.event("e1")
	_, err := w.Admit(t.Context(), fanoutOf(e, "a"))
	w.must(err)
	redistest.Configure(t, w.rdb, "maxmemory", "1")
	if err := w.Finish(t.Context(), []webhook.Event{e}); !errors.Is(err, webhook.ErrUnavailable) {
		t.Fatalf("Finish in a full Redis: %v", err)
	}
	if n := w.rdb.ZCard(t.Context(), w.only("admitting")).Val(); n != 1 {
		t.Fatalf("%d unfinished, want 1", n)
	}
	redistest.Configure(t, w.rdb, "maxmemory", "0")
	w.must(w.Finish(t.Context(), []webhook.Event{e}))
	if n := w.rdb.XLen(t.Context(), w.only("i")).Val(); n != 1 {
		t.Fatalf("%d entries in the index, want 1", n)
	}
}

// A publisher whose clock is ahead does not hide an endpoint from the reconciler.
func TestAPublisherAheadHidesNothing(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	w.clock.pass(time.Hour)
	w.run("e1", "a")
	w.clock.pass(-time.Hour)
	w.run("e2", "a")
	w.clock.pass(time.Minute)
	for tag := range w.Tags() {
		found, err := w.Survey(t.Context(), tag)
		w.must(err)
		if slices.Contains(found.Due, ref) {
			return
		}
	}
	t.Fatal("not due for an hour")
}
