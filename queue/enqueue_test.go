package queue_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func TestEnqueueMakesATaskOfIDsOnly(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		run := runOf(q, 7)
		enqueue(t, q, run)

		info := taskIn(t, rdb, run.Queue, "acme:evt_7:ep_7:1", asynq.TaskStatePending)
		if info.Type != "delivery" || string(info.Payload) != "1 acme evt_7 ep_7 1" {
			t.Errorf("task %q, payload %q", info.Type, info.Payload)
		}
		if info.MaxRetry != 1<<30 || info.Timeout.Seconds() != 35 || info.Retention != 0 || !info.Deadline.IsZero() {
			t.Errorf("max retry %d, timeout %s, retention %s, deadline %s", info.MaxRetry, info.Timeout, info.Retention, info.Deadline)
		}
	})
}

func TestEnqueueTwiceMakesOneTask(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q := open(t, queue.Config{Redis: rdb})
		run := runOf(q, 1)
		enqueue(t, q, run, run)
		enqueue(t, q, run)
		if n := rdb.LLen(t.Context(), "asynq:{"+run.Queue+"}:pending").Val(); n != 1 {
			t.Errorf("%d tasks", n)
		}
	})
}

func TestEnqueueListsTheQueues(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t)
	admin := redistest.Admin(t, rdb)
	q := open(t, queue.Config{Redis: rdb})
	listed := func() []string {
		names, err := asynq.NewInspectorFromRedisClient(rdb).Queues()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(slices.Values(names))
	}
	all := []string{"live-0", "live-1", "live-2", "live-3"}

	enqueue(t, q, runsOf(q, 40)...)
	if got := listed(); !slices.Equal(got, all) {
		t.Errorf("listed %s", got)
	}
	admin.FlushAll(t.Context())
	redistest.ForgetScripts(t, admin)
	enqueue(t, q, runsOf(q, 40)...)
	if got := listed(); !slices.Equal(got, all) {
		t.Errorf("listed after Redis came back empty: %s", got)
	}
}

func TestEnqueueIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t)
	q := open(t, queue.Config{Redis: rdb})
	enqueue(t, q, runsOf(q, 40)...) // every queue is listed, the script known
	trips := &tripCounter{}
	rdb.AddHook(trips)

	for name, test := range map[string]struct{ runs, pipelines int }{
		"none":           {0, 0},
		"one":            {1, 1},
		"a hundred":      {100, 1},
		"a thousand":     {1000, 1},
		"a thousand one": {1001, 2},
	} {
		trips.reset()
		runs := runsOf(q, test.runs)
		enqueue(t, q, runs...)
		scripts := 0 // what Asynq's own are known by: each would be sent by itself
		for batch := range slices.Chunk(runs, 1000) {
			of := map[string]int{}
			for _, run := range batch {
				of[run.Queue]++
			}
			for _, n := range of {
				scripts += (n + 49) / 50
			}
		}
		if trips.pipelines.Load() != int64(test.pipelines) || trips.piped.Load() != int64(scripts) || trips.single.Load() != 0 {
			t.Errorf("%s: %d pipelines of %d commands, want %d of %d; %d single commands", name,
				trips.pipelines.Load(), trips.piped.Load(), test.pipelines, scripts, trips.single.Load())
		}
	}
}

// What stands in Redis afterwards is what Asynq's own client makes of the same tasks, those that were there before included.
func TestEnqueueIsAsAsynqs(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		q, own := open(t, queue.Config{Redis: rdb}), embeddedClient(t)
		runs := runsOf(q, 220)
		for i, run := range runs {
			if i%2 == 0 { // so that some queue has more than a script's share
				run.Queue = "live-0"
			}
			runs[i] = run
		}
		enqueue(t, q, runs[100:120]...)
		before := rdb.HGetAll(t.Context(), "asynq:{live-0}:t:"+runs[100].ID()).Val()
		enqueue(t, q, append(runs, runs[:10]...)...)
		if after := rdb.HGetAll(t.Context(), "asynq:{live-0}:t:"+runs[100].ID()).Val(); !maps.Equal(before, after) {
			t.Errorf("a task was %v and is %v", before, after)
		}
		for _, run := range slices.Concat(runs[100:120], runs[:100], runs[120:]) {
			payload := fmt.Sprintf("1 acme %s %s 1", run.EventID, run.EndpointID)
			_, err := asynq.NewClientFromRedisClient(own).Enqueue(asynq.NewTask("delivery", []byte(payload)),
				asynq.Queue(run.Queue), asynq.TaskID(run.ID()), asynq.MaxRetry(1<<30), asynq.Timeout(35*time.Second))
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"live-0", "live-1", "live-2", "live-3"} {
			sameTasks(t, rdb, own, name)
		}
	})
}

// sameTasks compares what is pending, in its order, and each task but for the time at which it was enqueued.
func sameTasks(t *testing.T, got, want redis.UniversalClient, name string) {
	t.Helper()
	pending := func(c redis.UniversalClient) []string {
		return c.LRange(t.Context(), "asynq:{"+name+"}:pending", 0, -1).Val()
	}
	if !slices.Equal(pending(got), pending(want)) {
		t.Errorf("%s: pending %v, want %v", name, pending(got), pending(want))
	}
	for _, id := range pending(want) {
		g, w := got.HGetAll(t.Context(), "asynq:{"+name+"}:t:"+id).Val(), want.HGetAll(t.Context(), "asynq:{"+name+"}:t:"+id).Val()
		if len(g["pending_since"]) != 19 { // nanoseconds
			t.Errorf("%s is pending since %q", id, g["pending_since"])
		}
		delete(g, "pending_since")
		delete(w, "pending_since")
		if !maps.Equal(g, w) {
			t.Errorf("%s is %v, want %v", id, g, w)
		}
	}
}

func TestEnqueueAfterScriptsAreLost(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t)
	q := open(t, queue.Config{Redis: rdb})
	enqueue(t, q, runsOf(q, 50)...)
	redistest.ForgetScripts(t, redistest.Admin(t, rdb))
	trips := &tripCounter{}
	rdb.AddHook(trips)

	runs := runsOf(q, 80) // of which 30 are new
	enqueue(t, q, runs...)
	if trips.pipelines.Load() != 2 || trips.single.Load() != 0 {
		t.Errorf("%d pipelines, %d single commands", trips.pipelines.Load(), trips.single.Load())
	}
	states, err := q.Inspect(t.Context(), runs)
	if err != nil || slices.ContainsFunc(states, func(s webhook.TaskState) bool { return s != webhook.TaskAlive }) {
		t.Errorf("%v, %v", states, err)
	}
}

func TestRedisAwayOrRefusing(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "it is killed")
	server := redistest.Start(t)
	rdb := server.Client(t)
	q := open(t, queue.Config{Redis: rdb})
	run := runOf(q, 1)
	enqueue(t, q, run)

	redistest.Configure(t, redistest.Admin(t, rdb), "maxmemory", "1")
	if err := q.Enqueue(t.Context(), runsOf(q, 3)); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("enqueue into a full Redis: %v", err)
	}
	if err := q.Schedule(t.Context(), wakeupOf(1, time.Now())); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("schedule in a full Redis: %v", err)
	}
	server.Kill()
	var all sync.WaitGroup
	for what, call := range map[string]func() error{
		"enqueue":  func() error { return q.Enqueue(t.Context(), []webhook.Run{run}) },
		"schedule": func() error { return q.Schedule(t.Context(), wakeupOf(1, time.Now())) },
		"inspect":  func() error { _, err := q.Inspect(t.Context(), []webhook.Run{run}); return err },
		"remove":   func() error { return q.Remove(t.Context(), run) },
	} {
		all.Go(func() {
			if err := call(); !errors.Is(err, webhook.ErrUnavailable) {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	all.Wait()
}

// A client that claims to have sent what it did not must not count as success: a lost task is a late delivery.
func TestEnqueueBelievesOnlyAnswers(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb})
	rdb.AddHook(silent{})
	if err := q.Enqueue(t.Context(), runsOf(q, 2)); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("enqueue: %v", err)
	}
	if err := q.Schedule(t.Context(), wakeupOf(1, time.Now())); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("schedule: %v", err)
	}
}

func TestEnqueueRefusesARunWithoutQueue(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb})
	good, bad := runOf(q, 1), runOf(q, 2)
	bad.Queue = ""
	if err := q.Enqueue(t.Context(), []webhook.Run{good, bad}); err == nil || errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if stateOf(t, q, good) != webhook.TaskMissing {
		t.Error("part of a refused batch was sent")
	}
}

func TestEnqueueFromManyGoroutines(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t)
	q := open(t, queue.Config{Redis: rdb})
	runs := runsOf(q, 200)
	errs := make(chan error, 20)
	for part := range slices.Chunk(runs, 10) {
		go func() { errs <- q.Enqueue(context.Background(), part) }()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	states, err := q.Inspect(t.Context(), runs)
	if err != nil || slices.Contains(states, webhook.TaskMissing) {
		t.Errorf("%v, %v", states, err)
	}
}

// tripCounter counts round trips to Redis.
type tripCounter struct{ single, pipelines, piped atomic.Int64 }

func (c *tripCounter) reset() {
	c.single.Store(0)
	c.pipelines.Store(0)
	c.piped.Store(0)
}

func (c *tripCounter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *tripCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.single.Add(1)
		return next(ctx, cmd)
	}
}

func (c *tripCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.pipelines.Add(1)
		c.piped.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

// silent swallows pipelines.
type silent struct{}

func (silent) DialHook(next redis.DialHook) redis.DialHook { return next }

func (silent) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (silent) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { return nil }
}
