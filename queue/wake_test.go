package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// wakes handles wake-ups with h, and no deliveries.
func wakes(h func(context.Context, webhook.EndpointRef, bool) error) webhook.Handlers {
	return webhook.Handlers{Deliver: func(context.Context, webhook.Run) error { return nil }, Wake: h}
}

type woken struct {
	ref   webhook.EndpointRef
	early bool
}

func TestWakeUpComes(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		got := make(chan woken, 2)
		workAll(t, q, wakes(func(_ context.Context, ref webhook.EndpointRef, early bool) error {
			got <- woken{ref, early}
			return nil
		}))
		for range 2 { // a task that is done makes room for the next
			w := wakeupOf(1, time.Now().Add(100*time.Millisecond))
			schedule(t, q, w)
			if one := receive(t, got); one.ref != w.Endpoint || one.early || time.Now().Before(w.At) {
				t.Errorf("%+v, at %s for %s", one, time.Now(), w.At)
			}
			eventually(t, "done", func() bool {
				_, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo(q.QueueFor(w.Endpoint), wakeID(w))
				return errors.Is(err, asynq.ErrTaskNotFound)
			})
		}
	})
}

func TestWakeUpTellsWhetherItIsEarly(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb})
	got := make(chan woken, 4)
	workAll(t, q, wakes(func(_ context.Context, ref webhook.EndpointRef, early bool) error {
		got <- woken{ref, early}
		return nil
	}))
	// Other processes' clocks may be ahead by five seconds.
	for from, early := range map[time.Duration]bool{-time.Hour: false, 0: false, 5 * time.Second: false, time.Minute: true} {
		payload := fmt.Sprintf("1 acme ep_1 breaker %d 3", time.Now().Add(from).UnixMilli())
		enqueueRaw(t, rdb, "live-0", "wake:"+from.String(), "endpoint:wake", []byte(payload))
		if one := receive(t, got); one.early != early {
			t.Errorf("%s before its time: early %t", from, one.early)
		}
	}
}

func TestWakeUpDoesNotWaitForASlot(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Concurrency: 2})
	g := newGauge()
	got := make(chan webhook.EndpointRef, 1)
	finish := sync.OnceFunc(func() { close(g.gate) })
	workAll(t, q, webhook.Handlers{Deliver: g.handle, Wake: func(_ context.Context, ref webhook.EndpointRef, _ bool) error {
		got <- ref
		return nil
	}})
	t.Cleanup(finish) // a failure must not wait for what waits for it
	w := wakeupOf(1, time.Now().Add(-time.Minute))
	for i, name := range []string{"live-0", "live-1"} { // the wake-up is of live-2
		run := runOf(q, i)
		run.Queue = name
		enqueue(t, q, run)
	}
	eventually(t, "every slot is taken", func() bool { now, _, _ := g.look(); return now == 2 })
	schedule(t, q, w)
	if ref := receive(t, got); ref != w.Endpoint {
		t.Errorf("woken: %s", ref)
	}
	finish()
	eventually(t, "all handled", func() bool { _, _, done := g.look(); return done == 2 })
}

func TestWakeUpsAreBounded(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Concurrency: 200, AttemptTimeout: time.Second, TaskTimeout: time.Minute})
	g := newGauge()
	workAll(t, q, wakes(func(ctx context.Context, ref webhook.EndpointRef, _ bool) error {
		return g.handle(ctx, webhook.Run{Queue: q.QueueFor(ref)})
	}))
	for n := range 60 {
		schedule(t, q, wakeupOf(n, time.Now().Add(-time.Minute)))
	}
	eventually(t, "all taken", func() bool { return active(t, rdb, "live-0", "live-1", "live-2", "live-3") == 60 })
	eventually(t, "as many as may be", func() bool { now, _, _ := g.look(); return now == 32 })
	close(g.gate)
	eventually(t, "all handled", func() bool { _, _, done := g.look(); return done == 60 })
	if _, most, _ := g.look(); most != 32 {
		t.Errorf("%d at once", most)
	}
}

// A wake-up that asks for itself again is the same task, and may have the next one scheduled.
func TestWakeUpComesAgain(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Shards: 1})
	w := wakeupOf(1, time.Now().Add(-time.Minute))
	workAll(t, q, wakes(func(ctx context.Context, _ webhook.EndpointRef, _ bool) error {
		if err := q.Schedule(ctx, wakeupOf(1, time.Now().Add(time.Minute))); err != nil {
			t.Errorf("schedule: %v", err)
		}
		return &webhook.RetryError{After: time.Hour}
	}))
	schedule(t, q, w)
	info := taskIn(t, rdb, "live-0", wakeID(w), asynq.TaskStateRetry)
	if until := time.Until(info.NextProcessAt); until < 59*time.Minute || info.Retried != 0 {
		t.Errorf("again in %s, retried %d", until, info.Retried)
	}
	if n := rdb.ZCard(t.Context(), "asynq:{live-0}:scheduled").Val(); n != 1 {
		t.Errorf("%d more wake-ups", n)
	}
}

func TestTroubleOfAWakeUpTellsNothing(t *testing.T) {
	t.Parallel()
	const secret = "15552223333"
	for name, trouble := range map[string]func() error{
		"error":       func() error { return errors.New(secret) },
		"unavailable": func() error { return errors.Join(webhook.ErrUnavailable, errors.New(secret)) },
		"panic":       func() error { panic(secret) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := embeddedClient(t)
			logs := &logBook{}
			q := open(t, queue.Config{Redis: rdb, Logger: slog.New(logs)})
			var once sync.Once
			handled := make(chan struct{})
			workAll(t, q, wakes(func(context.Context, webhook.EndpointRef, bool) (err error) {
				failed := false
				once.Do(func() { failed, err = true, trouble() })
				if !failed && err == nil {
					close(handled)
				}
				return err
			}))
			w := wakeupOf(1, time.Now().Add(-time.Minute))
			schedule(t, q, w)
			info := taskIn(t, rdb, q.QueueFor(w.Endpoint), wakeID(w), asynq.TaskStateRetry)
			mustNotContain(t, "last error", info.LastErr, secret)
			if info.LastErr == "" {
				t.Error("no last error")
			}
			if err := asynq.NewInspectorFromRedisClient(rdb).RunTask(info.Queue, info.ID); err != nil {
				t.Fatal(err)
			}
			receive(t, handled)
			if name == "panic" {
				mustNotContain(t, "log", logs.text(), secret)
			}
		})
	}
}

func TestShutdownTellsOfADeafWakeUp(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, AttemptTimeout: time.Millisecond, TaskTimeout: time.Second, ShutdownTimeout: 2 * time.Second})
	taken, finish, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- q.Run(ctx, wakes(func(context.Context, webhook.EndpointRef, bool) error {
			defer close(gone)
			close(taken)
			<-finish
			return nil
		}))
	}()
	schedule(t, q, wakeupOf(1, time.Now().Add(-time.Minute)))
	receive(t, taken)
	cancel()
	if err := <-ended; !errors.Is(err, queue.ErrUnfinished) {
		t.Errorf("run: %v", err)
	}
	close(finish)
	<-gone
}
