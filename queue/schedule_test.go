package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// wakeupOf is one for endpoint n.
func wakeupOf(n int, at time.Time) webhook.Wakeup {
	ref := webhook.EndpointRef{Brand: "acme", ID: fmt.Sprintf("ep_%d", n)}
	return webhook.Wakeup{Endpoint: ref, Gate: webhook.GateBreaker, At: at, Waiting: 41}
}

func schedule(t testing.TB, q *queue.Queue, w webhook.Wakeup) {
	t.Helper()
	if err := q.Schedule(t.Context(), w); err != nil {
		t.Fatal(err)
	}
}

func wakeID(w webhook.Wakeup) string {
	return fmt.Sprintf("wake:acme:%s:%d", w.Endpoint.ID, w.At.UnixMilli())
}

func TestScheduleMakesOneTaskOfIt(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		first := wakeupOf(7, time.UnixMilli(4_102_444_800_123)) // in 2100
		second := first
		second.Gate, second.Waiting = webhook.GateRetryAfter, 1
		schedule(t, q, first)
		schedule(t, q, second)

		info := taskIn(t, rdb, q.QueueFor(first.Endpoint), "wake:acme:ep_7:4102444800123", asynq.TaskStateScheduled)
		if info.Type != "endpoint:wake" || string(info.Payload) != "1 acme ep_7 breaker 4102444800123 41" {
			t.Errorf("task %q, payload %q", info.Type, info.Payload)
		}
		if info.MaxRetry != 1<<30 || info.Timeout.Seconds() != 35 || info.Retention != 0 || !info.Deadline.IsZero() {
			t.Errorf("max retry %d, timeout %s, retention %s, deadline %s", info.MaxRetry, info.Timeout, info.Retention, info.Deadline)
		}
		if n := rdb.ZCard(t.Context(), "asynq:{"+info.Queue+"}:scheduled").Val(); n != 1 {
			t.Errorf("%d tasks", n)
		}
	})
}

func TestScheduleIsNeverEarly(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb})
	base := time.Now().Add(time.Hour).Truncate(time.Second)
	for i, part := range []time.Duration{0, 1, time.Millisecond, 500 * time.Millisecond, 999 * time.Millisecond, time.Second - 1} {
		w := wakeupOf(i, base.Add(part))
		schedule(t, q, w)
		info := taskIn(t, rdb, q.QueueFor(w.Endpoint), wakeID(w), asynq.TaskStateScheduled)
		if late := info.NextProcessAt.Sub(w.At); late < 0 || late > time.Second {
			t.Errorf("%s after the second: late by %s", part, late)
		}
	}
}

func TestScheduleWhatIsDue(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb})
	for i, at := range []time.Time{{}, time.Now().Add(-time.Hour)} {
		w := wakeupOf(i, at)
		schedule(t, q, w)
		taskIn(t, rdb, q.QueueFor(w.Endpoint), wakeID(w), asynq.TaskStatePending)
	}
}

func TestScheduleIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t)
	q := open(t, queue.Config{Redis: rdb, Shards: 1})
	at := time.Now().Add(time.Hour)
	schedule(t, q, wakeupOf(1, at)) // the queue is listed, the script known
	trips := &tripCounter{}
	rdb.AddHook(trips)
	schedule(t, q, wakeupOf(2, at))
	if trips.pipelines.Load() != 1 || trips.piped.Load() != 1 || trips.single.Load() != 0 {
		t.Errorf("%d pipelines of %d commands, %d single commands", trips.pipelines.Load(), trips.piped.Load(), trips.single.Load())
	}
}
