package queue_test

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// What an operator does to tasks in asynqmon, done to those of a whole dispatcher.

// operator has a receiver that refuses the first POST, and a dispatcher that
// takes live deliveries once it works.
type operator struct {
	*testing.T
	rdb       redis.UniversalClient
	keys      dispatcher.KeyRing
	publisher *dispatchertest.Dispatcher
	receiver  *dispatchertest.Receiver
	inspector *asynq.Inspector
	queue     string
	after     time.Duration // until the first retry
}

func newOperator(t *testing.T, after time.Duration, answer http.HandlerFunc) *operator {
	t.Helper()
	server := redistest.Start(t)
	o := &operator{T: t, rdb: server.Client(t), after: after, inspector: asynq.NewInspectorFromRedisClient(server.Admin(t))}
	o.publisher = o.start("bulk-0")
	o.receiver = o.publisher.Receiver(t, "acme", webhook.PurposeStatus)
	o.receiver.Answer(answer)
	o.queue = open(t, queue.Config{Redis: o.rdb}).QueueFor(o.receiver.Endpoint.Ref())
	return o
}

func (o *operator) start(serve ...string) *dispatchertest.Dispatcher {
	o.Helper()
	return dispatchertest.Start(o.T, func(c *dispatcher.Config) {
		if o.keys.IsZero() {
			o.keys = c.Secrets
		}
		c.Redis, c.Secrets, c.Serve = o.rdb, o.keys, serve
		c.Retry.InitialInterval, c.Retry.MaxInterval = o.after, max(o.after, time.Minute)
	})
}

func (o *operator) publish(id string) {
	o.Helper()
	e := webhook.Event{ID: id, Brand: "acme", Type: "message.read", Payload: []byte(`{}`)}
	if _, err := o.publisher.Publish(o.Context(), e); err != nil {
		o.Fatal(err)
	}
}

// only answers the one task that a list has, as soon as it has one.
func (o *operator) only(list func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error)) string {
	o.Helper()
	var id string
	dispatchertest.Eventually(o, func() bool {
		tasks, err := list(o.queue)
		if err == nil && len(tasks) == 1 {
			id = tasks[0].ID
		}
		return id != ""
	})
	return id
}

func (o *operator) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// refuseFirst answers the first POST with 500.
func refuseFirst() http.HandlerFunc {
	var posts atomic.Int32
	return func(w http.ResponseWriter, _ *http.Request) {
		if posts.Add(1) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}

func TestTaskTakenAwayByHand(t *testing.T) {
	t.Parallel()
	actions := map[string]func(*operator) func(queue, id string) error{
		"delete":  func(o *operator) func(string, string) error { return o.inspector.DeleteTask },
		"archive": func(o *operator) func(string, string) error { return o.inspector.ArchiveTask },
	}
	for name, action := range actions {
		t.Run(name+" pending", func(t *testing.T) {
			t.Parallel()
			o := newOperator(t, time.Second, nil)
			o.publish("e1")
			o.must(action(o)(o.queue, o.only(o.inspector.ListPendingTasks)))
			o.start()
			o.publisher.WaitDelivered(t, "acme", "e1")
		})
		t.Run(name+" retrying", func(t *testing.T) {
			t.Parallel()
			o := newOperator(t, 3*time.Second, refuseFirst())
			o.start()
			o.publish("e1")
			o.must(action(o)(o.queue, o.only(o.inspector.ListRetryTasks)))
			o.publisher.WaitDelivered(t, "acme", "e1")
			if n := len(o.receiver.Received()); n != 2 {
				t.Errorf("%d POSTs", n)
			}
		})
	}
}

func TestRetryRunByHand(t *testing.T) {
	t.Parallel()
	o := newOperator(t, time.Hour, refuseFirst())
	o.start()
	o.publish("e1")
	o.must(o.inspector.RunTask(o.queue, o.only(o.inspector.ListRetryTasks)))
	o.publisher.WaitDelivered(t, "acme", "e1")
}

// A receiver that asks for an hour's pause gets one delivery when its wake-up is run.
func TestWakeupRunByHand(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	o := newOperator(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) {
		if posts.Add(1) == 1 {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	o.start()
	o.publish("e1")
	o.only(o.inspector.ListRetryTasks)
	o.publish("e2")
	o.must(o.inspector.RunTask(o.queue, o.only(o.inspector.ListScheduledTasks)))
	o.publisher.WaitDelivered(t, "acme", "e2")
}

func TestQueuePausedByHand(t *testing.T) {
	t.Parallel()
	o := newOperator(t, time.Second, nil)
	o.start()
	o.publish("e1")
	o.publisher.WaitDelivered(t, "acme", "e1")
	o.must(o.inspector.PauseQueue(o.queue))
	o.publish("e2")
	patience := 2
	if os.Getenv("OUTHOOK_TEST_LONG") != "" {
		patience = 12 // longer than the reconciler lets a task be unseen
	}
	for range patience {
		time.Sleep(time.Second)
		if n := len(o.receiver.Received()); n != 1 {
			t.Fatalf("%d POSTs while the queue is paused", n)
		}
	}
	o.must(o.inspector.UnpauseQueue(o.queue))
	o.publisher.WaitDelivered(t, "acme", "e2")
	if n := len(o.receiver.Received()); n != 2 {
		t.Errorf("%d POSTs", n)
	}
}
