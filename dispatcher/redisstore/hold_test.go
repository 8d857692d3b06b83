package redisstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// before does something before a script is sent for the first time.
type before struct {
	redis.Hook
	script string
	do     func()
	once   sync.Once
}

func (b *before) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (b *before) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (b *before) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if cmd.Name() == "evalsha" && cmd.Args()[1] == b.script {
				b.once.Do(b.do)
			}
		}
		return next(ctx, cmds)
	}
}

// again is how somebody has a delivery sent once more.
func again() webhook.Reopening {
	return webhook.Reopening{Trigger: webhook.TriggerResend, States: []webhook.State{webhook.StateDelivered, webhook.StateDead, webhook.StateNone}}
}

// settledLongAgo is a delivery whose event is to become a marker, and a second process.
func settledLongAgo(t *testing.T) (w *world, other *redisstore.Store, client redis.UniversalClient, ref webhook.DeliveryRef) {
	w = newWorld(t, redisstore.Config{})
	w.endpoint("a")
	run := w.run("e1", "a")
	w.settle(run, delivered())
	w.clock.pass(73 * time.Hour)
	client = w.server.Client(t)
	return w, open(t, redisstore.Config{Redis: client, Keys: w.keys, Now: w.clock.Now}), client, run.DeliveryRef
}

func reopen(t *testing.T, s *redisstore.Store, ref webhook.DeliveryRef, how webhook.Reopening) (webhook.Reopened, []webhook.Run) {
	t.Helper()
	done, releases, err := s.Reopen(t.Context(), []webhook.DeliveryRef{ref}, how)
	if err != nil {
		t.Fatal(err)
	}
	var runs []webhook.Run
	for _, r := range releases {
		runs = append(runs, r.Runs...)
	}
	return done[0], runs
}

func (w *world) wantSentWhole(done webhook.Reopened, runs []webhook.Run) {
	w.Helper()
	if done != webhook.ReopenedSent || len(runs) != 1 {
		w.Fatalf("reopened: %s, runs %v", done, runs)
	}
	if c := w.claim(runs[0], webhook.ClaimGo); len(c.Event.Payload) == 0 {
		w.Error("it is sent once more, and its body is gone")
	}
}

// Whoever reopens a delivery at any moment of the making of a marker has its body, or is told that there is none.
func TestReopenedBetweenTheLookAndTheMarker(t *testing.T) {
	w, other, _, ref := settledLongAgo(t)
	var done webhook.Reopened
	var runs []webhook.Run
	w.client.AddHook(&before{script: redisstore.MarkerScript, do: func() { done, runs = reopen(t, other, ref, again()) }})
	w.sweep()
	w.wantSentWhole(done, runs)
	w.wantBodies(map[string]string{"e1": "1"})
}

func TestSweptBetweenTheHoldAndTheReopening(t *testing.T) {
	w, other, client, ref := settledLongAgo(t)
	client.AddHook(&before{script: redisstore.ReopenScript, do: w.sweep})
	done, runs := reopen(t, other, ref, again())
	w.wantSentWhole(done, runs)
}

func TestReopenedAfterTheMarker(t *testing.T) {
	w, other, _, ref := settledLongAgo(t)
	w.sweep()
	w.wantBodies(map[string]string{"e1": "m"})
	if done, runs := reopen(t, other, ref, again()); done == webhook.ReopenedSent || len(runs) > 0 {
		t.Errorf("reopened without a body: %s, runs %v", done, runs)
	}
}

func TestAHoldIsOverAfterAWhile(t *testing.T) {
	w, other, _, ref := settledLongAgo(t)
	_, runs := reopen(t, other, ref, again())
	w.settle(runs[0], delivered())
	w.clock.pass(73 * time.Hour)
	w.sweep()
	w.wantBodies(map[string]string{"e1": "1"}) // by Redis's clock it was held just now
	key := redisstore.EventKey(ref.Event())
	w.must(w.rdb.SetRange(t.Context(), key, 17, "\x01\x02\x03\x04").Err())
	w.clock.pass(73 * time.Hour)
	w.sweep()
	w.wantBodies(map[string]string{"e1": "m"})
}

// A job sends an event to an endpoint that it did not go to at first.
func TestSentToAnotherEndpointLater(t *testing.T) {
	w, other, _, ref := settledLongAgo(t)
	w.endpoint("later")
	ref.EndpointID = "later"
	how := again()
	how.Trigger, how.Job = webhook.TriggerRecover, "job_1"
	done, runs := reopen(t, other, ref, how)
	key := redisstore.EventKey(ref.Event())
	w.must(w.rdb.SetRange(t.Context(), key, 17, "\x01\x02\x03\x04").Err()) // the hold is over
	w.sweep()
	w.wantSentWhole(done, runs)
	w.settle(runs[0], delivered())
	w.clock.pass(71 * time.Hour)
	w.sweep()
	w.wantBodies(map[string]string{"e1": "1"})
	w.clock.pass(8 * time.Hour)
	w.sweep()
	w.wantBodies(map[string]string{"e1": "m"})
}

// A fan-out that is finished in between opens a delivery that nobody could see.
func TestFinishedBetweenTheLookAndTheMarker(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.endpoint("b")
	e := w.event("e1")
	first, err := w.Admit(t.Context(), fanoutOf(e, "a", "b"))
	w.must(err)
	for _, run := range first[0].Runs() {
		if run.EndpointID == "a" {
			w.settle(run, delivered())
		}
	}
	// As if the publisher had ended before the second, and whoever finished it between the index and the end.
	w.must(w.rdb.Del(t.Context(), keyFor(w, "o", "b"), keyFor(w, "d", "b")+":e1").Err())
	w.must(w.Finish(t.Context(), []webhook.Event{e}))
	admitting := redisstore.EventKey(e.Ref())[:len("oh:{s00}:")] + "admitting"
	w.must(w.rdb.ZAdd(t.Context(), admitting, redis.Z{Score: 1, Member: e.Ref().String()}).Err())
	w.clock.pass(73 * time.Hour)
	other := open(t, redisstore.Config{Redis: w.server.Client(t), Keys: w.keys, Now: w.clock.Now})
	finish := sync.OnceValue(func() []webhook.Run {
		answers, err := other.Admit(t.Context(), fanoutOf(e, "a", "b"))
		w.must(err)
		w.must(other.Finish(t.Context(), []webhook.Event{e}))
		return answers[0].Runs()
	})
	w.client.AddHook(&before{script: redisstore.MarkerScript, do: func() { finish() }})
	w.sweep()
	runs := finish()
	if len(runs) != 1 || runs[0].EndpointID != "b" {
		t.Fatalf("runs %v", runs)
	}
	if c := w.claim(runs[0], webhook.ClaimGo); len(c.Event.Payload) == 0 {
		t.Error("the body is gone")
	}
}

// An event whose publish was traced is in a format of its own, which whatever looks at the format knows.
func TestATracedEventIsHeldAndBecomesAMarker(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	e := w.event("e1")
	e.Trace = tracedEvent().Event.Trace
	run := w.admit(e, "a").Runs()[0]
	w.wantBodies(map[string]string{"e1": "t"})
	w.settle(run, delivered())
	w.clock.pass(73 * time.Hour)
	done, runs := reopen(t, w.Store, run.DeliveryRef, again())
	w.wantSentWhole(done, runs)
	w.settle(runs[0], delivered())
	w.clock.pass(73 * time.Hour)
	w.sweep()
	w.wantBodies(map[string]string{"e1": "t"}) // it was held just now
	w.must(w.rdb.SetRange(t.Context(), redisstore.EventKey(e.Ref()), 17, "\x01\x02\x03\x04").Err())
	w.clock.pass(73 * time.Hour)
	w.sweep()
	w.wantBodies(map[string]string{"e1": "m"})
	admitted, err := w.Admit(t.Context(), fanoutOf(e, "a"))
	w.must(err)
	if !admitted[0].Duplicate || admitted[0].Err != nil {
		t.Errorf("published again: %+v", admitted[0])
	}
}
