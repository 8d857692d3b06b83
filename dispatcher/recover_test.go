package dispatcher_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// TestFrozenRedisAnswersInTime publishes with a snapshot of the endpoints that
// is too old to be used, so that the first thing to do is to read.
func TestFrozenRedisAnswersInTime(t *testing.T) {
	t.Parallel()
	for name, prompt := range map[string]bool{"client that ends with its context": true, "client that does not": false} {
		t.Run(name, func(t *testing.T) {
			redistest.OneServer(t, "it is frozen")
			server := redistest.Start(t)
			options := redistest.Options(server.Addr())
			options.ContextTimeoutEnabled = prompt
			rdb := redis.NewClient(options)
			defer rdb.Close()
			cfg := dispatchertest.Config()
			cfg.Redis = rdb
			d, err := dispatcher.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			server.Stop(t)
			defer server.Continue(t)
			answered := make(chan error, 1)
			go func() {
				_, err := d.Publish(context.Background(), event("e1"))
				answered <- err
			}()
			select {
			case err := <-answered:
				if !errors.Is(err, webhook.ErrUnavailable) {
					t.Fatalf("Publish = %v", err)
				}
			case <-time.After(3500 * time.Millisecond): // two seconds are promised, the machine is shared
				t.Fatal("Publish still waits for a Redis that is frozen")
			}
		})
	}
}

// TestRetryOfAKilledWorkerKeepsItsTime builds what a SIGKILL between the record
// and Asynq's retry leaves: the ledger waits ten hours, the task is active and
// abandoned. Asynq brings it back within seconds; no attempt may be made.
func TestRetryOfAKilledWorkerKeepsItsTime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb, keys := server.Client(t), redisstore.NewKeyRing()
	on := func(serve ...string) *dispatchertest.Dispatcher {
		return dispatchertest.Start(t, func(c *dispatcher.Config) {
			c.Redis, c.Secrets, c.Serve, c.Retry = rdb, keys, serve, webhook.Schedule{}
		})
	}
	publisher := on("bulk-0")
	r := publisher.Receiver(t, "acme", webhook.PurposeStatus)
	if _, err := publisher.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	run, due := workAndVanish(t, rdb, keys, r.Endpoint.Ref())
	on()
	dispatchertest.Eventually(t, func() bool {
		at, err := rdb.ZScore(t.Context(), "asynq:{"+run.Queue+"}:retry", run.ID()).Result()
		return err == nil && at >= float64(due.Unix())
	})
	if n := len(r.Received()); n > 0 {
		t.Fatalf("%d attempts before their time", n)
	}
}

// workAndVanish does by hand what a worker does with e1, up to the record.
func workAndVanish(t *testing.T, rdb redis.UniversalClient, keys dispatcher.KeyRing, ref webhook.EndpointRef) (webhook.Run, time.Time) {
	t.Helper()
	tasks, err := queue.Open(queue.Config{Redis: rdb})
	if err != nil {
		t.Fatal(err)
	}
	store, err := redisstore.New(redisstore.Config{Redis: rdb, Keys: keys, QueueFor: tasks.QueueFor})
	if err != nil {
		t.Fatal(err)
	}
	run := webhook.Run{DeliveryRef: webhook.DeliveryRef{Brand: ref.Brand, EventID: "e1", EndpointID: ref.ID}, Number: 1, Queue: tasks.QueueFor(ref)}
	key := "asynq:{" + run.Queue + "}:"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(redistest.Admin(t, rdb).LMove(t.Context(), key+"pending", key+"active", "RIGHT", "LEFT").Err())
	must(rdb.HSet(t.Context(), key+"t:"+run.ID(), "state", "active").Err())
	must(rdb.ZAdd(t.Context(), key+"lease", redis.Z{Score: float64(time.Now().Add(-time.Minute).Unix()), Member: run.ID()}).Err())
	_, err = store.Claim(t.Context(), run)
	must(err)
	due := time.Now().Add(10 * time.Hour)
	_, err = store.Record(t.Context(), &webhook.Settlement{
		Run: run, Attempt: &webhook.Attempt{ID: "att_1", Ref: run.DeliveryRef, Number: 1, StartedAt: time.Now(), Outcome: webhook.OutcomeRetrying},
		Verdict: webhook.Verdict{Outcome: webhook.OutcomeRetrying, State: webhook.StateRetrying, Counts: true, NextAttemptAt: due},
	})
	must(err)
	return run, due
}

// TestReconcilerPassesABadTag damages what the reconciler reads of one tag; a
// lost task of another is re-driven all the same.
func TestReconcilerPassesABadTag(t *testing.T) {
	t.Parallel()
	long(t)
	server := redistest.Start(t)
	rdb := server.Client(t)
	publisher := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Redis, c.Secrets, c.Serve = rdb, sharedKeys(), []string{"bulk-0"}
	})
	r := publisher.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.ID = "a" }) // not on tag 00
	if _, err := publisher.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	publisher.Stop()
	tasks := redistest.Keys(t, redistest.Admin(t, rdb), "asynq:*")
	if len(tasks) == 0 {
		t.Fatal("no task")
	}
	for _, key := range tasks {
		if err := rdb.Del(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rdb.Set(t.Context(), "oh:{s00}:admitting", "not a sorted set", 0).Err(); err != nil {
		t.Fatal(err)
	}
	onServer(t, server)
	r.Wait(t, 1)
}

// TestUnreadableEndpointStopsNobody has an endpoint whose secret was sealed with
// a key that this process lacks: events are accepted, its own and others'.
func TestUnreadableEndpointStopsNobody(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := onServer(t, server)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	other := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Redis, c.Secrets, c.Serve = server.Client(t), sharedKeys(newKey("newer")), []string{"bulk-0"}
	})
	foreign := webhook.Endpoint{ID: "foreign", Brand: "acme", URL: "http://127.0.0.1:9/", Purpose: webhook.PurposeStatus}
	if _, _, err := other.CreateEndpoint(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	dispatchertest.Eventually(t, func() bool { // until the snapshot has it
		receipt, err := d.Publish(t.Context(), event(""))
		if err != nil {
			t.Fatal(err)
		}
		return len(receipt.Endpoints) == 2
	})
	r.Wait(t, 1)
}
