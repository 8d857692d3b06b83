package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// census takes one, and answers how the queue stands.
func census(t *testing.T, q *queue.Queue, name string) (queue.Census, queue.Standing) {
	t.Helper()
	c, err := q.Census(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Queues {
		if s.Name == name {
			return c, s
		}
	}
	return c, queue.Standing{}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCensus(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb, Shards: 2})
		if c, s := census(t, q, "live-0"); len(c.Queues) != 4 || c.Workers != 0 || s != (queue.Standing{Name: "live-0"}) {
			t.Fatalf("of nothing: %+v", c)
		}
		before := time.Now().Add(-time.Second)
		runs := runsOf(q, 40)
		must(t, q.Enqueue(t.Context(), runs))
		at := webhook.Wakeup{Endpoint: runs[0].Endpoint(), Gate: webhook.GateBreaker, At: time.Now().Add(time.Hour), Waiting: 1}
		must(t, q.Schedule(t.Context(), at))
		must(t, rdb.Set(t.Context(), queue.PausedKey("bulk-1"), 1, 0).Err())
		must(t, rdb.SAdd(t.Context(), "asynq:queues", "live-10", "default", "live-", "live-01", "bulk-x", "live-100").Err())
		must(t, rdb.LPush(t.Context(), "asynq:{live-10}:pending", "x", "y").Err())

		c, live0 := census(t, q, "live-0")
		_, live1 := census(t, q, "live-1")
		_, beyond := census(t, q, "live-10")
		_, paused := census(t, q, "bulk-1")
		switch {
		case len(c.Queues) != 5 || c.Queues[2].Name != "live-10" || c.Queues[3].Name != "bulk-0":
			t.Errorf("queues, live ones first: %+v", c.Queues)
		case c.Others != 5:
			t.Errorf("%d others", c.Others)
		case live0.Pending+live1.Pending != 40 || live0.Pending == 0 || live0.Scheduled+live1.Scheduled != 1 || live0.Tasks()+live1.Tasks() != 41:
			t.Errorf("live: %+v, %+v", live0, live1)
		case live0.OldestPending.Before(before) || live0.OldestPending.After(time.Now()):
			t.Errorf("the oldest waits since %s", live0.OldestPending)
		case !beyond.Beyond || beyond.Pending != 2 || !beyond.OldestPending.IsZero():
			t.Errorf("beyond: %+v", beyond)
		case !paused.Paused || live0.Paused || paused.Beyond:
			t.Errorf("paused: %+v", paused)
		}
	})
}

// TestCensusCountsProcesses, each of which has a server of Asynq for every queue, while they take tasks.
func TestCensusCountsProcesses(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb, Shards: 2, Serve: []string{"live-0", "live-1"}})
		stop := work(t, q, func(context.Context, webhook.Run) error { return nil })
		eventually(t, "one process works", func() bool {
			c, live := census(t, q, "live-1")
			return c.Workers == 1 && live.Workers == 1
		})
		if _, bulk := census(t, q, "bulk-0"); bulk.Workers != 0 {
			t.Errorf("nobody works %+v", bulk)
		}
		must(t, stop())
		if c, _ := census(t, q, "live-1"); c.Workers != 0 {
			t.Errorf("after its end: %+v", c)
		}
	})
}

// TestCensusForgetsNoServer: Asynq's own way to list them does.
func TestCensusForgetsNoServer(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		gone := redis.Z{Score: float64(time.Now().Add(-time.Hour).Unix()), Member: "asynq:servers:{other:1:x}"}
		must(t, rdb.ZAdd(t.Context(), "asynq:servers", gone).Err())
		if c, _ := census(t, open(t, queue.Config{Redis: rdb}), "live-0"); c.Workers != 0 {
			t.Errorf("%+v", c)
		}
		if n := rdb.ZCard(t.Context(), "asynq:servers").Val(); n != 1 {
			t.Errorf("%d servers are listed", n)
		}
	})
}
