package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// deliverAll handles n tasks and sends the runs it was given.
func deliverAll(n int) (handle, <-chan webhook.Run) {
	got := make(chan webhook.Run, n)
	return func(_ context.Context, run webhook.Run) error { got <- run; return nil }, got
}

func receive[T any](t testing.TB, got <-chan T) (one T) {
	t.Helper()
	select {
	case one = <-got:
	case <-time.After(30 * time.Second):
		t.Fatal("no task was handled")
	}
	return one
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		h, got := deliverAll(60)
		stop := work(t, q, h)
		want := map[webhook.Run]bool{}
		for _, run := range runsOf(q, 40) {
			want[run] = true
		}
		bulk := runOf(q, 99)
		bulk.Queue = "bulk-3"
		want[bulk] = true

		enqueue(t, q, runsOf(q, 40)...)
		enqueue(t, q, bulk)
		for range 41 {
			run := receive(t, got)
			if !want[run] {
				t.Errorf("handled %+v, which was not enqueued or not so", run)
			}
			delete(want, run)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if len(want) > 0 || len(got) > 0 {
			t.Errorf("%d not handled, %d handled once more", len(want), len(got))
		}
		for _, run := range append(runsOf(q, 40), bulk) {
			if stateOf(t, q, run) != webhook.TaskMissing {
				t.Errorf("%s is left", run.ID())
			}
		}
	})
}

func TestRunServesTheNamedQueuesOnly(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Serve: []string{"live-1", "live-1"}})
	h, got := deliverAll(10)
	work(t, q, h)
	served, other := runOf(q, 1), runOf(q, 2)
	served.Queue, other.Queue = "live-1", "live-2"

	enqueue(t, q, other, served)
	if run := receive(t, got); run != served {
		t.Errorf("handled %+v", run)
	}
	if stateOf(t, q, other) != webhook.TaskAlive {
		t.Error("a task of a queue that is not served is gone")
	}
}

func TestRunAgain(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Config{Redis: embeddedClient(t)})
	for i := range 2 {
		h, got := deliverAll(1)
		stop := work(t, q, h)
		enqueue(t, q, runOf(q, i))
		receive(t, got)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunWithoutHandler(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Config{Redis: embeddedClient(t)})
	whole := only(func(context.Context, webhook.Run) error { return nil })
	ended, end := context.WithCancel(t.Context())
	end()
	for field, do := range map[string]webhook.Handlers{
		"handlers.deliver": {Wake: whole.Wake}, "handlers.wake": {Deliver: whole.Deliver},
	} {
		invalid, ok := errors.AsType[*webhook.FieldError](q.Run(ended, do))
		if !ok || invalid.Field != field {
			t.Errorf("%s: %v", field, invalid)
		}
	}
}

func TestRetryIsNeverEarly(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		after := []time.Duration{5 * time.Minute, 5*time.Minute + 1, 301*time.Second + 999*time.Millisecond, time.Hour, math.MaxInt64}
		var mu sync.Mutex
		asked := map[string]time.Time{}
		work(t, q, func(_ context.Context, run webhook.Run) error {
			mu.Lock()
			defer mu.Unlock()
			asked[run.ID()] = time.Now()
			return &webhook.RetryError{After: after[run.Number-1]}
		})
		for i, d := range after {
			run := runOf(q, i)
			run.Number = i + 1
			enqueue(t, q, run)
			info := taskIn(t, rdb, run.Queue, run.ID(), asynq.TaskStateRetry)
			mu.Lock()
			early := asked[run.ID()].Add(min(d, math.MaxInt64-time.Second)).Sub(info.NextProcessAt)
			mu.Unlock()
			if early > 0 {
				t.Errorf("%s: early by %s", d, early)
			}
			if info.Retried != 0 {
				t.Errorf("%s: counted as a failure", d)
			}
		}
	})
}

func TestRetryAtOnceComesAgain(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Config{Redis: embeddedClient(t)})
	got := make(chan webhook.Run, 2)
	work(t, q, func(_ context.Context, run webhook.Run) error {
		got <- run
		if len(got) == 1 {
			return &webhook.RetryError{}
		}
		return nil
	})
	run := runOf(q, 1)
	enqueue(t, q, run)
	eventually(t, "handled twice", func() bool { return len(got) == 2 })
	eventually(t, "done", func() bool { return stateOf(t, q, run) == webhook.TaskMissing })
}

// What a handler says of its troubles may hold a URL or a payload: none of it reaches Redis, and so asynqmon.
func TestTroubleComesAgainAndTellsNothing(t *testing.T) {
	t.Parallel()
	const secret = "15552223333"
	for name, trouble := range map[string]func() error{
		"error":         func() error { return errors.New(secret) },
		"unavailable":   func() error { return errors.Join(webhook.ErrUnavailable, errors.New(secret)) },
		"panic":         func() error { panic(secret) },
		"runtime error": func() error { return []error{}[len(secret)] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := embeddedClient(t)
			logs := &logBook{}
			q := open(t, queue.Config{Redis: rdb, Logger: slog.New(logs)})
			var failed, done sync.Once
			handled := make(chan struct{})
			work(t, q, func(context.Context, webhook.Run) (err error) {
				failed.Do(func() { err = trouble() })
				if err == nil {
					done.Do(func() { close(handled) })
				}
				return err
			})
			run := runOf(q, 1)
			enqueue(t, q, run)
			info := taskIn(t, rdb, run.Queue, run.ID(), asynq.TaskStateRetry)
			mustNotContain(t, "last error", info.LastErr, secret)
			if info.LastErr == "" || info.Retried != 1 {
				t.Errorf("last error %q, retried %d", info.LastErr, info.Retried)
			}
			if err := asynq.NewInspectorFromRedisClient(rdb).RunTask(run.Queue, run.ID()); err != nil {
				t.Fatal(err)
			}
			<-handled
			eventually(t, "done", func() bool { return stateOf(t, q, run) == webhook.TaskMissing })
			if name == "panic" {
				mustNotContain(t, "log", logs.text(), secret)
			}
		})
	}
}

func TestTaskOfANewerVersionSurvives(t *testing.T) {
	t.Parallel()
	for name, task := range map[string]struct{ kind, payload string }{
		"format": {"delivery", "2 who knows"}, "type": {"wake", "1 acme ep_1"}, "wake-up's format": {"endpoint:wake", "2 who knows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := embeddedClient(t)
			q := open(t, queue.Config{Redis: rdb})
			h, got := deliverAll(1)
			stop := work(t, q, h)
			enqueueRaw(t, rdb, "live-0", "new", task.kind, []byte(task.payload))

			info := taskIn(t, rdb, "live-0", "new", asynq.TaskStateRetry)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if string(info.Payload) != task.payload || info.Retried != 0 || len(got) > 0 {
				t.Errorf("payload %q, retried %d, handled %d", info.Payload, info.Retried, len(got))
			}
		})
	}
}

func TestUndecodableTaskIsArchivedWithItsReason(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb})
	h, got := deliverAll(1)
	work(t, q, h)
	for id, task := range map[string]struct{ kind, payload string }{
		"few": {"delivery", "1 15552223333"}, "zero": {"delivery", "1 acme evt_1 15552223333 0"}, "none": {"delivery", ""},
		"word": {"delivery", "1 acme evt_1 15552223333 x"}, "joined": {"delivery", "115552223333 acme evt_1 ep_1 1"},
		"gap": {"delivery", "1 acme  15552223333 1"}, "no wake-up": {"endpoint:wake", "1 acme ep_1 15552223333"},
		"timeless": {"endpoint:wake", "1 acme ep_1 breaker 15552223333x 1"}, "countless": {"endpoint:wake", "1 acme 15552223333 breaker 1 x"},
	} {
		enqueueRaw(t, rdb, "live-0", id, task.kind, []byte(task.payload))
		info := taskIn(t, rdb, "live-0", id, asynq.TaskStateArchived)
		mustNotContain(t, "reason", info.LastErr, "15552223333")
		if info.LastErr == "" {
			t.Errorf("%q has no reason", task.payload)
		}
	}
	if len(got) > 0 {
		t.Error("an undecodable task was handled")
	}
}

func TestTaskTimeoutEndsTheHandlersContext(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, AttemptTimeout: time.Millisecond, TaskTimeout: time.Second})
	ended := make(chan error, 1)
	work(t, q, func(ctx context.Context, _ webhook.Run) error {
		<-ctx.Done()
		select {
		case ended <- ctx.Err():
		default:
		}
		return ctx.Err()
	})
	run := runOf(q, 1)
	enqueue(t, q, run)
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended by %v", err)
	}
	taskIn(t, rdb, run.Queue, run.ID(), asynq.TaskStateRetry)
}

func TestRedisComesAndGoes(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "it is killed and started again")
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	rdb := server.Client(t)
	logs := &logBook{}
	q := open(t, queue.Config{Redis: rdb, Serve: []string{"live-0"}, Shards: 1, Logger: slog.New(logs)})
	missed := func() bool { return strings.Contains(logs.text(), "Dequeue error") }
	server.Kill()

	h, got := deliverAll(3)
	work(t, q, h) // with no Redis yet
	eventually(t, "Redis was missed", missed)
	server.Restart(t)
	enqueue(t, q, runOf(q, 1))
	receive(t, got)

	server.Kill() // told once a minute
	eventually(t, "Redis is gone", func() bool { return rdb.Ping(t.Context()).Err() != nil })
	server.Restart(t)
	enqueue(t, q, runOf(q, 2))
	if run := receive(t, got); run != runOf(q, 2) {
		t.Errorf("handled %s once more", run.ID())
	}
	if n := strings.Count(logs.text(), "Dequeue error"); n != 1 {
		t.Errorf("told %d times within a minute", n)
	}
}
