package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// sweep does what the janitor does in one round.
func (w *world) sweep() {
	w.Helper()
	for range 100 {
		more, err := w.Sweep(w.Context(), brand)
		w.must(err)
		if !more {
			return
		}
	}
	w.Fatal("there is something to sweep for ever")
}

// body is what stands under an event's key: its format byte; empty for nothing.
func (w *world) body(id string) string {
	w.Helper()
	text, err := w.rdb.GetRange(w.Context(), redisstore.EventKey(webhook.EventRef{Brand: brand, ID: id}), 0, 0).Result()
	w.must(err)
	return text
}

func (w *world) wantBodies(want map[string]string) {
	w.Helper()
	for id, format := range want {
		if got := w.body(id); got != format {
			w.Errorf("event %s has format %q, want %q", id, got, format)
		}
	}
}

// pastAndPresent leaves an event in every state that decides over its body, three days before the clock, and one of now.
func (w *world) pastAndPresent() (bodies map[string]string) {
	w.Helper()
	for _, id := range []string{"a", "b"} {
		w.endpoint(id)
	}
	w.endpoint("busy", serial)
	w.endpoint("off", func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually })
	w.admit(w.event("without"))
	w.settle(w.run("delivered", "a"), delivered())
	w.settle(w.run("died", "a"), dead())
	w.settle(w.run("retrying", "a"), retryAt(w.clock.Now().Add(time.Hour)))
	w.run("running", "busy")
	w.admit(w.event("waiting"), "busy")
	w.admit(w.event("notSent"), "off")
	half := w.admit(w.event("half"), "a", "b").Runs()
	w.settle(half[0], delivered())
	late := w.run("late", "b")
	_, err := w.Admit(w.Context(), fanoutOf(w.event("unfinished")))
	w.must(err)
	w.must(w.rdb.XAdd(w.Context(), &redis.XAddArgs{Stream: w.only("i"), Values: []string{"e", "1unfinished", "t", "message.delivered"}}).Err())
	w.settle(w.run("newer", "a"), delivered())
	w.must(w.rdb.SetRange(w.Context(), redisstore.EventKey(webhook.EventRef{Brand: brand, ID: "newer"}), 0, "9").Err())

	w.clock.pass(71 * time.Hour)
	w.settle(late, delivered())
	w.clock.pass(2 * time.Hour)
	w.settle(w.run("now", "a"), delivered())
	return map[string]string{
		"without": "m", "delivered": "m", "notSent": "m", "died": "1", "retrying": "1", "running": "1", "waiting": "1", "half": "1", "late": "1",
		"unfinished": "1", "newer": "9", "now": "1",
	}
}

func TestWhatIsPastItsTimeBecomesAMarker(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	want := w.pastAndPresent()
	before := w.ttl(redisstore.EventKey(webhook.EventRef{Brand: brand, ID: "delivered"}))
	w.sweep()
	w.wantBodies(want)
	if got := w.ttl(redisstore.EventKey(webhook.EventRef{Brand: brand, ID: "delivered"})); got > before || got < before-time.Minute {
		t.Errorf("the marker lives for %s, the body would have lived for %s", got, before)
	}
	var listed []string
	for _, entry := range w.rdb.XRange(t.Context(), w.only("i"), "-", "+").Val() {
		listed = append(listed, entry.Values["e"].(string)[1:])
	}
	for id, format := range want {
		if in := slices.Contains(listed, id); in != (format != "m") {
			t.Errorf("event %s in the index: %t", id, in)
		}
	}
	for _, key := range keysOf(t, w.rdb, "d") {
		if strings.HasSuffix(key, ":delivered") {
			t.Errorf("%s is left", key)
		}
	}
	for _, id := range []string{"without", "delivered"} {
		w.wantDuplicate(id)
	}
	if _, _, err := w.Event(t.Context(), webhook.EventRef{Brand: brand, ID: "delivered"}); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("the event is read: %v", err)
	}
}

// wantDuplicate publishes an event again, and then another one under its id.
func (w *world) wantDuplicate(id string) {
	w.Helper()
	if a := w.admit(w.event(id), "a"); !a.Duplicate || a.FannedOut || len(a.Runs()) > 0 || a.Err != nil {
		w.Errorf("%s once more: %+v, want a duplicate", id, a)
	}
	other := w.event(id)
	other.Payload = []byte(`{"other":1}`)
	if a := w.admit(other, "a"); !errors.Is(a.Err, webhook.ErrConflict) {
		w.Errorf("another event under the id %s: %+v, want a conflict", id, a)
	}
}

// A full Redis takes no writes but those that begin with making room.
func TestAFullRedisIsSwept(t *testing.T) {
	w := newWorld(t, redisstore.Config{}, "--maxmemory-policy", "noeviction")
	want := w.pastAndPresent()
	redistest.Configure(t, w.rdb, "maxmemory", "100kb")
	w.sweep()
	w.wantBodies(want)
	if ok, err := w.Turn(t.Context(), 0, "", time.Minute); !ok || err != nil {
		t.Errorf("no turn: %t, %v", ok, err)
	}
}

func TestDeadLettersAndAttemptsPastTheirTime(t *testing.T) {
	w := newWorld(t, redisstore.Config{RetainDeadLetters: 10 * time.Hour, RetainAttempts: 5 * time.Hour})
	w.endpoint("a")
	for i := range 1500 { // more than a step
		w.must(w.rdb.ZAdd(t.Context(), keyFor(w, "x", "a"), redis.Z{Score: float64(w.clock.Now().UnixMilli()), Member: fmt.Sprint("e", i)}).Err())
	}
	old := w.run("old", "a")
	w.settle(old, dead())
	w.clock.pass(9 * time.Hour)
	w.settle(w.run("new", "a"), dead())
	w.sweep()
	w.wantState("old", "a", webhook.StateDead)
	if n := w.rdb.ZCard(t.Context(), keyFor(w, "x", "a")).Val(); n != 1502 {
		t.Fatalf("%d dead letters before their time, want 1502", n)
	}
	w.clock.pass(2 * time.Hour)
	w.sweep()
	if left := w.rdb.ZRange(t.Context(), keyFor(w, "x", "a"), 0, -1).Val(); len(left) != 1 || left[0] != "new" {
		t.Errorf("dead letters left: %v", left)
	}
	if _, err := w.Delivery(t.Context(), old.DeliveryRef); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("the record of what died is left: %v", err)
	}
	w.wantState("new", "a", webhook.StateDead)
	w.clock.pass(100 * time.Hour) // all entries of the stream are of today, whatever the store's clock says
	w.sweep()
	if n := w.rdb.XLen(t.Context(), keyFor(w, "a", "a")).Val(); n != 0 {
		t.Errorf("%d attempts left", n)
	}
}

// keyFor is a key of an endpoint of the test's brand.
func keyFor(w *world, kind, endpoint string) string {
	line := redisstore.LineKey(w.ref(endpoint))
	return strings.Replace(line, ":l:", ":"+kind+":", 1)
}

// What cannot go yet is passed by, and looked at again after a while.
func TestASweepGoesOnWhereItWas(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	run := w.run("e0", "a")
	var events []webhook.Event
	for i := range 1200 {
		e := w.event(fmt.Sprint("waits", i))
		_, err := w.Admit(t.Context(), fanoutOf(e, "a"))
		w.must(err)
		events = append(events, e)
	}
	w.must(w.Finish(t.Context(), events))
	w.clock.pass(73 * time.Hour)
	count := &named{name: "getrange"}
	w.client.AddHook(count)
	w.sweep()
	if count.n != 1201 {
		t.Errorf("looked at %d events, want 1201", count.n)
	}
	w.settle(run, webhook.Verdict{State: webhook.StateCancelled})
	w.sweep()
	if count.n != 1201 {
		t.Errorf("looked at %d events once more at once", count.n-1201)
	}
	w.clock.pass(73 * time.Hour)
	w.sweep()
	if count.n != 2402 || w.body("e0") != "m" || w.body("waits7") != "1" {
		t.Errorf("looked at %d events after a while, want 1201; e0 is %q", count.n-1201, w.body("e0"))
	}
}

// named counts commands of a name.
type named struct {
	redis.Hook
	name string
	n    int
}

func (n *named) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (n *named) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (n *named) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if cmd.Name() == n.name {
				n.n++
			}
		}
		return next(ctx, cmds)
	}
}

// The same in a cluster, where no script may touch two tags.
func TestSweepingACluster(t *testing.T) {
	rdb := redistest.StartCluster(t).Client(t)
	clock := newClock()
	store := open(t, redisstore.Config{Redis: rdb, Now: clock.Now})
	ids := []string{}
	for i := range 20 {
		e := endpointOf(fmt.Sprint("ep", i))
		if _, _, err := store.CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	for i := range 30 {
		e := eventOf(fmt.Sprint("e", i), clock.Now())
		answers, err := store.Admit(t.Context(), fanoutOf(e, ids[i%20]))
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Finish(t.Context(), []webhook.Event{e}); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Record(t.Context(), settlementOf(answers[0].Runs()[0], delivered(), clock.Now())); err != nil {
			t.Fatal(err)
		}
	}
	clock.pass(73 * time.Hour)
	for more := true; more; {
		var err error
		if more, err = store.Sweep(t.Context(), brand); err != nil {
			t.Fatal(err)
		}
	}
	page, err := store.Events(t.Context(), webhook.EventQuery{Brand: brand, Slice: webhook.Slice{Limit: 50}})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("%d events are kept, %v", len(page.Items), err)
	}
}
