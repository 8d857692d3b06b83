package queue_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// orphan brings a task into states that Asynq's own scripts never leave behind.
var orphan = map[string]arrangement{
	"pending, not listed":      after("pending", "LREM", "pending", 0),
	"active, expired, no list": after("abandoned", "LREM", "active", 0),
	"scheduled, not in set":    after("scheduled", "ZREM", "scheduled"),
	"retry, not in set":        after("retry", "ZREM", "retry"),
}

// after brings a task into a state and then takes it out of one of the queue's keys.
func after(state, command, part string, args ...any) arrangement {
	return func(t testing.TB, rdb redis.UniversalClient, queue, id string) {
		t.Helper()
		arrange[state](t, rdb, queue, id)
		all := append([]any{command, "asynq:{" + queue + "}:" + part}, append(args, id)...)
		if n, err := rdb.Do(t.Context(), all...).Int(); err != nil || n != 1 {
			t.Fatalf("%s of %s: %d, %v", command, part, n, err)
		}
	}
}

// hashless leaves a task in its list or set, but without its hash.
var hashless = map[string]arrangement{
	"pending, no hash":   deleteHash,
	"expired, no hash":   withoutHash("abandoned"),
	"scheduled, no hash": withoutHash("scheduled"),
	"retry, no hash":     withoutHash("retry"),
}

// leased has something wrong with it, but somebody works on it.
var leased = map[string]arrangement{
	"active, not listed": after("active", "LREM", "active", 0),
	"active, no hash":    withoutHash("active"),
}

func withoutHash(state string) arrangement {
	return func(t testing.TB, rdb redis.UniversalClient, queue, id string) {
		arrange[state](t, rdb, queue, id)
		deleteHash(t, rdb, queue, id)
	}
}

func deleteHash(t testing.TB, rdb redis.UniversalClient, queue, id string) {
	t.Helper()
	if n, err := rdb.Del(t.Context(), "asynq:{"+queue+"}:t:"+id).Result(); err != nil || n != 1 {
		t.Fatalf("delete the hash: %d, %v", n, err)
	}
}

func allArrangements() map[string]arrangement {
	all := maps.Clone(arrange)
	maps.Copy(all, orphan)
	maps.Copy(all, hashless)
	maps.Copy(all, leased)
	return all
}

func TestInspectFindsOrphans(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		n := 0
		for want, kinds := range map[webhook.TaskState]map[string]arrangement{
			webhook.TaskOrphaned: orphan, webhook.TaskMissing: hashless, webhook.TaskAlive: leased,
		} {
			for name, put := range kinds {
				n++
				run := runOf(q, n)
				enqueue(t, q, run)
				put(t, rdb, run.Queue, run.ID())
				if got := stateOf(t, q, run); got != want {
					t.Errorf("%s: %s, not %s", name, got, want)
				}
			}
		}
	})
}

// A pending list that is too long to be looked through is believed.
func TestInspectOfALongPendingList(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb, Shards: 1})
		listed, lost, gone := runOf(q, 1), runOf(q, 2), runOf(q, 3)
		enqueue(t, q, listed, lost)
		orphan["pending, not listed"](t, rdb, lost.Queue, lost.ID())
		pending := "asynq:{" + lost.Queue + "}:pending"
		others := make([]any, 19_999)
		for i := range others {
			others[i] = fmt.Sprintf("other_%d", i)
		}
		rdb.RPush(t.Context(), pending, others...)
		look := func() string {
			states, err := q.Inspect(t.Context(), []webhook.Run{listed, lost, gone})
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(states)
		}
		if got := look(); got != "[alive orphaned missing]" {
			t.Errorf("20,000 pending: %s", got)
		}
		rdb.RPush(t.Context(), pending, "one more")
		if got := look(); got != "[alive alive missing]" {
			t.Errorf("20,001 pending: %s", got)
		}
	})
}

// Tasks on their way through Asynq are never taken for lost ones.
func TestInspectWhileTasksMove(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t)
	q := open(t, queue.Config{Redis: rdb})
	runs := runsOf(q, 500)
	h, _ := deliverAll(len(runs))
	work(t, q, h)
	enqueue(t, q, runs...)
	eventually(t, "all handled", func() bool {
		states, err := q.Inspect(t.Context(), runs)
		if err != nil {
			t.Fatal(err)
		}
		for i, state := range states {
			if state != webhook.TaskAlive && state != webhook.TaskMissing {
				t.Fatalf("%s is %s", runs[i].ID(), state)
			}
		}
		return !slices.Contains(states, webhook.TaskAlive)
	})
}

// The lease is extended for as long as a worker holds the task, and Inspect never takes the task for a lost one.
func TestLeaseOfALongAttemptLives(t *testing.T) {
	t.Parallel()
	long(t)
	rdb := redistest.Start(t).Client(t)
	q := open(t, queue.Config{Redis: rdb, AttemptTimeout: 59 * time.Second, TaskTimeout: time.Minute})
	run := runOf(q, 1)
	taken, finish := make(chan struct{}), make(chan struct{})
	stop := work(t, q, func(_ context.Context, _ webhook.Run) error {
		close(taken)
		<-finish
		return nil
	})
	enqueue(t, q, run)
	<-taken
	for began := time.Now(); time.Since(began) < 40*time.Second; time.Sleep(100 * time.Millisecond) { // Asynq gives 30 s
		if got := stateOf(t, q, run); got != webhook.TaskAlive {
			t.Fatalf("%s after %s", got, time.Since(began))
		}
	}
	close(finish)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(t, q, run); got != webhook.TaskMissing {
		t.Errorf("handled, and %s", got)
	}
}
