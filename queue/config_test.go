package queue_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

func TestOpenNamesTheField(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{})
	t.Cleanup(func() { rdb.Close() })
	for field, cfg := range map[string]queue.Config{
		"queue.redis":           {},
		"queue.shards":          {Redis: rdb, Shards: -1},
		"queue.serve":           {Redis: rdb, Shards: 2, Serve: []string{"live-0", "live-2"}},
		"delivery.concurrency":  {Redis: rdb, Concurrency: -1},
		"queue.attemptTimeout":  {Redis: rdb, AttemptTimeout: -time.Second},
		"queue.taskTimeout":     {Redis: rdb, AttemptTimeout: 30 * time.Second, TaskTimeout: 30 * time.Second},
		"queue.shutdownTimeout": {Redis: rdb, TaskTimeout: 40 * time.Second, ShutdownTimeout: 40 * time.Second},
	} {
		_, err := queue.Open(cfg)
		invalid, ok := errors.AsType[*webhook.FieldError](err)
		if !ok || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestOpenRefusesTimesAsynqCannotKeep(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{})
	t.Cleanup(func() { rdb.Close() })
	_, err := queue.Open(queue.Config{Redis: rdb, AttemptTimeout: time.Second, TaskTimeout: 1500 * time.Millisecond})
	if !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("a task timeout of 1.5 s: %v", err)
	}
	if _, err := queue.Open(queue.Config{Redis: rdb, Shards: 65}); !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("65 shards: %v", err)
	}
}

func TestSwitchesByName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]queue.Switches{
		"":                     {},
		"prefetch":             {NoPrefetch: true},
		"pipelining,idle-wait": {NoPipelining: true, NoIdleWait: true},
	} {
		var got queue.Switches
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if err := new(queue.Switches).UnmarshalText([]byte("prefetch,speed")); !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := queue.Config{AttemptTimeout: 1500 * time.Millisecond}.WithDefaults()
	if got.TaskTimeout != 7*time.Second || got.ShutdownTimeout != 10*time.Second {
		t.Errorf("ladder from 1.5 s: %s, %s", got.TaskTimeout, got.ShutdownTimeout)
	}
	got = queue.Config{}.WithDefaults()
	if got.AttemptTimeout != 30*time.Second || got.TaskTimeout != 35*time.Second || got.ShutdownTimeout != 38*time.Second {
		t.Errorf("ladder: %s, %s, %s", got.AttemptTimeout, got.TaskTimeout, got.ShutdownTimeout)
	}
	want := "[bulk-0 bulk-1 bulk-2 bulk-3 live-0 live-1 live-2 live-3]"
	if got.Concurrency != 1024 || fmt.Sprint(got.Serve) != want {
		t.Errorf("concurrency %d, queues %s", got.Concurrency, got.Serve)
	}
}

// Every process must find the same queue, whatever its version: these answers never change.
func TestQueueForIsStable(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Config{Redis: embeddedClient(t)})
	for endpoint, want := range map[string]string{"ep_1": "live-2", "ep_2": "live-3", "ep_3": "live-0", "ep_4": "live-1"} {
		if got := q.QueueFor(webhook.EndpointRef{Brand: "acme", ID: endpoint}); got != want {
			t.Errorf("%s: %s, not %s", endpoint, got, want)
		}
	}
}

func TestEndpointsSpreadOverShards(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Config{Redis: embeddedClient(t)})
	share := map[string]int{}
	for i := range 4000 {
		share[q.QueueFor(webhook.EndpointRef{Brand: "acme", ID: fmt.Sprintf("ep_%d", i)})]++
	}
	for shard := range 4 {
		name := fmt.Sprintf("live-%d", shard)
		if share[name] < 800 || share[name] > 1200 {
			t.Errorf("%s has %d of 4000 endpoints", name, share[name])
		}
	}
}
