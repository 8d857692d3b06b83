package asynqredis_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

const (
	pendingKey = "asynq:{" + queue + "}:pending"
	pausedKey  = "asynq:{" + queue + "}:paused"
	activeKey  = "asynq:{" + queue + "}:active"
	leaseKey   = "asynq:{" + queue + "}:lease"
)

// Between the first, empty dequeue and the one that takes the task there is none: it was not a poll that found it. That there
// is no warning shows that the script which the real Asynq sends is the one that is recognised.
func TestTaskIsTakenWhenItArrives(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			inner, seen := open(t), &recorder{}
			inner.AddHook(seen)
			w := startWorker(t, inner, asynqredis.Config{})
			for i := range 5 {
				waits := seen.count("blmove", pendingKey)
				eventually(t, 10*time.Second, "the worker waits", func() bool { return seen.count("blmove", pendingKey) > waits })
				dequeues, waits := seen.count("evalsha", pendingKey), seen.count("blmove", pendingKey)
				enqueue(t, inner, strconv.Itoa(i))
				awaitHandled(t, w, strconv.Itoa(i))
				n := seen.count("evalsha", pendingKey) - dequeues
				if n -= seen.count("blmove", pendingKey) - waits; n > 2 { // each wait has one with it
					t.Errorf("%d dequeues for one task, want the one that took it and at most the next", n)
				}
			}
			if w.warned.String() != "" {
				t.Errorf("warned: %v", w.warned)
			}
		})
	}
}

func TestResumedQueueIsWorked(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			inner, seen := open(t), &recorder{}
			inner.AddHook(seen)
			inspector := asynq.NewInspectorFromRedisClient(inner)
			enqueue(t, inner, "held")
			if err := inspector.PauseQueue(queue); err != nil {
				t.Fatal(err)
			}
			w := startWorker(t, inner, asynqredis.Config{})
			eventually(t, 10*time.Second, "the worker knows of the pause", func() bool { return seen.count("exists", pausedKey) > 1 })
			if len(w.handled) > 0 {
				t.Fatal("a task of a paused queue was handled")
			}
			if err := inspector.UnpauseQueue(queue); err != nil {
				t.Fatal(err)
			}
			awaitHandled(t, w, "held")
		})
	}
}

func TestWorkerOutlivesRedis(t *testing.T) {
	redistest.OneServer(t, "it is killed and started again")
	for name, whilePaused := range map[string]bool{"idle": false, "paused": true} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			inner, seen := server.Client(t), &recorder{}
			inner.AddHook(seen)
			inspector := asynq.NewInspectorFromRedisClient(inner)
			if whilePaused {
				enqueue(t, inner, "held")
				if err := inspector.PauseQueue(queue); err != nil {
					t.Fatal(err)
				}
			}
			w := startWorker(t, inner, asynqredis.Config{})
			eventually(t, 10*time.Second, "the worker waits", func() bool {
				return seen.count("blmove", pendingKey) > 0 && (!whilePaused || seen.count("exists", pausedKey) > 0)
			})

			server.Kill()
			eventually(t, 30*time.Second, "Asynq notices", func() bool { return w.asynq.count("Dequeue error") > 0 })
			server.Restart(t)

			if whilePaused {
				if err := inspector.UnpauseQueue(queue); err != nil {
					t.Fatal(err)
				}
				awaitHandled(t, w, "held")
			}
			enqueue(t, inner, "after")
			awaitHandled(t, w, "after")
		})
	}
}

func TestFrozenRedisGoesOn(t *testing.T) {
	redistest.OneServer(t, "it is frozen")
	server := redistest.Start(t)
	inner := server.Client(t)
	w := startWorker(t, inner, asynqredis.Config{})
	awaitBlocked(t, inner)
	server.Stop(t)
	eventually(t, 30*time.Second, "Asynq notices", func() bool { return w.asynq.count("Dequeue error") > 0 })
	server.Continue(t)
	enqueue(t, inner, "after")
	awaitHandled(t, w, "after")
}

// What is left of the wait is found by the leak check of TestMain.
func TestStopEndsTheWait(t *testing.T) {
	inner := redistest.Start(t).Client(t)
	w := startWorker(t, inner, asynqredis.Config{})
	awaitBlocked(t, inner)
	w.shutdown()

	enqueue(t, inner, "too late")
	if err := w.client.EvalSha(t.Context(), dequeueSHA(t), dequeueKeys, asynqLease(), taskPrefix).Err(); !errors.Is(err, redis.Nil) {
		t.Fatalf("a dequeue after Stop answered %v, want redis.Nil", err)
	}
	if n := inner.LLen(t.Context(), pendingKey).Val(); n != 1 {
		t.Fatalf("%d tasks pending, want the one that came too late", n)
	}
}

func TestSwitchedOffAsynqPolls(t *testing.T) {
	inner, seen := embeddedClient(t), &recorder{}
	inner.AddHook(seen)
	w := startWorker(t, inner, asynqredis.Config{NoIdleWait: true})
	eventually(t, 10*time.Second, "Asynq polls", func() bool { return seen.count("evalsha", pendingKey) > 3 })
	enqueue(t, inner, "x")
	awaitHandled(t, w, "x")
	if n := seen.count("blmove", pendingKey); n > 0 {
		t.Fatalf("%d waits sent", n)
	}
}

func TestServerOfSeveralQueuesPolls(t *testing.T) {
	inner := embeddedClient(t)
	w := startWorker(t, inner, asynqredis.Config{}, "a", "b")
	for _, q := range []string{"a", "b", "a"} {
		enqueueTo(t, inner, q, q)
		awaitHandled(t, w, q)
	}
	if n := w.warned.count("several queues"); n != 1 {
		t.Fatalf("warned %d times, want once: %v", n, w.warned)
	}
}
