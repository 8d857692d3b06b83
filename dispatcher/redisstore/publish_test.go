package redisstore_test

import (
	"context"
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
		if again := i == 2; a.Finished == again || a.Duplicate != again || a.Err != nil || len(a.Runs()) != (i+1)%2-i/2 {
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
	for name, damaged := range map[string]func(w *world) (key string){
		"endpoint": func(w *world) string { return redisstore.OutKey(w.ref("a")) },
		"event":    func(w *world) string { return redisstore.EventKey(w.event("e1").Ref()) },
		"list":     func(w *world) string { return w.only("i") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			w.endpoint("a")
			w.endpoint("b")
			w.admit(w.event("before"))
			key := damaged(w)
			w.must(w.rdb.Del(t.Context(), key).Err())
			w.must(w.rdb.SAdd(t.Context(), key, "of another kind").Err())
			answers, err := w.Admit(t.Context(), []webhook.Fanout{w.atOnce("e0", "b"), w.atOnce("e1", "a", "b"), w.atOnce("e2", "b")})
			w.must(err)
			for i, a := range answers {
				if fails := i == 1 && name != "list"; fails != (a.Err != nil) || a.Finished == fails || a.Duplicate ||
					fails && !strings.Contains(a.Err.Error(), "WRONGTYPE") {
					t.Errorf("answer %d: %+v", i, a)
				}
			}
			if name == "endpoint" && (len(answers[1].Runs()) != 1 || answers[1].Runs()[0].EndpointID != "b") {
				t.Errorf("released at the other: %+v", answers[1].Runs())
			}
			unfinished := w.unfinished()
			slices.Sort(unfinished)
			if want := map[string][]string{"endpoint": {"e1"}, "list": {"e0", "e1", "e2"}}[name]; !slices.Equal(unfinished, want) {
				t.Errorf("unfinished %v, want %v", unfinished, want)
			}
			w.must(w.rdb.Del(t.Context(), key).Err())
			if a := w.admit(w.event("e1"), "a", "b"); a.Err != nil || a.Duplicate != (name != "event") || !a.FannedOut || len(a.Runs()) != 2 {
				t.Errorf("again: %+v", a)
			}
		})
	}
}

// twice is a network that has every pipeline sent once more by the client, who waited in vain for the first answer.
type twice struct{ redis.Hook }

func (twice) DialHook(next redis.DialHook) redis.DialHook { return next }

func (twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		_ = next(ctx, cmds)
		return next(ctx, cmds)
	}
}

func TestAPublishThatIsSentTwice(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.client.AddHook(twice{})
	if a := w.admit(w.event("e1"), "a"); a.Duplicate || a.Err != nil || !a.FannedOut || len(a.Runs()) != 1 || len(a.Endpoints) != 1 {
		t.Errorf("%+v", a)
	}
	if got := strings.Join(w.listed(), " "); got != "e1" {
		t.Errorf("listed: %s", got)
	}
}

// Nothing is written when the first of them cannot be, as it is when Redis is full.
func TestAPublishWhoseFirstEventIsRefused(t *testing.T) {
	redistest.NotCluster(t, "there each event has a call of its own")
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.must(w.rdb.SAdd(t.Context(), redisstore.EventKey(w.event("e0").Ref()), "of another kind").Err())
	if _, err := w.Admit(t.Context(), []webhook.Fanout{w.atOnce("e0", "a"), w.atOnce("e1", "a")}); err == nil {
		t.Error("no error")
	}
	if a := w.admit(w.event("e1"), "a"); a.Duplicate || !a.FannedOut {
		t.Errorf("the other was written: %+v", a)
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
