package queue_test

import (
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
func activate(t testing.TB, rdb redis.UniversalClient, queue, id string, until time.Time) {
	t.Helper()
	prefix := "asynq:{" + queue + "}:"
	pipe := rdb.Pipeline()
	pipe.LRem(t.Context(), prefix+"pending", 1, id)
	pipe.LPush(t.Context(), prefix+"active", id)
	pipe.HSet(t.Context(), prefix+"t:"+id, "state", "active")
	if !until.IsZero() {
		pipe.ZAdd(t.Context(), prefix+"lease", redis.Z{Score: float64(until.Unix()), Member: id})
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// arrangement brings a pending task into another state.
type arrangement = func(t testing.TB, rdb redis.UniversalClient, queue, id string)

// arrange has each state that Asynq knows.
var arrange = map[string]arrangement{
	"pending": func(testing.TB, redis.UniversalClient, string, string) {},
	"active":  activeUntil(time.Hour),
	"archived": func(t testing.TB, rdb redis.UniversalClient, queue, id string) {
		if err := asynq.NewInspectorFromRedisClient(rdb).ArchiveTask(queue, id); err != nil {
			t.Fatal(err)
		}
	},
	"abandoned": activeUntil(-time.Minute),
	"unleased": func(t testing.TB, rdb redis.UniversalClient, queue, id string) {
		activate(t, rdb, queue, id, time.Time{})
	},
	"retry":     moveTo("retry"),
	"scheduled": moveTo("scheduled"),
	"completed": moveTo("completed"),
}

func activeUntil(from time.Duration) arrangement {
	return func(t testing.TB, rdb redis.UniversalClient, queue, id string) {
		activate(t, rdb, queue, id, time.Now().Add(from))
	}
}

func moveTo(state string) arrangement {
	return func(t testing.TB, rdb redis.UniversalClient, queue, id string) {
		t.Helper()
		prefix := "asynq:{" + queue + "}:"
		pipe := rdb.Pipeline()
		pipe.LRem(t.Context(), prefix+"pending", 1, id)
		pipe.ZAdd(t.Context(), prefix+state, redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: id})
		pipe.HSet(t.Context(), prefix+"t:"+id, "state", state)
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInspectTellsTheStates(t *testing.T) {
	t.Parallel()
	want := map[string]webhook.TaskState{
		"pending": webhook.TaskAlive, "active": webhook.TaskAlive, "unleased": webhook.TaskOrphaned, "retry": webhook.TaskAlive,
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
				put(t, rdb, run.Queue, run.ID())
			}
			names, runs = append(names, name), append(runs, run)
		}
		states, err := q.Inspect(t.Context(), runs)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			if states[i] != want[name] {
				t.Errorf("%s: %s, not %s", name, states[i], want[name])
			}
		}
	})
}

// A lease counts as over by the clock of Redis, whatever this process's says.
func TestInspectLeaseGrace(t *testing.T) {
	t.Parallel()
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
		activate(t, rdb, run.Queue, run.ID(), now.Add(-over))
		if got := stateOf(t, q, run); got != want {
			t.Errorf("over by %s: %s, not %s", over, got, want)
		}
	}
}

func TestInspectIsOneRoundTripAndChangesNothing(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb})
	runs := runsOf(q, 100)
	enqueue(t, q, runs[:50]...)
	stateOf(t, q, runs[0]) // makes the script known
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
