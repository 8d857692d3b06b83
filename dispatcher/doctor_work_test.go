package dispatcher_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func untouched(orphan) {}

// TestDoctorSeesOrphans damages the task of an open delivery in each way that a reconciler repairs.
func TestDoctorSeesOrphans(t *testing.T) {
	t.Parallel()
	for _, by := range damages() {
		t.Run(by.brand, func(t *testing.T) {
			t.Parallel()
			d, _ := lostDelivery(t, redistest.Start(t), by.do)
			says(t, d, wantBad("orphans", "1 open delivery without a task", "event e1 for acme:ep ("+by.cause+")", "start a worker"))
		})
	}
	t.Run("none", func(t *testing.T) {
		d, _ := lostDelivery(t, redistest.Start(t), untouched)
		says(t, d, wantOK("orphans", "none; 1 task looked for"))
	})
}

// TestDoctorSendsToTheReconciler when there is one: it runs, and has not come to the delivery yet.
func TestDoctorSendsToTheReconciler(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, _ := lostDelivery(t, server, orphan.lose)
	workQueues(t, queuesOf(t, server))
	dispatchertest.Eventually(t, func() bool { return wantOK("workers").isIn(d.Doctor(t.Context())) })
	says(t, d, wantWarn("orphans", "acme:ep (missing)", "run outhook doctor again in 15 s"))
}

// workQueues runs them until the test ends, and no reconciler.
func workQueues(t *testing.T, q *queue.Queue) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- q.Run(ctx, webhook.Handlers{
			Deliver: func(context.Context, webhook.Run) error { return nil },
			Wake:    func(context.Context, webhook.EndpointRef, bool) error { return nil },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestDoctorLooksAtSome of very many endpoints, and says so.
func TestDoctorLooksAtSome(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, _ := lostDelivery(t, server, orphan.lose)
	later := float64(time.Now().Add(time.Hour).UnixMilli())
	due := make([]redis.Z, 1004)
	for i := range due {
		due[i] = redis.Z{Score: later, Member: fmt.Sprintf("acme:other%d", i)}
	}
	if err := server.Admin(t).ZAdd(t.Context(), "oh:{s07}:due", due...).Err(); err != nil {
		t.Fatal(err)
	}
	says(t, d, wantBad("orphans", "looked at 1000 of 1005 endpoints", "acme:ep (missing)"), wantOK("reconciler", "1005 endpoints"))
}

func TestDoctorSeesWorkThatNobodyDoes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, run := lostDelivery(t, server, untouched)
	rdb := server.Admin(t)
	says(t, d, wantBad("workers", "none runs", "1 task waits", "outhook serve"), wantOK("queues", "1 task pending"), wantOK("oldest runnable", run.Queue))

	task := orphan{t: t, rdb: rdb, run: run}
	pending := func(since time.Duration) {
		task.must(rdb.HSet(t.Context(), task.task(), "pending_since", time.Now().Add(-since).UnixNano()))
	}
	pending(20 * time.Second)
	says(t, d, wantWarn("oldest runnable", "for 20 s, in "+run.Queue, "1 task pending"))
	pending(3 * time.Minute)
	says(t, d, wantBad("oldest runnable", "for 3 min"))

	// Somebody works one queue, and it is not the one.
	other := onServer(t, server, func(c *dispatcher.Config) { c.Serve = []string{"bulk-3"} })
	dispatchertest.Eventually(t, func() bool {
		return wantBad("workers", "no worker works these queues", run.Queue+" (1 task)").isIn(d.Doctor(t.Context()))
	})
	other.Stop()
}

// Nothing of a job is in any queue before somebody works on it.
func TestDoctorSeesThatNobodyWorksOnJobs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	serving := func(queues ...string) func(*dispatcher.Config) {
		return func(c *dispatcher.Config) { c.Serve = queues }
	}
	d := onServer(t, server, serving("live-0", "live-1", "live-2", "live-3"))
	dispatchertest.Eventually(t, func() bool {
		return wantBad("workers", "no worker works a queue of replays", "queue.serve").isIn(d.Doctor(t.Context()))
	})
	onServer(t, server, serving("bulk-3"))
	dispatchertest.Eventually(t, func() bool {
		return wantWarn("workers", "no worker works these queues", "bulk-0, bulk-1, bulk-2").isIn(d.Doctor(t.Context()))
	})
}

// TestDoctorSeesAPausedQueue, and what it says resumes it.
func TestDoctorSeesAPausedQueue(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, run := lostDelivery(t, server, untouched)
	rdb := server.Admin(t)
	for _, name := range []string{run.Queue, "bulk-1"} {
		if err := rdb.Set(t.Context(), "asynq:{"+name+"}:paused", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	findings := says(t, d, wantBad("queues", "paused", run.Queue, "bulk-1", "1 task waits there", "redis-cli DEL 'asynq:{"))
	for _, f := range findings {
		_, keys, advised := strings.Cut(f.Advice, "redis-cli DEL ")
		for key := range strings.FieldsSeq(keys) {
			if advised && rdb.Del(t.Context(), strings.Trim(key, "'")).Val() != 1 {
				t.Errorf("no such key: %s", key)
			}
		}
	}
	says(t, d, wantOK("queues"))
}

// TestDoctorSeesFewerShards: tasks of queues that nobody works any more.
func TestDoctorSeesFewerShards(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	keys := sharedKeys()
	with := func(shards int) func(*dispatcher.Config) {
		return func(c *dispatcher.Config) { c.Secrets, c.Shards = keys, shards }
	}
	before, after := notRun(t, server.Client(t), with(12)), notRun(t, server.Client(t), with(2))
	for i := range 20 {
		id := fmt.Sprint("ep", i)
		if _, _, err := before.CreateEndpoint(t.Context(), webhook.Endpoint{ID: id, Brand: "acme", URL: "https://example.com/", Purpose: webhook.PurposeStatus}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := before.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	says(t, before, wantOK("queues", "20 tasks pending"))
	says(t, after, wantBad("queues", "live-11 holds", "beyond queue.shards of this configuration, 2: nobody runs them", "set queue.shards to 12 or more"))
	worker := onServer(t, server, with(12), func(c *dispatcher.Config) { c.Serve = []string{"live-11"} })
	dispatchertest.Eventually(t, func() bool {
		return wantWarn("queues", "a worker works live-11", "daemons differ").isIn(after.Doctor(t.Context()))
	})
	worker.Stop()
}

func TestDoctorSeesArchivedTasks(t *testing.T) {
	t.Parallel()
	d, run := lostDelivery(t, redistest.Start(t), orphan.archive)
	says(t, d, wantWarn("queues", "archived tasks", run.Queue+" (1)", "asynqmon"))
}

func TestDoctorSeesThatNobodyReconciles(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, _ := lostDelivery(t, server, untouched)
	says(t, d, wantOK("reconciler", "1 endpoint with open deliveries"))
	backdate(t, server, "oh:*:due", "acme:ep", 10*time.Minute)
	says(t, d, wantBad("reconciler", "1 endpoint with open deliveries overdue", "acme:ep for 9 min", "start a worker"))
	begun := redis.Z{Score: float64(time.Now().Add(-time.Hour).UnixMilli()), Member: "acme:e0"}
	if err := server.Admin(t).ZAdd(t.Context(), "oh:{s03}:admitting", begun).Err(); err != nil {
		t.Fatal(err)
	}
	says(t, d, wantBad("reconciler", "the fan-out of 1 event is not finished, the oldest for 60 min"))
}

// TestDoctorSeesWhatIsOpenLong in the queue, in the line and in wait of a retry.
func TestDoctorSeesWhatIsOpenLong(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, _ := lostDelivery(t, server, untouched)
	says(t, d, wantOK("oldest open", "event e1 for acme:ep"))
	for i := range 4 { // one more than there are slots
		if _, err := d.Publish(t.Context(), event(fmt.Sprint("later", i))); err != nil {
			t.Fatal(err)
		}
	}
	backdate(t, server, "*:l:acme:ep", "later3", 70*time.Hour)
	says(t, d, wantWarn("oldest open", "2 d: event later3 for acme:ep", "given up in ", "outhook event explain later3 --brand acme"))

	rdb := server.Admin(t)
	record := redistest.Keys(t, rdb, "*:d:acme:ep:e1")[0]
	began := time.Now().Add(-76 * time.Hour).UnixMilli()
	if err := rdb.HSet(t.Context(), record, "pub", began).Err(); err != nil {
		t.Fatal(err)
	}
	says(t, d, wantBad("oldest open", "event e1 for acme:ep", "should have been given up"))
	out := strings.Replace(strings.TrimSuffix(record, ":e1"), ":d:", ":o:", 1)
	if rdb.ZRem(t.Context(), out, "e1").Val() != 1 || rdb.ZAdd(t.Context(), strings.Replace(out, ":o:", ":r:", 1), redis.Z{Score: 1e14, Member: "e1"}).Val() != 1 {
		t.Fatal("e1 was not in the queue")
	}
	says(t, d, wantBad("oldest open", "event e1 for acme:ep", "should have been given up"))
}
