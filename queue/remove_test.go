package queue_test

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

func TestRemoveLeavesNothing(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		for name, put := range allArrangements() {
			run, other := runOf(q, 1), runOf(q, 1)
			other.Number = 2
			enqueue(t, q, run, other)
			put(t, rdb, run.Queue, run.ID())
			if err := q.Remove(t.Context(), run); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if stateOf(t, q, run) != webhook.TaskMissing || stateOf(t, q, other) != webhook.TaskAlive {
				t.Errorf("%s: removed is %s, another run of the delivery %s", name, stateOf(t, q, run), stateOf(t, q, other))
			}
			if err := q.Remove(t.Context(), other); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := q.Remove(t.Context(), other); err != nil {
				t.Errorf("%s: remove once more: %v", name, err)
			}
			if left := remains(t, rdb, run.Queue); len(left) > 0 {
				t.Errorf("%s: left: %s", name, left)
			}
		}
	})
}

// remains lists what any node holds of a queue.
func remains(t testing.TB, rdb redis.UniversalClient, queue string) (all []string) {
	t.Helper()
	for _, part := range []string{"pending", "active", "lease", "scheduled", "retry", "archived", "completed"} {
		key := "asynq:{" + queue + "}:" + part
		n, err := rdb.Exists(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			all = append(all, key)
		}
	}
	if keys := keysOf(t, rdb, queue); len(keys) > 0 {
		all = append(all, fmt.Sprint(keys))
	}
	return all
}

// A pending id without its hash is dropped. To Asynq it is an empty queue: it takes the id, and says that there is nothing. What
// comes behind is handled all the same, and what is left of the ids is found and removed.
func TestPendingIDsWithoutTaskAreSteppedOver(t *testing.T) {
	t.Parallel()
	with := map[webhook.TaskState]queue.Switches{webhook.TaskMissing: {}, webhook.TaskAbandoned: {NoPrefetch: true}}
	if withoutPrefetch() {
		delete(with, webhook.TaskMissing)
	}
	for want, switches := range with {
		onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) { stepOverGhosts(t, rdb, switches, want) })
	}
}

func stepOverGhosts(t *testing.T, rdb redis.UniversalClient, switches queue.Switches, want webhook.TaskState) {
	q := open(t, queue.Config{Redis: rdb, Shards: 1, Switches: switches})
	ghosts := runsOf(q, 5)
	enqueue(t, q, ghosts...)
	for _, run := range ghosts {
		deleteHash(t, rdb, run.Queue, run.ID())
	}
	last := runOf(q, 99)
	enqueue(t, q, last)
	h, got := deliverAll(1)
	stop := work(t, q, h)
	if run := receive(t, got); run != last {
		t.Errorf("handled %+v", run)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, run := range ghosts {
		rdb.ZAdd(t.Context(), "asynq:{"+run.Queue+"}:lease", redis.Z{Score: 1, Member: run.ID()}) // half a minute later
		if got := stateOf(t, q, run); got != want {
			t.Errorf("a taken id is %s", got)
		}
		if err := q.Remove(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	if n := active(t, rdb, last.Queue); n != 0 {
		t.Errorf("%d ids are left", n)
	}
}
