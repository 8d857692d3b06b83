package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func fanoutsOf(w *world, n int, endpoints ...string) (fanouts []webhook.Fanout, events []webhook.Event) {
	for range n {
		e := w.event(webhook.NewID(webhook.EventPrefix))
		fanouts = append(fanouts, webhook.Fanout{Event: e, Endpoints: endpoints})
		events = append(events, e)
	}
	return fanouts, events
}

// What a delivery costs in round trips; a pipeline is one, however many commands it holds.
func TestRoundTrips(t *testing.T) {
	redistest.NotCluster(t, "what is counted goes to one server")
	w := newWorld(t, redisstore.Config{MaxInFlight: 1000})
	for _, id := range []string{"a", "b", "c"} {
		w.endpoint(id)
	}
	one, _ := fanoutsOf(w, 1, "a", "b", "c")
	none, _ := fanoutsOf(w, 1)
	many, manyEvents := fanoutsOf(w, 500, "a", "b")
	conflict, _ := fanoutsOf(w, 1)
	conflict[0].Event.ID, conflict[0].Event.Type = one[0].Event.ID, "message.read"
	good, bad, late := w.run("good", "a"), w.run("bad", "a"), w.run("late", "a")
	calls := []struct {
		name string
		want trips
		call func() error
	}{
		{"Admit of nothing", trips{}, func() error { return discard(w.Admit(t.Context(), nil)) }},
		{"Admit of one event to three endpoints", trips{pipelines: 1}, func() error { return discard(w.Admit(t.Context(), one)) }},
		{"Admit of one event to none", trips{pipelines: 1}, func() error { return discard(w.Admit(t.Context(), none)) }},
		{"Admit of 500 events to two endpoints", trips{pipelines: 1}, func() error { return discard(w.Admit(t.Context(), many)) }},
		{"Admit of a conflict", trips{pipelines: 1}, func() error { return discard(w.Admit(t.Context(), conflict)) }},
		{"Finish of nothing", trips{}, func() error { return w.Finish(t.Context(), nil) }},
		{"Finish of 500", trips{pipelines: 1}, func() error { return w.Finish(t.Context(), manyEvents) }},
		{"Claim", trips{pipelines: 1}, func() error { return discard(w.Claim(t.Context(), good)) }},
		{"Claim, once more", trips{pipelines: 1}, func() error { return discard(w.Claim(t.Context(), good)) }},
		{"Record delivered", trips{pipelines: 1}, func() error {
			return discard(w.Record(t.Context(), settlementOf(good, delivered(), w.clock.Now())))
		}},
		{"Record retrying", trips{pipelines: 1}, func() error {
			return discard(w.Record(t.Context(), settlementOf(late, retryAt(w.clock.Now().Add(time.Hour)), w.clock.Now())))
		}},
		{"Record dead", trips{commands: 1, pipelines: 1}, func() error {
			return discard(w.Record(t.Context(), settlementOf(bad, dead(), w.clock.Now())))
		}},
		{"Endpoints", trips{commands: 1, pipelines: 1}, func() error { return discard(w.Endpoints(t.Context(), brand)) }},
		{"UpdateEndpoint", trips{commands: 2, pipelines: 1}, func() error {
			_, _, err := w.UpdateEndpoint(t.Context(), w.ref("b"), disabling)
			return err
		}},
		{"Health of three", trips{pipelines: 1}, func() error {
			return discard(w.Health(t.Context(), []webhook.EndpointRef{w.ref("a"), w.ref("b"), w.ref("c")}))
		}},
		{"DeleteEndpoint", trips{commands: 2, pipelines: 1}, func() error { return w.DeleteEndpoint(t.Context(), w.ref("c")) }},
		{"CancelOpen", trips{pipelines: 1}, func() error {
			_, _, err := w.CancelOpen(t.Context(), w.ref("c"))
			return err
		}},
		{"CreateKey", trips{commands: 2}, func() error { return w.CreateKey(t.Context(), keyOf("key_a")) }},
		{"Key", trips{commands: 1}, func() error { return discard(w.Key(t.Context(), "key_a")) }},
		{"Keys", trips{commands: 1, pipelines: 1}, func() error { return discard(w.Keys(t.Context())) }},
		{"DeleteKey", trips{commands: 3}, func() error { return w.DeleteKey(t.Context(), "key_a") }},
		{"Survey", trips{pipelines: 1}, func() error { return discard(w.Survey(t.Context(), 0)) }},
		{"Inspect", trips{pipelines: 1}, func() error { return discard(w.Inspect(t.Context(), w.ref("a"))) }},
		{"Redrive", trips{pipelines: 1}, func() error { return discard(w.Redrive(t.Context(), late)) }},
	}
	w.warm()
	count := &trips{}
	w.client.AddHook(count)
	for _, c := range calls {
		*count = trips{}
		w.must(c.call())
		if *count != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, *count, c.want)
		}
	}
}

// warm runs every script once, on an endpoint of its own, and opens the
// connections: the client greets on each through the hooks.
func (w *world) warm() {
	w.Helper()
	w.must(w.client.Ping(w.Context()).Err())
	ref := w.endpoint("warm")
	for i := range 2 {
		run := w.run(fmt.Sprint("warm", i), "warm")
		w.claim(run, webhook.ClaimGo)
		freed, err := w.Redrive(w.Context(), run)
		again := freed.Runs
		w.must(err)
		w.settle(again[0], delivered())
	}
	_, err := w.Inspect(w.Context(), ref)
	w.must(err)
	_, err = w.Health(w.Context(), []webhook.EndpointRef{ref})
	w.must(err)
	_, err = w.Survey(w.Context(), 1)
	w.must(err)
	_, _, err = w.UpdateEndpoint(w.Context(), ref, disabling)
	w.must(err)
	w.must(w.DeleteEndpoint(w.Context(), ref))
	w.cancel(ref)
}

// A server that lost its scripts, as after a failover, costs one more pipeline and not one trip a command.
func TestRoundTripsAfterScriptFlush(t *testing.T) {
	redistest.NotCluster(t, "what is counted goes to one server")
	w := newWorld(t, redisstore.Config{MaxInFlight: 1000})
	w.endpoint("a")
	w.endpoint("b")
	many, _ := fanoutsOf(w, 500, "a", "b")
	w.admit(w.event("first"), "a") // which lists the brand
	redistest.ForgetScripts(t, w.rdb)
	count := &trips{}
	w.client.AddHook(count)
	answers, err := w.Admit(t.Context(), many)
	w.must(err)
	for i, a := range answers {
		if len(a.Releases) != 2 {
			t.Fatalf("answer %d: %+v, want two deliveries", i, a)
		}
	}
	if want := (trips{commands: 1, pipelines: 2}); *count != want { // the script is loaded once
		t.Errorf("%+v, want %+v", *count, want)
	}
}
