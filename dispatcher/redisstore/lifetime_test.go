package redisstore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// endless are the kinds of key without a time to live: they end when they are
// empty, or with their endpoint or key. All others are the past, and end by themselves.
var endless = []string{"p", "b", "brands", "k", "keys", "canaries", "l", "o", "r", "due", "admitting"}

// everyKind leaves at least one delivery in every state that a store knows.
func (w *world) everyKind() {
	w.Helper()
	for _, id := range []string{"busy", "off", "gone"} {
		w.endpoint(id, serial)
	}
	w.endpoint("open", func(e *webhook.Endpoint) { e.Headers = map[string]string{"X-Team": "blue"} })
	expiring := w.event("expires")
	expiring.ExpiresAt = w.clock.Now().Add(time.Minute)

	w.settle(w.run("delivered", "open"), delivered())
	w.settle(w.run("dead", "open"), dead())
	w.settle(w.run("retrying", "open"), retryAt(w.clock.Now().Add(time.Hour)))
	w.admit(w.event("delivered"), "open") // a duplicate
	ends := w.admit(expiring, "open").Runs()[0]
	w.clock.pass(time.Minute)
	w.claim(ends, webhook.ClaimExpired)
	w.settle(ends, webhook.Verdict{State: webhook.StateExpired})

	w.run("running", "busy")
	waiting := w.event("waiting")
	waiting.ExpiresAt = w.clock.Now().Add(time.Hour)
	w.admit(waiting, "busy")

	_, _, err := w.UpdateEndpoint(w.Context(), w.ref("off"), disabling)
	w.must(err)
	w.admit(w.event("notSent"), "off")
	w.run("goes", "gone")
	w.admit(w.event("cancelled"), "gone")
	w.must(w.DeleteEndpoint(w.Context(), w.ref("gone")))
	w.cancel(w.ref("gone"))
	w.must(w.CreateKey(w.Context(), keyOf("key_a")))
	_, err = w.Admit(w.Context(), fanoutOf(w.event("unfinished"), "open"))
	w.must(err)
	_, err = w.Survey(w.Context(), 0)
	w.must(err)
}

func (w *world) ref(id string) webhook.EndpointRef { return webhook.EndpointRef{Brand: brand, ID: id} }

func TestEverythingEnds(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.everyKind()
	for id, state := range map[string]webhook.State{
		"delivered": webhook.StateDelivered, "dead": webhook.StateDead, "retrying": webhook.StateRetrying, "expires": webhook.StateExpired,
	} {
		w.wantState(id, "open", state)
	}
	w.wantState("running", "busy", webhook.StateRunning)
	w.wantState("waiting", "busy", webhook.StateWaiting)
	w.wantState("notSent", "off", webhook.StateNotSent)
	w.wantState("cancelled", "gone", webhook.StateCancelled)

	seen := map[string]bool{}
	for _, key := range keysOf(t, w.rdb, "") {
		seen[kindOf(key)] = true
		if ttl := w.ttl(key); ttl < 0 && !slices.Contains(endless, kindOf(key)) {
			t.Errorf("%s has no time to live", key)
		}
	}
	for _, kind := range append([]string{"e", "i", "d", "a", "x", "lock"}, endless...) {
		if !seen[kind] {
			t.Errorf("no key of kind %s was looked at", kind)
		}
	}
	if ttl := w.ttl(w.keyEnding("p:acme:gone")); ttl < 0 {
		t.Error("the tombstone has no time to live")
	}
}

func TestTheLedgerIsEmptyInTheEnd(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.everyKind()
	w.must(w.Finish(t.Context(), []webhook.Event{w.event("unfinished")}))
	w.settleEverything()
	for _, key := range keysOf(t, w.rdb, "") {
		if kind := kindOf(key); slices.Contains(endless[6:], kind) {
			t.Errorf("%s is still there", key)
		}
	}
}

// settleEverything plays workers and the reconciler until no endpoint is due.
func (w *world) settleEverything() {
	w.Helper()
	for range 10 {
		w.clock.pass(time.Hour)
		due := w.due()
		if len(due) == 0 {
			return
		}
		for _, ref := range due {
			b, err := w.Inspect(w.Context(), ref)
			w.must(err)
			for _, run := range append(b.Release.Runs, b.Suspects...) {
				w.workOff(run)
			}
			w.doomed(ref)
			if b.Deleted {
				w.cancel(ref)
			}
		}
	}
	w.Fatal("endpoints are due for ever")
}

func (w *world) due() []webhook.EndpointRef {
	w.Helper()
	var due []webhook.EndpointRef
	for tag := range w.Tags() {
		found, err := w.Survey(w.Context(), tag)
		w.must(err)
		due = append(due, found.Due...)
	}
	return due
}

func (w *world) workOff(run webhook.Run) {
	w.Helper()
	c, err := w.Claim(w.Context(), run)
	w.must(err)
	var released []webhook.Run
	switch c.Verdict {
	case webhook.ClaimGo:
		released = w.settle(run, delivered())
	case webhook.ClaimCancelled:
		released = w.settle(run, webhook.Verdict{State: webhook.StateCancelled})
	case webhook.ClaimExpired:
		released = w.settle(run, webhook.Verdict{State: webhook.StateExpired})
	}
	for _, next := range released {
		w.workOff(next)
	}
}

func TestLifetimesAreLongEnough(t *testing.T) {
	const maxAge, retained, deadFor = 10 * time.Hour, 3 * time.Hour, 100 * time.Hour
	w := newWorld(t, redisstore.Config{MaxAge: maxAge, RetainDelivered: retained, RetainAttempts: 5 * time.Hour, RetainDeadLetters: deadFor})
	ref := w.endpoint("a")
	run := w.run("e1", "a")
	const slack = time.Minute // for the time between the writing and the reading
	w.wantTTL("e", maxAge+retained-slack, maxAge+retained)
	w.wantTTL("d", maxAge+retained-slack, maxAge+retained)
	w.wantTTL("i", maxAge+retained-slack, maxAge+retained)
	w.settle(run, retryAt(w.clock.Now().Add(time.Hour)))
	w.wantTTL("d", maxAge+retained-slack, maxAge+retained)
	w.wantTTL("a", 5*time.Hour-slack, 5*time.Hour)

	w.settle(run, dead())
	w.wantTTL("e", deadFor, deadFor+time.Minute)
	for _, kind := range []string{"d", "x"} {
		w.wantTTL(kind, deadFor-slack, deadFor)
	}
	w.must(w.DeleteEndpoint(t.Context(), ref))
	w.wantTTL("p", maxAge+retained-slack, maxAge+retained)
}

func TestASettledRecordLivesForItsRetention(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxAge: 10 * time.Hour, RetainDelivered: 3 * time.Hour})
	w.endpoint("a")
	w.settle(w.run("e1", "a"), delivered())
	w.wantTTL("d", 3*time.Hour-time.Minute, 3*time.Hour)
}

func TestACancelledRecordLivesForItsRetention(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxAge: 10 * time.Hour, RetainDelivered: 3 * time.Hour})
	ref := w.endpoint("a")
	e := w.event("e1")
	e.ExpiresAt = w.clock.Now().Add(time.Hour)
	w.settle(w.admit(e, "a").Runs()[0], retryAt(e.ExpiresAt))
	w.must(w.DeleteEndpoint(t.Context(), ref))
	w.cancel(ref)
	w.wantState("e1", "a", webhook.StateCancelled)
	w.wantTTL("d", 3*time.Hour-time.Minute, 3*time.Hour)
}

// A dead letter's retention never shortens the life of an event.
func TestAnEventIsNeverShortened(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxAge: 10 * time.Hour, RetainDelivered: 3 * time.Hour, RetainDeadLetters: time.Hour})
	w.endpoint("a")
	w.settle(w.run("e1", "a"), dead())
	w.wantTTL("e", 13*time.Hour-time.Minute, 13*time.Hour)
}

// The body is kept before there is a dead letter: a crash in between costs
// some memory, never a dead letter without its body.
func TestTheBodyIsKeptBeforeTheDeadLetterIsRecorded(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxAge: time.Hour, RetainDelivered: time.Hour, RetainDeadLetters: 100 * time.Hour})
	w.endpoint("a")
	run := w.run("e1", "a")
	w.client.AddHook(noScripts{})
	if _, err := w.Record(t.Context(), settlementOf(run, dead(), w.clock.Now())); err == nil {
		t.Fatal("recorded although the script was not sent")
	}
	if ttl := w.ttl(w.only("e")); ttl < 99*time.Hour {
		t.Fatalf("the event lives for %s", ttl)
	}
	if keys := keysOf(t, w.rdb, "x"); len(keys) != 0 {
		t.Fatalf("there is a dead letter: %v", keys)
	}
}

// noScripts is the network ending as scripts are sent.
type noScripts struct{ redis.Hook }

func (noScripts) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (noScripts) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (noScripts) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() != "evalsha" {
			return next(ctx, cmds) // a new connection's greeting
		}
		for _, cmd := range cmds {
			cmd.SetErr(context.DeadlineExceeded)
		}
		return context.DeadlineExceeded
	}
}

func (w *world) ttl(key string) time.Duration {
	w.Helper()
	ttl, err := w.rdb.PTTL(w.Context(), key).Result()
	w.must(err)
	return ttl
}

// wantTTL checks the single key of a kind.
func (w *world) wantTTL(kind string, least, most time.Duration) {
	w.Helper()
	if ttl := w.ttl(w.only(kind)); ttl < least || ttl > most {
		w.Errorf("%s lives for %s, want %s to %s", kind, ttl, least, most)
	}
}

// keyEnding is the single key with this end, tag aside.
func (w *world) keyEnding(end string) string {
	w.Helper()
	keys := redistest.Keys(w, w.rdb, "oh:*:"+end)
	if len(keys) != 1 {
		w.Fatalf("keys ending in %s: %v, want one", end, keys)
	}
	return keys[0]
}
