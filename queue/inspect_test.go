package queue_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// activate makes a pending task one that a worker holds until the given time; the zero time is no lease at all.
func activate(t testing.TB, rdb redis.UniversalClient, run webhook.Run, until time.Time) {
	t.Helper()
	prefix := "asynq:{" + run.Queue + "}:"
	pipe := rdb.Pipeline()
	pipe.LRem(t.Context(), prefix+"pending", 1, run.ID())
	pipe.LPush(t.Context(), prefix+"active", run.ID())
	pipe.HSet(t.Context(), prefix+"t:"+run.ID(), "state", "active")
	if !until.IsZero() {
		pipe.ZAdd(t.Context(), prefix+"lease", redis.Z{Score: float64(until.Unix()), Member: run.ID()})
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// arrange brings a task into each state that Asynq knows.
var arrange = map[string]func(t testing.TB, rdb redis.UniversalClient, run webhook.Run){
	"pending": func(testing.TB, redis.UniversalClient, webhook.Run) {},
	"active": func(t testing.TB, rdb redis.UniversalClient, r webhook.Run) {
		activate(t, rdb, r, time.Now().Add(time.Hour))
	},
	"unleased": func(t testing.TB, rdb redis.UniversalClient, r webhook.Run) { activate(t, rdb, r, time.Time{}) },
	"abandoned": func(t testing.TB, rdb redis.UniversalClient, r webhook.Run) {
		activate(t, rdb, r, time.Now().Add(-time.Minute))
	},
	"archived": func(t testing.TB, rdb redis.UniversalClient, r webhook.Run) {
		if err := asynq.NewInspectorFromRedisClient(rdb).ArchiveTask(r.Queue, r.ID()); err != nil {
			t.Fatal(err)
		}
	},
	"retry":     moveTo("retry"),
	"scheduled": moveTo("scheduled"),
	"completed": moveTo("completed"),
}

func moveTo(state string) func(t testing.TB, rdb redis.UniversalClient, run webhook.Run) {
	return func(t testing.TB, rdb redis.UniversalClient, run webhook.Run) {
		t.Helper()
		prefix := "asynq:{" + run.Queue + "}:"
		pipe := rdb.Pipeline()
		pipe.LRem(t.Context(), prefix+"pending", 1, run.ID())
		pipe.ZAdd(t.Context(), prefix+state, redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: run.ID()})
		pipe.HSet(t.Context(), prefix+"t:"+run.ID(), "state", state)
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInspectTellsTheStates(t *testing.T) {
	want := map[string]webhook.TaskState{
		"pending": webhook.TaskAlive, "active": webhook.TaskAlive, "unleased": webhook.TaskAlive, "retry": webhook.TaskAlive,
		"scheduled": webhook.TaskAlive, "abandoned": webhook.TaskAbandoned, "archived": webhook.TaskEnded,
		"completed": webhook.TaskEnded, "missing": webhook.TaskMissing,
	}
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb, Serve: []string{"bulk-0"}}) // none of them served here
		var names []string
		var runs []webhook.Run
		for name := range want {
			run := runOf(q, len(runs))
			if put, ok := arrange[name]; ok {
				enqueue(t, q, run)
				put(t, rdb, run)
			}
			names, runs = append(names, name), append(runs, run)
		}
		states, err := q.Inspect(t.Context(), runs)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			if states[i] != want[name] {
				t.Errorf("%s: state %d, not %d", name, states[i], want[name])
			}
		}
	})
}

// A lease counts as over by the clock of Redis, whatever this process's says.
func TestInspectLeaseGrace(t *testing.T) {
	mini := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: mini.Addr()})
	t.Cleanup(func() { rdb.Close() })
	now := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
	mini.SetTime(now)
	q := open(t, queue.Config{Redis: rdb})
	for over, want := range map[time.Duration]webhook.TaskState{
		-30 * time.Second: webhook.TaskAlive, 0: webhook.TaskAlive, 3 * time.Second: webhook.TaskAlive,
		4 * time.Second: webhook.TaskAbandoned, time.Hour: webhook.TaskAbandoned,
	} {
		run := runOf(q, int(over.Seconds())+100)
		enqueue(t, q, run)
		activate(t, rdb, run, now.Add(-over))
		if got := stateOf(t, q, run); got != want {
			t.Errorf("over by %s: state %d, not %d", over, got, want)
		}
	}
}

func TestInspectIsOneRoundTripAndChangesNothing(t *testing.T) {
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb})
	runs := runsOf(q, 100)
	enqueue(t, q, runs[:50]...)
	before := rdb.DBSize(t.Context()).Val()
	trips := &tripCounter{}
	rdb.AddHook(trips)

	states, err := q.Inspect(t.Context(), runs)
	if err != nil || slices.Contains(states[:50], webhook.TaskMissing) || slices.Contains(states[50:], webhook.TaskAlive) {
		t.Errorf("%v, %v", states, err)
	}
	if trips.pipelines.Load() != 1 || trips.single.Load() != 0 {
		t.Errorf("%d pipelines, %d single commands", trips.pipelines.Load(), trips.single.Load())
	}
	if after := rdb.DBSize(t.Context()).Val(); after != before {
		t.Errorf("%d keys became %d", before, after)
	}
	if states, err := q.Inspect(t.Context(), nil); err != nil || len(states) != 0 || trips.pipelines.Load() != 1 {
		t.Errorf("nothing to inspect: %v, %v", states, err)
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		for name, put := range arrange {
			run, other := runOf(q, 1), runOf(q, 1)
			other.Number = 2
			enqueue(t, q, run, other)
			put(t, rdb, run)
			if err := q.Remove(t.Context(), run); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if stateOf(t, q, run) != webhook.TaskMissing || stateOf(t, q, other) != webhook.TaskAlive {
				t.Errorf("%s: removed is %d, another run of the delivery %d", name, stateOf(t, q, run), stateOf(t, q, other))
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
	if _, single := rdb.(*redis.Client); single && len(keysOf(t, rdb, queue)) > 0 {
		all = append(all, fmt.Sprint(keysOf(t, rdb, queue)))
	}
	return all
}
