package monitor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/queue/monitor"
)

const tasks = "/asynqmon/api/queues/live-0/"

// desk is a queue, and the pages on which somebody works it by hand.
type desk struct {
	*site
	redis redis.UniversalClient
	queue *queue.Queue
	run   webhook.Run
}

func onEveryDesk(t *testing.T, test func(t *testing.T, d desk)) {
	for name, start := range map[string]func(*testing.T) redis.UniversalClient{
		"embedded": func(t *testing.T) redis.UniversalClient { return connect(t) },
		"redis":    func(t *testing.T) redis.UniversalClient { return redistest.Start(t).Client(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := start(t)
			q, err := queue.Open(queue.Config{Redis: rdb, Shards: 1, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			ref := webhook.DeliveryRef{Brand: "acme", EventID: "evt_1", EndpointID: "ep_1"}
			run := webhook.Run{DeliveryRef: ref, Number: 1, Queue: "live-0"}
			test(t, desk{site: serve(t, monitor.Config{Redis: rdb}), redis: rdb, queue: q, run: run})
		})
	}
}

// push presses a button.
func (d desk) push(method, path string) {
	d.t.Helper()
	if status, body := d.do(method, tasks+path); status != 200 && status != 204 {
		d.t.Fatalf("%s %s: %d, %s", method, path, status, body)
	}
}

func (d desk) enqueue() {
	d.t.Helper()
	if err := d.queue.Enqueue(d.t.Context(), []webhook.Run{d.run}); err != nil {
		d.t.Fatal(err)
	}
}

func (d desk) state() webhook.TaskState {
	d.t.Helper()
	states, err := d.queue.Inspect(d.t.Context(), []webhook.Run{d.run})
	if err != nil {
		d.t.Fatal(err)
	}
	return states[0]
}

func (d desk) mustBe(want webhook.TaskState) {
	d.t.Helper()
	if got := d.state(); got != want {
		d.t.Errorf("the task is %s, not %s", got, want)
	}
}

// listed answers what a page shows of the tasks in a state.
func (d desk) listed(state string) (payloads []string) {
	d.t.Helper()
	_, body := d.do("GET", tasks+state+"_tasks")
	var page struct{ Tasks []struct{ Payload string } }
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		d.t.Fatal(err)
	}
	for _, task := range page.Tasks {
		payloads = append(payloads, task.Payload)
	}
	return payloads
}

func (d desk) waitListed(state string) {
	d.t.Helper()
	d.eventually("a task in state "+state, func() bool { return len(d.listed(state)) > 0 })
}

func (d desk) eventually(what string, holds func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("never: %s", what)
		}
	}
}

// work runs the queue until the test ends.
func (d desk) work(do webhook.Handlers) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.queue.Run(ctx, do) }()
	d.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("run: %v", err)
		}
	})
}

// repeating sends every run it gets, and wants the first to be repeated in an hour.
func repeating() (webhook.Handlers, <-chan webhook.Run) {
	got := make(chan webhook.Run, 10)
	first := true
	return webhook.Handlers{
		Wake: func(context.Context, webhook.EndpointRef, bool) error { return nil },
		Deliver: func(_ context.Context, run webhook.Run) error {
			again := first
			first = false
			got <- run
			if again {
				return &webhook.RetryError{After: time.Hour}
			}
			return nil
		},
	}, got
}

func TestDeletedPendingTaskIsMissing(t *testing.T) {
	onEveryDesk(t, func(_ *testing.T, d desk) {
		d.enqueue()
		d.push("DELETE", "pending_tasks/"+d.run.ID())
		d.mustBe(webhook.TaskMissing)
		d.enqueue() // its id is free
		d.mustBe(webhook.TaskAlive)
	})
}

func TestDeletedRetryIsMissing(t *testing.T) {
	onEveryDesk(t, func(_ *testing.T, d desk) {
		do, got := repeating()
		d.work(do)
		d.enqueue()
		<-got
		d.waitListed("retry")
		d.mustBe(webhook.TaskAlive)
		d.push("DELETE", "retry_tasks/"+d.run.ID())
		d.mustBe(webhook.TaskMissing)
	})
}

func TestArchivedTaskHasEnded(t *testing.T) {
	onEveryDesk(t, func(t *testing.T, d desk) {
		d.enqueue()
		d.push("POST", "pending_tasks/"+d.run.ID()+":archive")
		d.mustBe(webhook.TaskEnded)
		if err := d.queue.Remove(t.Context(), d.run); err != nil {
			t.Fatal(err)
		}
		d.mustBe(webhook.TaskMissing)
		if left := d.listed("archived"); len(left) > 0 {
			t.Errorf("left in the archive: %q", left)
		}
	})
}

func TestRetryRunsNow(t *testing.T) {
	onEveryDesk(t, func(t *testing.T, d desk) {
		do, got := repeating()
		d.work(do)
		d.enqueue()
		<-got
		d.waitListed("retry")
		d.push("POST", "retry_tasks/"+d.run.ID()+":run")
		if run := <-got; run != d.run {
			t.Errorf("handled %+v", run)
		}
	})
}

func TestWakeUpRunsNow(t *testing.T) {
	onEveryDesk(t, func(t *testing.T, d desk) {
		at := time.Date(2100, 1, 2, 3, 4, 5, 678e6, time.UTC)
		w := webhook.Wakeup{Endpoint: d.run.Endpoint(), Gate: webhook.GateBreaker, At: at, Waiting: 41}
		if err := d.queue.Schedule(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		const want = `brand     acme
endpoint  ep_1
waiting   41
gate      breaker
until     2100-01-02T03:04:05.678Z
explain   outhook endpoint get --brand acme \
            ep_1`
		if got := d.listed("scheduled"); !slices.Equal(got, []string{want}) {
			t.Errorf("shown as %q", got)
		}
		got := make(chan bool, 1)
		do, _ := repeating()
		do.Wake = func(_ context.Context, ref webhook.EndpointRef, early bool) error {
			got <- early && ref == w.Endpoint
			return nil
		}
		d.work(do)
		d.push("POST", fmt.Sprintf("scheduled_tasks/wake:acme:ep_1:%d:run", at.UnixMilli()))
		if !<-got {
			t.Error("another endpoint's, or not early")
		}
	})
}

// What waits in a paused queue is where it belongs: nothing is to be done about it.
func TestPausedQueueKeepsItsTasks(t *testing.T) {
	onEveryDesk(t, func(t *testing.T, d desk) {
		if status, _ := d.do("POST", "/asynqmon/api/queues/live-0:pause"); status != 204 {
			t.Fatalf("pause: %d", status)
		}
		turned := &turnedAway{}
		d.redis.AddHook(turned)
		do, got := repeating()
		d.work(do)
		d.enqueue()
		d.eventually("the worker finds a task, and may not take it", func() bool { return turned.times.Load() > 0 })
		d.mustBe(webhook.TaskAlive)
		if n := len(d.listed("pending")); n != 1 || len(got) > 0 {
			t.Errorf("%d tasks pending, %d handled", n, len(got))
		}
		if status, _ := d.do("POST", "/asynqmon/api/queues/live-0:resume"); status != 204 {
			t.Fatalf("resume: %d", status)
		}
		if run := <-got; run != d.run {
			t.Errorf("handled %+v", run)
		}
	})
}

// turnedAway counts how often a worker asked whether the queue is paused, which it does when it was given no task although
// there is one.
type turnedAway struct{ times atomic.Int64 }

func (c *turnedAway) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *turnedAway) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "exists" && slices.Contains(cmd.Args(), any("asynq:{live-0}:paused")) {
			c.times.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (c *turnedAway) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
