package redisstore_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// method is one method of webhook.Store, called so that it has something to do.
type method struct {
	name string
	// writes tells whether the call stores something.
	writes bool
	call   func(ctx context.Context, s webhook.Store) error
}

func discard[T any](_ T, err error) error { return err }

// unlessGone takes the want of what is to be deleted for a call that was repeated.
func unlessGone(err error) error {
	if errors.Is(err, webhook.ErrNotFound) {
		return nil
	}
	return err
}

func methods(w *world) []method {
	ref := w.ref("a")
	delivery := webhook.DeliveryRef{Brand: brand, EventID: "running", EndpointID: "a"}
	run := webhook.Run{DeliveryRef: delivery, Number: 1, Queue: "live-1"}
	page := webhook.Slice{Limit: 10}
	return []method{
		{"Admit", true, func(ctx context.Context, s webhook.Store) error {
			return discard(s.Admit(ctx, fanoutOf(w.event("new"), "a")))
		}},
		{"Finish", true, func(ctx context.Context, s webhook.Store) error {
			return s.Finish(ctx, []webhook.Event{{ID: delivery.EventID, Brand: delivery.Brand, Type: "message.delivered"}})
		}},
		{"Claim", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Claim(ctx, run)) }},
		{"Record", true, func(ctx context.Context, s webhook.Store) error {
			return discard(s.Record(ctx, settlementOf(run, retryAt(w.clock.Now()), w.clock.Now())))
		}},
		{"CreateEndpoint", true, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.CreateEndpoint(ctx, endpointOf("new"))
			return err
		}},
		{"Endpoint", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Endpoint(ctx, ref)) }},
		{"Endpoints", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Endpoints(ctx, brand)) }},
		{"Routes", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Routes(ctx, brand)) }},
		{"UpdateEndpoint", true, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.UpdateEndpoint(ctx, w.ref("b"), disabling)
			return err
		}},
		{"DeleteEndpoint", true, func(ctx context.Context, s webhook.Store) error {
			return unlessGone(s.DeleteEndpoint(ctx, w.ref("c")))
		}},
		{"CancelOpen", true, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.CancelOpen(ctx, w.ref("deleted"))
			return err
		}},
		{"Health", false, func(ctx context.Context, s webhook.Store) error {
			return discard(s.Health(ctx, []webhook.EndpointRef{ref}))
		}},
		{"Reopen", true, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.Reopen(ctx, []webhook.DeliveryRef{{Brand: brand, EventID: "died", EndpointID: "a"}},
				webhook.Reopening{Trigger: webhook.TriggerResend, States: []webhook.State{webhook.StateDead}})
			return err
		}},
		{"Cancel", true, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.Cancel(ctx, webhook.DeliveryRef{Brand: brand, EventID: "none", EndpointID: "a"})
			return err
		}},
		{"DeleteDead", true, func(ctx context.Context, s webhook.Store) error {
			return discard(s.DeleteDead(ctx, ref, []string{"none"}, "job_none"))
		}},
		{"Died", false, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.Died(ctx, ref, webhook.Span{}, "", 10)
			return err
		}},
		{"Published", false, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.Published(ctx, brand, webhook.Span{}, "", 10)
			return err
		}},
		{"EraseEvents", true, func(ctx context.Context, s webhook.Store) error {
			return s.EraseEvents(ctx, brand, []string{"none"}, []string{"a"})
		}},
		{"EraseBrand", true, func(ctx context.Context, s webhook.Store) error { return s.EraseBrand(ctx, "none", []string{"none"}) }},
		{"CreateJob", true, func(ctx context.Context, s webhook.Store) error {
			return s.CreateJob(ctx, webhook.Job{ID: "job_b", JobSpec: webhook.JobSpec{Kind: webhook.JobResend, Brand: brand}, StartedAt: w.clock.Now()}, nil)
		}},
		{"Job", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Job(ctx, "job_a")) }},
		{"Jobs", false, func(ctx context.Context, s webhook.Store) error {
			return discard(s.Jobs(ctx, webhook.JobQuery{Brand: brand, Slice: page}))
		}},
		{"CountJobs", false, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.CountJobs(ctx, brand, w.clock.Now())
			return err
		}},
		{"TakeJob", true, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.TakeJob(ctx, "owner")
			return err
		}},
		{"SaveJob", true, func(ctx context.Context, s webhook.Store) error {
			return discard(s.SaveJob(ctx, "job_a", "owner", webhook.JobProgress{}))
		}},
		{"CancelJob", true, func(ctx context.Context, s webhook.Store) error { return s.CancelJob(ctx, "job_a") }},
		{"CreateKey", true, func(ctx context.Context, s webhook.Store) error { return s.CreateKey(ctx, keyOf("key_new")) }},
		{"Key", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Key(ctx, "key_a")) }},
		{"Keys", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Keys(ctx)) }},
		{"DeleteKey", true, func(ctx context.Context, s webhook.Store) error { return unlessGone(s.DeleteKey(ctx, "key_b")) }},
		{"Event", false, func(ctx context.Context, s webhook.Store) error {
			_, _, err := s.Event(ctx, delivery.Event())
			return err
		}},
		{"Delivery", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Delivery(ctx, delivery)) }},
		{"Deliveries", false, func(ctx context.Context, s webhook.Store) error {
			return discard(s.Deliveries(ctx, []webhook.DeliveryRef{delivery}))
		}},
		{"Attempts", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Attempts(ctx, delivery)) }},
		{"Events", false, func(ctx context.Context, s webhook.Store) error {
			return discard(s.Events(ctx, webhook.EventQuery{Brand: brand, Slice: page}))
		}},
		{"AttemptLog", false, func(ctx context.Context, s webhook.Store) error {
			return discard(s.AttemptLog(ctx, webhook.AttemptQuery{Brand: brand, Slice: page}))
		}},
		{"AttemptLog", false, func(ctx context.Context, s webhook.Store) error {
			return discard(s.AttemptLog(ctx, webhook.AttemptQuery{Brand: brand, EventID: "attempted", Slice: page}))
		}},
		{"LastAttempts", false, func(ctx context.Context, s webhook.Store) error {
			return discard(s.LastAttempts(ctx, []webhook.DeliveryRef{delivery}))
		}},
		{"RecordTest", true, func(ctx context.Context, s webhook.Store) error { return s.RecordTest(ctx, testOf("a", w.clock.Now())) }},
		{"DeadLetters", false, func(ctx context.Context, s webhook.Store) error {
			return discard(s.DeadLetters(ctx, webhook.DeadLetterQuery{Brand: brand, Slice: page}))
		}},
		{"Survey", true, func(ctx context.Context, s webhook.Store) error { return discard(s.Survey(ctx, 1)) }},
		{"Inspect", true, func(ctx context.Context, s webhook.Store) error { return discard(s.Inspect(ctx, ref)) }},
		{"Redrive", true, func(ctx context.Context, s webhook.Store) error { return discard(s.Redrive(ctx, run)) }},
		{"Park", true, func(ctx context.Context, s webhook.Store) error { return discard(s.Park(ctx, run, time.Second)) }},
		{"Wake", true, func(ctx context.Context, s webhook.Store) error { return discard(s.Wake(ctx, ref, true)) }},
		{"Spend", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Spend(ctx, ref, time.Second)) }},
		{"Servers", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Servers(ctx)) }},
		{"Ping", false, func(ctx context.Context, s webhook.Store) error { return discard(s.Ping(ctx)) }},
	}
}

// furnish gives the methods something to work on.
func (w *world) furnish() {
	w.Helper()
	for _, id := range []string{"a", "b", "c"} {
		w.endpoint(id)
	}
	w.run("running", "a")
	other := w.run("attempted", "a")
	w.settle(other, retryAt(w.clock.Now().Add(time.Hour)))
	w.settle(w.run("died", "a"), dead())
	deleted := w.endpoint("deleted", serial)
	w.run("out", "deleted")
	w.admit(w.event("waits"), "deleted")
	w.must(w.DeleteEndpoint(w.Context(), deleted))
	for _, id := range []string{"job_a", "job_c"} { // the first has its owner, the other may be taken
		w.must(w.CreateJob(w.Context(), webhook.Job{ID: id, JobSpec: webhook.JobSpec{Kind: webhook.JobResend, Brand: brand}, StartedAt: w.clock.Now()}, nil))
		if id == "job_a" {
			_, _, err := w.TakeJob(w.Context(), "owner")
			w.must(err)
		}
	}
	for _, id := range []string{"key_a", "key_b"} {
		w.must(w.CreateKey(w.Context(), keyOf(id)))
	}
}

func TestTheTableOfMethodsIsComplete(t *testing.T) {
	named := map[string]bool{"Tags": true} // answers without Redis
	for _, m := range methods(&world{TB: t, clock: newClock()}) {
		named[m.name] = true
	}
	store := reflect.TypeFor[webhook.Store]()
	for i := range store.NumMethod() {
		if name := store.Method(i).Name; !named[name] {
			t.Errorf("%s is not in the table", name)
		}
	}
}

// wantAll calls every method that the filter lets through and compares the errors' kind.
func (w *world) wantAll(s webhook.Store, ctx context.Context, want error, which func(method) bool) {
	w.Helper()
	for _, m := range methods(w) {
		if !which(m) {
			continue
		}
		if err := m.call(ctx, s); !errors.Is(err, want) {
			w.Errorf("%s: error %v, want %v", m.name, err, want)
		}
	}
}

func every(method) bool     { return true }
func writing(m method) bool { return m.writes }

func TestKilledRedisIsUnavailableUntilItIsBack(t *testing.T) {
	redistest.OneServer(t, "it is killed and started again")
	w := newWorld(t, redisstore.Config{}, "--appendonly", "yes", "--appendfsync", "always")
	options := redistest.Options(w.server.Addr())
	options.MaxRetries, options.DialerRetries, options.PoolSize = -1, 1, 100
	rdb := redis.NewClient(options)
	defer rdb.Close()
	w.Store = open(t, redisstore.Config{Redis: rdb, Keys: w.keys, Now: w.clock.Now})
	w.furnish()
	w.server.Kill()
	w.wantAll(w.Store, t.Context(), webhook.ErrUnavailable, every)
	w.server.Restart(t)
	w.wantAll(w.Store, t.Context(), nil, every)
	w.wantState("new", "a", webhook.StateRunning)
}

func TestAFrozenRedisIsUnavailableByTheDeadline(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "it is frozen")
	w := newWorld(t, redisstore.Config{})
	w.furnish()
	w.server.Stop(t)
	options := redistest.Options(w.server.Addr())
	options.ContextTimeoutEnabled = true
	rdb := redis.NewClient(options)
	defer rdb.Close()
	frozen := open(t, redisstore.Config{Redis: rdb, Keys: w.keys})
	for _, m := range methods(w) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := m.call(ctx, frozen); !errors.Is(err, webhook.ErrUnavailable) {
			t.Errorf("%s: error %v, want unavailable", m.name, err)
		}
		cancel()
	}
	w.server.Continue(t)
	w.wantAll(w.Store, t.Context(), nil, every)
}

func TestAFullRedisRefusesToWrite(t *testing.T) {
	w := newWorld(t, redisstore.Config{}, "--maxmemory-policy", "noeviction")
	w.furnish()
	redistest.Configure(t, w.rdb, "maxmemory", "1")
	drains := []string{"Record", "Redrive", "Inspect", "UpdateEndpoint", "DeleteEndpoint", "CancelOpen", "DeleteKey", "Park", "Wake", "Cancel", "DeleteDead", "EraseEvents", "EraseBrand"}
	refused := func(m method) bool { return m.writes && !slices.Contains(drains, m.name) }
	w.wantAll(w.Store, t.Context(), webhook.ErrUnavailable, refused)
	for _, m := range methods(w) { // what is open drains, and everything can be read
		if refused(m) {
			continue
		}
		if err := m.call(t.Context(), w.Store); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	redistest.Configure(t, w.rdb, "maxmemory", "0")
	w.wantAll(w.Store, t.Context(), nil, every)
}

// Scripts are not rolled back: a full Redis must refuse one before its first write, or not at all.
func TestAFullRedisLosesNothingThatIsOpen(t *testing.T) {
	w := newWorld(t, redisstore.Config{}, "--maxmemory-policy", "noeviction")
	ref := w.endpoint("a", serial)
	run := w.run("first", "a")
	w.clock.pass(time.Millisecond)
	w.admit(w.event("second"), "a")
	redistest.Configure(t, w.rdb, "maxmemory", "1")

	w.claim(run, webhook.ClaimGo)
	released := w.settle(run, retryAt(w.clock.Now().Add(time.Second)))
	if len(released) != 1 || released[0].EventID != "second" {
		t.Fatalf("released %v, want second", released)
	}
	w.claim(released[0], webhook.ClaimGo)
	w.settle(released[0], delivered())
	w.clock.pass(time.Minute)
	w.claim(run, webhook.ClaimGo)
	freed, err := w.Redrive(t.Context(), run)
	again := freed.Runs
	w.must(err)
	w.settle(again[0], delivered())
	w.wantState("first", "a", webhook.StateDelivered)
	w.wantState("second", "a", webhook.StateDelivered)

	redistest.Configure(t, w.rdb, "maxmemory", "0")
	if b, err := w.Inspect(t.Context(), ref); err != nil || len(b.Suspects)+len(b.Release.Runs)+len(b.Doomed) != 0 {
		t.Fatalf("backlog %+v, %v", b, err)
	}
}

func TestAReplicaRefusesToWrite(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "it is made a replica by hand")
	w := newWorld(t, redisstore.Config{})
	w.furnish()
	w.must(w.rdb.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
	w.wantAll(w.Store, t.Context(), webhook.ErrUnavailable, writing)
	w.must(w.rdb.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())
	w.wantAll(w.Store, t.Context(), nil, every)
}

func TestACancelledCallerIsToldSo(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.furnish()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.wantAll(w.Store, ctx, webhook.ErrUnavailable, every)
	w.wantAll(w.Store, ctx, context.Canceled, every)
}

// After a restart or a failover a server knows no script.
func TestEveryMethodWorksAfterScriptFlush(t *testing.T) {
	t.Parallel()
	t.Run("single", func(t *testing.T) {
		w := newWorld(t, redisstore.Config{})
		w.furnish()
		w.forgetfully(w.Store, func() { redistest.ForgetScripts(t, w.rdb) })
	})
	t.Run("cluster", func(t *testing.T) {
		rdb := redistest.StartCluster(t).Client(t)
		admin := redistest.Admin(t, rdb)
		w := &world{TB: t, clock: newClock()}
		w.Store = open(t, redisstore.Config{Redis: rdb, Now: w.clock.Now})
		w.furnish()
		w.forgetfully(w.Store, func() {
			redistest.ForgetScripts(t, admin)
		})
	})
}

func (w *world) forgetfully(s webhook.Store, flush func()) {
	w.Helper()
	for _, m := range methods(w) {
		flush()
		if err := m.call(w.Context(), s); err != nil {
			w.Errorf("%s after SCRIPT FLUSH: %v", m.name, err)
		}
	}
	flush()
	var fanouts []webhook.Fanout
	for i := range 50 {
		fanouts = append(fanouts, webhook.Fanout{Event: w.event(string(rune('A'+i%26)) + string(rune('a'+i/26))), Endpoints: []string{"a", "b"}})
	}
	answers, err := s.Admit(w.Context(), fanouts)
	w.must(err)
	for i, a := range answers {
		if a.Err != nil || a.Duplicate || len(a.Releases) != 2 {
			w.Fatalf("answer %d after SCRIPT FLUSH: %+v", i, a)
		}
	}
}
