package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// publishDurably admits as a publish does, and does not finish.
func publishDurably(t testing.TB, s webhook.Store, e webhook.Event, endpoints ...string) (webhook.Admitted, error) {
	t.Helper()
	answers, err := s.Admit(t.Context(), []webhook.Fanout{{Event: e, Endpoints: endpoints, Durable: true}})
	if err != nil {
		return webhook.Admitted{}, err
	}
	return answers[0], answers[0].Err
}

func (w *world) refusedDurably(why string, e webhook.Event, endpoints ...string) {
	w.Helper()
	if _, err := publishDurably(w, w.Store, e, endpoints...); !errors.Is(err, webhook.ErrUnavailable) {
		w.Fatalf("%s: error %v, want unavailable", why, err)
	}
}

func (w *world) acceptedDurably(e webhook.Event, endpoints ...string) webhook.Admitted {
	w.Helper()
	a, err := accepted(w, w.Store, e, endpoints...)
	w.must(err)
	return a
}

// accepted repeats a publish until it is: a replica takes its time on a busy machine.
func accepted(t testing.TB, s webhook.Store, e webhook.Event, endpoints ...string) (a webhook.Admitted, err error) {
	t.Helper()
	for range 50 {
		if a, err = publishDurably(t, s, e, endpoints...); !errors.Is(err, webhook.ErrUnavailable) {
			break
		}
	}
	return a, err
}

// calls is how often a server was sent a command.
func callsOf(t testing.TB, rdb redis.UniversalClient, command string) int {
	t.Helper()
	stats, err := rdb.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(stats) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_"+command+":calls="); ok {
			fmt.Sscan(rest, &n)
		}
	}
	return n
}

// withReplica is a world whose Redis has one.
func withReplica(t *testing.T, timeout time.Duration) (w *world, replica *redistest.Server) {
	t.Helper()
	redistest.OneServer(t, "its replica is frozen; of a cluster: TestAPublishWaitsForEveryMaster")
	w = newWorld(t, redisstore.Config{Durable: webhook.Durability{Replicas: 1, Timeout: timeout}})
	return w, redistest.StartReplica(t, w.server)
}

func TestAPublishWaitsForItsReplica(t *testing.T) {
	t.Parallel()
	w, replica := withReplica(t, 100*time.Millisecond)
	w.endpoint("a")
	if a := w.acceptedDurably(w.event("e1"), "a"); len(a.Runs()) != 1 {
		t.Fatalf("%+v", a)
	}
	marks := keysOf(t, w.rdb, "mark")
	for _, mark := range marks {
		if ttl := w.rdb.PTTL(t.Context(), mark).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("%s ends in %s", mark, ttl)
		}
	}
	if len(marks) == 0 {
		t.Error("nothing was written last")
	}

	replica.Stop(t)
	e2 := w.event("e2")
	w.refusedDurably("first", e2, "a")
	w.refusedDurably("again, unfinished", e2, "a")
	w.must(w.Finish(t.Context(), []webhook.Event{e2})) // as the reconciler does, which waits for nobody
	w.refusedDurably("again, finished", e2, "a")
	w.refusedDurably("to nobody", w.event("e3"))
	redistest.ForgetScripts(t, w.rdb)
	w.refusedDurably("with scripts that were not there", w.event("e4"), "a")
	w.admit(w.event("not durable"), "a")

	replica.Continue(t)
	if a := w.acceptedDurably(e2, "a"); !a.Duplicate {
		t.Errorf("%+v", a)
	}
	if keys := keysOf(t, replica.Admin(t), "e"); !slices.ContainsFunc(keys, func(k string) bool { return strings.HasSuffix(k, ":e2") }) {
		t.Errorf("the replica has %v", keys)
	}
}

// What nobody asked to be durable costs nothing more.
func TestWithoutDurableNothingWaits(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "there is to be no replica")
	off := newWorld(t, redisstore.Config{})
	on := newWorld(t, redisstore.Config{Durable: webhook.Durability{Replicas: 1, Timeout: 10 * time.Millisecond}})
	for _, w := range []*world{off, on} {
		w.endpoint("a")
		w.admit(w.event("e1"), "a")
	}
	off.acceptedDurably(off.event("e2"), "a")
	for _, w := range []*world{off, on} {
		if n := callsOf(t, w.rdb, "wait"); n != 0 || len(keysOf(t, w.rdb, "mark")) != 0 {
			t.Errorf("%d waits", n)
		}
	}
	on.refusedDurably("without replicas", on.event("e2"), "a")
	if n := callsOf(t, on.rdb, "wait"); n != 1 {
		t.Errorf("%d waits, want 1", n)
	}
}

// A wait is over in time for the caller, also one that begins late.
func TestAWaitIsOverBeforeTheCallersDeadline(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "there is to be no replica")
	w := newWorld(t, redisstore.Config{Durable: webhook.Durability{Replicas: 1, Timeout: webhook.MaxDurableTimeout}})
	seen := &waits{}
	w.client.AddHook(seen)
	for _, left := range []time.Duration{40 * time.Millisecond, 300 * time.Millisecond} { // the first is less than the margin
		ctx, cancel := context.WithTimeout(t.Context(), left)
		_, err := w.Admit(ctx, []webhook.Fanout{{Event: w.event("e"), Durable: true}})
		cancel()
		if !errors.Is(err, webhook.ErrUnavailable) {
			t.Fatal(err)
		}
		if ms := seen.last.Args()[2].(int64); ms < 1 || time.Duration(ms)*time.Millisecond > left {
			t.Errorf("with %s left: %v", left, seen.last.Args())
		}
	}
}

// through is the part of a hook that changes nothing.
type through struct{}

func (through) DialHook(next redis.DialHook) redis.DialHook { return next }

func (through) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// waits keeps the last command of pipelines that end with a wait.
type waits struct {
	through
	last redis.Cmder
}

func (w *waits) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if last := cmds[len(cmds)-1]; last.Name() == "wait" {
			w.last = last
		}
		return next(ctx, cmds)
	}
}

// meanwhile counts pipelines that end with a wait and are under way.
type meanwhile struct {
	through
	now, most atomic.Int32
}

func (m *meanwhile) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[len(cmds)-1].Name() == "wait" {
			now := m.now.Add(1)
			for most := m.most.Load(); now > most && !m.most.CompareAndSwap(most, now); most = m.most.Load() {
			}
			defer m.now.Add(-1)
		}
		return next(ctx, cmds)
	}
}

// While replicas are away and publishes wait, what delivers still has half of the connections.
func TestWaitsLeaveConnectionsToOthers(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "there is to be no replica, and one pool of connections")
	options := redistest.Options(redistest.Start(t).Addr())
	options.PoolSize = 4
	rdb := redis.NewClient(options)
	defer rdb.Close()
	count := &meanwhile{}
	rdb.AddHook(count)
	s := open(t, redisstore.Config{Redis: rdb, Durable: webhook.Durability{Replicas: 1, Timeout: 200 * time.Millisecond}})
	var publishers sync.WaitGroup
	for i := range 6 {
		publishers.Go(func() {
			_, err := publishDurably(t, s, eventOf(fmt.Sprint("e", i), time.Now()))
			if !errors.Is(err, webhook.ErrUnavailable) {
				t.Errorf("without a replica: %v", err)
			}
		})
	}
	publishers.Wait()
	if most := count.most.Load(); most != 2 {
		t.Errorf("%d waited at once, want half of 4", most)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Admit(ctx, []webhook.Fanout{{Event: eventOf("late", time.Now()), Durable: true}}); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("a caller who has gone: %v", err)
	}
}

func TestNewRefusesADurableThatCannotWork(t *testing.T) {
	slow := redis.NewClient(&redis.Options{ReadTimeout: time.Second})
	defer slow.Close()
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	for name, tt := range map[string]struct {
		rdb   redis.UniversalClient
		d     webhook.Durability
		field string
	}{
		"a wait longer than a read may take": {slow, webhook.Durability{Replicas: 1}, "Redis"},
		"several servers of no cluster":      {ring, webhook.Durability{Replicas: 1}, "Redis"},
		"both":                               {client, webhook.Durability{Replicas: 1, AOFs: 1}, "Durable"},
		"off":                                {ring, webhook.Durability{}, ""},
		"fits":                               {client, webhook.Durability{AOFs: 2}, ""},
	} {
		_, err := redisstore.New(redisstore.Config{Redis: tt.rdb, Durable: tt.d, Keys: redisstore.NewKeyRing(),
			QueueFor: func(webhook.EndpointRef) string { return "live-0" }})
		found, refused := errors.AsType[*webhook.FieldError](err)
		if refused != (tt.field != "") || refused && found.Field != tt.field {
			t.Errorf("%s: %v, want field %q", name, err, tt.field)
		}
	}
}
