package dispatcher_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// orphan is a delivery whose task is damaged by hand.
type orphan struct {
	t   *testing.T
	rdb redis.UniversalClient
	run webhook.Run
}

func (o orphan) key(name string) string { return "asynq:{" + o.run.Queue + "}:" + name }
func (o orphan) task() string           { return o.key("t:" + o.run.ID()) }

func (o orphan) must(cmd redis.Cmder) {
	o.t.Helper()
	if err := cmd.Err(); err != nil {
		o.t.Fatal(err)
	}
}

// take has the task be active, as a worker leaves it that is gone.
func (o orphan) take() {
	o.t.Helper()
	o.must(o.rdb.LRem(o.t.Context(), o.key("pending"), 1, o.run.ID()))
	o.must(o.rdb.LPush(o.t.Context(), o.key("active"), o.run.ID()))
	o.must(o.rdb.HSet(o.t.Context(), o.task(), "state", "active"))
}

func (o orphan) loseHash() { o.t.Helper(); o.must(o.rdb.Del(o.t.Context(), o.task())) }
func (o orphan) loseEntry() {
	o.t.Helper()
	o.must(o.rdb.LRem(o.t.Context(), o.key("pending"), 1, o.run.ID()))
}
func (o orphan) lose()     { o.t.Helper(); o.loseEntry(); o.loseHash() }
func (o orphan) endLease() { o.t.Helper(); o.take(); o.note("lease", time.Now().Add(-5*time.Second)) } // too fresh for Asynq itself

func (o orphan) archive() {
	o.t.Helper()
	o.loseEntry()
	o.must(o.rdb.HSet(o.t.Context(), o.task(), "state", "archived"))
	o.note("archived", time.Now())
}

// note adds the task to a sorted set of its queue.
func (o orphan) note(set string, at time.Time) {
	o.t.Helper()
	o.must(o.rdb.ZAdd(o.t.Context(), o.key(set), redis.Z{Score: float64(at.Unix()), Member: o.run.ID()}))
}

// damage is one way to lose a task, and the cause that is counted for it.
type damage struct {
	brand, cause string
	do           func(orphan)
}

func damages() []damage {
	all := []damage{
		{"hash-and-entry", "missing", orphan.lose},
		{"entry", "orphaned", orphan.loseEntry},
		{"lease", "orphaned", orphan.take},
		{"lease-over", "abandoned", orphan.endLease},
		{"archived", "ended", orphan.archive},
	}
	if isLong() { // Asynq takes the id, makes a new hash without a message, and keeps the lease
		all = append(all, damage{"hash", "abandoned", orphan.loseHash})
	}
	return all
}

// TestOrphans damages tasks in every way, by hand, and leaves one fan-out
// unfinished. Each is re-driven, and counted by its cause.
func TestOrphans(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := server.Admin(t)
	warm(t, server)
	publisher := onServer(t, server, idle)
	b := newBooks()
	want := map[string]int{"fanout": 1, "wakeup": 1}
	paced := loseWakeup(t, b, publisher, server)
	queues := queuesOf(t, server)
	b.accept(leaveUnfinished(t, b.endpoint(t, publisher, "admitting", nil), server, queues))
	for _, by := range damages() {
		a := b.endpoint(t, publisher, by.brand, nil)
		if err := b.publish(t.Context(), publisher, eventOf(by.brand, "e1")); err != nil {
			t.Fatal(err)
		}
		ref := webhook.DeliveryRef{Brand: by.brand, EventID: "e1", EndpointID: a.Endpoint.ID}
		by.do(orphan{t: t, rdb: admin, run: webhook.Run{DeliveryRef: ref, Number: 1, Queue: queues.QueueFor(a.Endpoint.Ref())}})
		want[by.cause]++
	}
	begun := time.Now()
	worker := onServer(t, server)
	b.balance(t, worker, dispatchertest.Patience)
	got := make(map[string]int)
	for _, d := range []*dispatchertest.Dispatcher{publisher, worker} { // each looks after all
		for cause, n := range d.Redriven() {
			got[cause] += n
		}
	}
	t.Logf("complete after %s; re-driven: %v", time.Since(begun).Round(time.Second), got)
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	for _, a := range b.accounts {
		if n := len(a.of("e1")); n != 1 && a != paced { // whose worker may have been killed in the middle of it
			t.Errorf("%s: %d POSTs", a.brand, n)
		}
	}
}

// leaveUnfinished publishes an event as in a cluster, by one who ends when it is written down and nothing is admitted.
func leaveUnfinished(t *testing.T, to *account, server *redistest.Server, queues *queue.Queue) webhook.EventRef {
	t.Helper()
	store, err := redisstore.New(redisstore.Config{Redis: server.Client(t), Keys: sharedKeys(), QueueFor: queues.QueueFor})
	if err != nil {
		t.Fatal(err)
	}
	e := eventOf(to.brand, "e1")
	e.PublishedAt = time.Now().Truncate(time.Millisecond).UTC()
	admitted, err := store.Admit(t.Context(), []webhook.Fanout{{Event: e, Endpoints: []string{to.Endpoint.ID}}})
	if err != nil || len(admitted[0].Runs()) != 1 {
		t.Fatalf("%+v, %v", admitted, err)
	}
	admin := server.Admin(t)
	for _, kind := range []string{"o", "d"} {
		keys, err := admin.Keys(t.Context(), "oh:*:"+kind+":"+to.brand+":*").Result()
		if err != nil || len(keys) != 1 || admin.Del(t.Context(), keys[0]).Err() != nil {
			t.Fatalf("%s: %v, %v", kind, keys, err)
		}
	}
	return e.Ref()
}

// loseWakeup leaves a line behind a rate limit, whose wake-up is in no memory and no queue.
func loseWakeup(t *testing.T, b *books, publisher *dispatchertest.Dispatcher, server *redistest.Server) *account {
	t.Helper()
	a := b.endpoint(t, publisher, "wakeup", nil, func(e *webhook.Endpoint) { e.RateLimit.PerSecond = 0.25 })
	for _, id := range []string{"e1", "e2"} {
		if err := b.publish(t.Context(), publisher, eventOf("wakeup", id)); err != nil {
			t.Fatal(err)
		}
	}
	awaitKilled(t, child(t, "work", server.URL(), childPoint+"=after schedule 1"))
	admin := server.Admin(t)
	endLeases(t, admin) // of the task that was to be parked
	for _, key := range redistest.Keys(t, admin, "asynq:*:scheduled") {
		for _, id := range admin.ZRange(t.Context(), key, 0, -1).Val() {
			admin.Del(t.Context(), strings.TrimSuffix(key, "scheduled")+"t:"+id)
		}
		if admin.Del(t.Context(), key).Val() == 1 {
			return a
		}
	}
	t.Fatal("no wake-up was scheduled")
	return nil
}

func queuesOf(t *testing.T, server *redistest.Server) *queue.Queue {
	t.Helper()
	q, err := queue.Open(queue.Config{Redis: server.Client(t)})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestSlowAttemptIsLeftAlone has an attempt take 28 seconds, with a live lease.
func TestSlowAttemptIsLeftAlone(t *testing.T) {
	t.Parallel()
	long(t)
	server := redistest.Start(t)
	d := onServer(t, server)
	b := newBooks()
	const slow = 28 * time.Second
	a := b.endpoint(t, d, "acme", func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-time.After(slow):
		case <-req.Context().Done():
		}
	}, func(e *webhook.Endpoint) { e.Timeout = 30 * time.Second })
	for _, id := range []string{"e1", "e2", "e3"} {
		if err := b.publish(t.Context(), d, event(id)); err != nil {
			t.Fatal(err)
		}
	}
	b.balance(t, d, dispatchertest.Patience)
	for _, id := range []string{"e1", "e2", "e3"} {
		d.WaitDelivered(t, "acme", id)
		if n := len(a.of(id)); n != 1 {
			t.Errorf("%s: %d POSTs", id, n)
		}
	}
	if redriven := d.Redriven(); len(redriven) > 0 {
		t.Errorf("re-driven: %v", redriven)
	}
}
