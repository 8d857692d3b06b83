package redisstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// atOnce is a fan-out that may be finished by the call that does it.
func (w *world) atOnce(id string, endpoints ...string) webhook.Fanout {
	return webhook.Fanout{Event: w.event(id), Endpoints: endpoints, AtOnce: true}
}

// unfinished are the events that somebody has to finish, as the reconciler finds them.
func (w *world) unfinished() (ids []string) {
	w.Helper()
	w.clock.pass(10 * time.Second)
	for tag := range w.Tags() {
		found, err := w.Survey(w.Context(), tag)
		w.must(err)
		for _, ref := range found.Unfinished {
			ids = append(ids, ref.ID)
		}
	}
	return ids
}

func (w *world) listed() (ids []string) {
	w.Helper()
	page, err := w.Events(w.Context(), webhook.EventQuery{Brand: brand, Slice: webhook.Slice{Limit: 100}})
	w.must(err)
	for _, f := range page.Items {
		ids = append(ids, f.Event.ID)
	}
	return ids
}

func TestAPublishIsFinishedAtOnce(t *testing.T) {
	redistest.NotCluster(t, "there it takes two steps")
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	answers, err := w.Admit(t.Context(), []webhook.Fanout{w.atOnce("e1", "a"), w.atOnce("e2"), w.atOnce("e1", "a")})
	w.must(err)
	for i, a := range answers {
		if again := i == 2; a.Finished == again || a.Duplicate != again || a.Err != nil || len(a.Runs()) != []int{1, 0, 0}[i] {
			t.Errorf("answer %d: %+v", i, a)
		}
	}
	if got := strings.Join(w.listed(), " "); got != "e2 e1" {
		t.Errorf("listed: %s", got)
	}
	if got := w.unfinished(); len(got) > 0 {
		t.Errorf("unfinished: %v", got)
	}
	left, err := w.Admit(t.Context(), []webhook.Fanout{{Event: w.event("left"), Endpoints: []string{"a"}}})
	w.must(err)
	if a := left[0]; a.Finished || !a.FannedOut || len(a.Runs()) != 1 {
		t.Errorf("what nobody wants finished: %+v", a)
	}
	if got := strings.Join(w.unfinished(), " "); got != "left" {
		t.Errorf("unfinished: %s", got)
	}
}

// What of a publish cannot be done because something of another kind stands at a key fails alone, and is finished when that is gone.
func TestADamagedKeyOfAPublish(t *testing.T) {
	redistest.NotCluster(t, "there each endpoint has a call of its own")
	for name, damage := range map[string]struct {
		key func(w *world) string
		// fails is which of the events, or -1; unfinished are those that somebody has to finish.
		fails      int
		unfinished []string
	}{
		"endpoint":    {func(w *world) string { return redisstore.OutKey(w.ref("a")) }, 1, []string{"e1"}},
		"event":       {func(w *world) string { return redisstore.EventKey(w.event("e1").Ref()) }, 1, nil},
		"first event": {func(w *world) string { return redisstore.EventKey(w.event("e0").Ref()) }, 0, nil},
		"list":        {func(w *world) string { return w.only("i") }, -1, []string{"e0", "e1", "e2"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			w.endpoint("a")
			w.endpoint("b")
			w.admit(w.event("before"))
			key := damage.key(w)
			w.must(w.rdb.Del(t.Context(), key).Err())
			w.must(w.rdb.SAdd(t.Context(), key, "of another kind").Err())
			fanouts := []webhook.Fanout{w.atOnce("e0", "b"), w.atOnce("e1", "a", "b"), w.atOnce("e2", "b")}
			answers, err := w.Admit(t.Context(), fanouts)
			w.must(err)
			for i, a := range answers {
				if fails := i == damage.fails; fails != (a.Err != nil) || a.Finished == fails || a.Duplicate ||
					fails && !strings.Contains(a.Err.Error(), "WRONGTYPE") {
					t.Errorf("answer %d: %+v", i, a)
				}
			}
			if name == "endpoint" && (len(answers[1].Runs()) != 1 || answers[1].Runs()[0].EndpointID != "b") {
				t.Errorf("released at the other: %+v", answers[1].Runs())
			}
			unfinished := w.unfinished()
			slices.Sort(unfinished)
			if !slices.Equal(unfinished, damage.unfinished) {
				t.Errorf("unfinished %v, want %v", unfinished, damage.unfinished)
			}
			w.must(w.rdb.Del(t.Context(), key).Err())
			again := fanouts[max(0, damage.fails)]
			if a := w.admit(again.Event, again.Endpoints...); a.Err != nil || a.Duplicate != (damage.unfinished != nil) || !a.FannedOut ||
				len(a.Runs()) != len(again.Endpoints) {
				t.Errorf("again: %+v", a)
			}
		})
	}
}

func TestAPublishThatIsSentTwice(t *testing.T) {
	redistest.NotCluster(t, "there an event that is finished twice stands in the list twice, and is found once")
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	again := true
	w.must(w.rdb.ScriptLoad(t.Context(), redisstore.PublishSource).Err())
	w.client.AddHook(resending(&again))
	if a := w.admit(w.event("e1"), "a"); again || a.Duplicate || a.Err != nil || !a.FannedOut || len(a.Runs()) != 1 || len(a.Endpoints) != 1 {
		t.Errorf("%+v", a)
	}
	if n := w.rdb.XLen(t.Context(), w.only("i")).Val(); n != 1 {
		t.Errorf("%d entries in the list", n)
	}
}

// What is not sent is kept for as long as what was delivered.
func TestAPublishToADisabledEndpointLivesForItsRetention(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxAge: 10 * time.Hour, RetainDelivered: 3 * time.Hour})
	_, _, err := w.UpdateEndpoint(t.Context(), w.endpoint("a"), disabling)
	w.must(err)
	w.admit(w.event("e1"), "a")
	w.wantState("e1", "a", webhook.StateNotSent)
	w.wantTTL("d", 3*time.Hour-time.Minute, 3*time.Hour)
}

// Recording drops attempts that are past their time, a node of the stream at a time.
func TestARecordDropsOldAttempts(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxInFlight: 1000, RetainAttempts: time.Hour})
	w.adapt(w.endpoint("a"), 1000)
	const many = 300
	for i := range many {
		w.settle(w.run(fmt.Sprint("old", i), "a"), delivered())
	}
	if n := w.rdb.XLen(t.Context(), w.only("a")).Val(); n != many {
		t.Errorf("%d attempts are kept of %d", n, many)
	}
	w.clock.pass(2 * time.Hour)
	w.settle(w.run("new", "a"), delivered())
	if n := w.rdb.XLen(t.Context(), w.only("a")).Val(); n > many/2 {
		t.Errorf("%d attempts are kept", n)
	}
}

// An event that can neither be finished nor left unfinished was not published: the next time it is.
func TestTwoDamagedKeysOfAPublish(t *testing.T) {
	redistest.NotCluster(t, "there each endpoint has a call of its own")
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.endpoint("b")
	event := redisstore.EventKey(w.event("e1").Ref())
	keys := []string{redisstore.OutKey(w.ref("a")), event[:strings.Index(event, "}:")] + "}:admitting"}
	for _, key := range keys {
		w.must(w.rdb.SAdd(t.Context(), key, "of another kind").Err())
	}
	answers, err := w.Admit(t.Context(), []webhook.Fanout{w.atOnce("e1", "a", "b"), w.atOnce("e2", "b")})
	w.must(err)
	if a := answers[0]; a.Err == nil || a.Finished || a.FannedOut {
		t.Errorf("the damaged: %+v", a)
	}
	if a := answers[1]; a.Err != nil || !a.Finished || len(a.Runs()) != 1 {
		t.Errorf("the other: %+v", a)
	}
	w.must(w.rdb.Del(t.Context(), keys...).Err())
	if a := w.admit(w.event("e1"), "a", "b"); a.Err != nil || a.Duplicate || !a.FannedOut {
		t.Errorf("again: %+v", a)
	}
}

// A fan-out to a great many endpoints would keep everybody waiting for one script: it takes two steps.
func TestALargeFanout(t *testing.T) {
	const most = 100
	w := newWorld(t, redisstore.Config{EndpointsPerBrand: 2 * most})
	ids := make([]string, most+1)
	for i := range ids {
		ids[i] = fmt.Sprint("a", i)
		w.endpoint(ids[i])
	}
	answers, err := w.Admit(t.Context(), []webhook.Fanout{w.atOnce("large", ids...), w.atOnce("small", ids[:most]...), w.atOnce("other", ids[:most]...)})
	w.must(err)
	for i, a := range answers {
		if n := len(a.Runs()); !a.FannedOut || n != len(ids)-min(i, 1) {
			t.Errorf("answer %d: %d runs of %d, %+v", i, n, len(ids), a)
		}
	}
	if answers[0].Finished {
		t.Error("the large one was finished at once")
	}
}
