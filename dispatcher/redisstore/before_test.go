package redisstore_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// storedSecret signs nothing but these tests.
func storedSecret(t testing.TB) signer.Secret {
	t.Helper()
	secret, err := signer.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32))))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// storedStates are the deliveries of the version before, by endpoint and event.
func storedStates() map[string]map[string]webhook.State {
	return map[string]map[string]webhook.State{
		"open": {"delivered": webhook.StateDelivered, "dead": webhook.StateDead, "retrying": webhook.StateRetrying, "expires": webhook.StateExpired},
		"busy": {"running": webhook.StateRunning, "waiting": webhook.StateWaiting},
		"off":  {"notSent": webhook.StateNotSent, "held": webhook.StateWaiting},
		"gone": {"goes": webhook.StateRunning, "cancelled": webhook.StateCancelled},
		"ill":  {"probe": webhook.StateWaiting, "fails1": webhook.StateDead, "fails2": webhook.StateDead},
		"slow": {"first": webhook.StateRunning, "second": webhook.StateWaiting},
		"told": {"told": webhook.StateDead},
	}
}

// TestStoreEverything writes what stands in Redis, in the state that the tests below find it in.
func TestStoreEverything(t *testing.T) {
	if !*update {
		t.Skip("writes testdata")
	}
	w := newWorld(t, redisstore.Config{})
	w.keys = storedRing(t)
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: w.keys, Now: w.clock.Now, Breaker: webhook.Breaker{Failures: 2, OpenFor: time.Hour, MaxOpenFor: time.Hour}})
	w.must(w.CheckKeys(t.Context()))
	w.everyKind()
	w.moreKinds()
	w.store()
}

// moreKinds leaves what an endpoint may remember beside its deliveries.
func (w *world) moreKinds() {
	w.Helper()
	w.endpoint("ill", serial)
	for _, id := range []string{"fails1", "fails2"} {
		bad := dead()
		bad.Signal = webhook.SignalBad
		w.attempted(w.run(id, "ill"), bad)
	}
	w.admit(w.event("probe"), "ill") // behind a breaker

	w.endpoint("slow", func(e *webhook.Endpoint) { e.RateLimit = webhook.RateLimit{PerSecond: 0.001} })
	first := w.run("first", "slow")
	w.claim(first, webhook.ClaimGo)
	w.claim(w.run("second", "slow"), webhook.ClaimParked)

	w.endpoint("told", func(e *webhook.Endpoint) {
		e.Headers, e.Metadata = map[string]string{"X-Team": "blue"}, map[string]string{"team": "blue"}
		e.Secrets = []webhook.EndpointSecret{{HMAC: storedSecret(w)}}
	})
	told := dead()
	told.Disable, told.DeathReason = webhook.DisabledGone, webhook.DeathGone
	w.attempted(w.run("told", "told"), told)

	ref := w.ref("off")
	_, _, err := w.UpdateEndpoint(w.Context(), ref, func(e *webhook.Endpoint) error { e.DisabledReason = ""; return nil })
	w.must(err)
	held := w.run("held", "off")
	_, _, err = w.UpdateEndpoint(w.Context(), ref, disabling)
	w.must(err)
	w.claim(held, webhook.ClaimParked)
	w.must(w.RecordTest(w.Context(), webhook.Attempt{
		ID: "att_test", Ref: webhook.DeliveryRef{Brand: brand, EventID: "test", EndpointID: "open"}, Type: "message.read", Number: 1,
		Trigger: webhook.TriggerTest, StartedAt: w.clock.Now(), Status: 200, Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK,
	}))
	marked := redisstore.EventKey(webhook.EventRef{Brand: brand, ID: "expires"})
	w.must(w.rdb.SetRange(w.Context(), marked, 0, "m").Err())
}

// attempted settles a run to the endpoint as it stands now.
func (w *world) attempted(run webhook.Run, v webhook.Verdict) {
	w.Helper()
	c := w.claim(run, webhook.ClaimGo)
	s := settlementOf(run, v, w.clock.Now())
	s.Revision = c.Revision
	_, err := w.Record(w.Context(), s)
	w.must(err)
}

// What the version before wrote is read as it meant it.
func TestDeliveriesOfTheVersionBefore(t *testing.T) {
	w := restored(t)
	for endpoint, deliveries := range storedStates() {
		for event, want := range deliveries {
			w.wantState(event, endpoint, want)
		}
	}
	if d := w.wantState("told", "told", webhook.StateDead); d.DeathReason != webhook.DeathGone || d.Attempts != 1 {
		t.Errorf("%+v", d)
	}
	if d := w.wantState("probe", "ill", webhook.StateWaiting); d.WaitingFor != webhook.GateBreaker || d.Position != 1 {
		t.Errorf("%+v", d)
	}
	if d := w.wantState("second", "slow", webhook.StateWaiting); d.WaitingFor != webhook.GateRateLimit || d.WaitingUntil.IsZero() {
		t.Errorf("%+v", d)
	}
	if d := w.wantState("held", "off", webhook.StateWaiting); d.WaitingFor != webhook.GateDisabled {
		t.Errorf("%+v", d)
	}
	found, err := w.Health(t.Context(), []webhook.EndpointRef{w.ref("ill"), w.ref("open")})
	w.must(err)
	if found[0].Breaker != webhook.BreakerOpen || found[0].Waiting != 1 || found[1].Breaker != webhook.BreakerClosed || found[1].Retrying != 1 {
		t.Errorf("health %+v", found)
	}
}

func TestListsOfTheVersionBefore(t *testing.T) {
	w := restored(t)
	var events, letters, attempts []string
	for _, f := range itemsOf(pagesOf(w, 5, w.events(webhook.EventQuery{}))) {
		events = append(events, f.Event.ID)
		if string(f.Event.Payload) != `{"id":"`+f.Event.ID+`"}` || f.Event.Type != "message.delivered" {
			t.Errorf("%+v", f)
		}
	}
	for _, l := range itemsOf(pagesOf(w, 5, w.deadLetters(webhook.DeadLetterQuery{}))) {
		letters = append(letters, l.Delivery.Ref.EventID)
	}
	for _, a := range itemsOf(pagesOf(w, 5, w.attemptLog(webhook.AttemptQuery{}))) {
		attempts = append(attempts, a.Ref.EventID)
		if a.Status != 200 || a.StartedAt.IsZero() || a.ID == "" {
			t.Errorf("%+v", a)
		}
	}
	for _, of := range []struct {
		name      string
		got, want []string
	}{
		{"events", events, []string{"cancelled", "dead", "delivered", "fails1", "fails2", "first", "goes", "held", "notSent", "probe", "retrying", "running", "second", "told", "waiting"}},
		{"dead letters", letters, []string{"dead", "fails1", "fails2", "told"}},
		{"attempts", attempts, []string{"dead", "delivered", "fails1", "fails2", "retrying", "test", "told"}},
	} {
		slices.Sort(of.got)
		if diff := cmp.Diff(of.want, slices.Compact(of.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", of.name, diff)
		}
	}
	if f, _, err := w.Event(t.Context(), webhook.EventRef{Brand: brand, ID: "unfinished"}); err != nil || f.Type != "message.delivered" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestEndpointsAndKeysOfTheVersionBefore(t *testing.T) {
	w := restored(t)
	w.must(w.CheckKeys(t.Context()))
	e, err := w.Endpoint(t.Context(), w.ref("told"))
	w.must(err)
	if len(e.Secrets) != 1 || !e.Secrets[0].HMAC.Equal(storedSecret(t)) || !maps.Equal(e.Headers, map[string]string{"X-Team": "blue"}) ||
		e.Metadata["team"] != "blue" || e.DisabledReason != webhook.DisabledGone || e.DisabledAt.IsZero() || e.URL != "https://example.com/told" {
		t.Errorf("%+v", e)
	}
	all, err := w.Endpoints(t.Context(), brand)
	w.must(err)
	var ids []string
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	if want := []string{"busy", "ill", "off", "open", "slow", "told"}; !slices.Equal(ids, want) {
		t.Errorf("endpoints %v, want %v", ids, want)
	}
	if _, err := w.Endpoint(t.Context(), w.ref("gone")); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("the deleted one: %v", err)
	}
	key, err := w.Key(t.Context(), "key_a")
	w.must(err)
	if diff := cmp.Diff(keyOf("key_a"), key); diff != "" {
		t.Error(diff)
	}
	wrong := open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, "fixed:"+strings.Repeat("B", 42)+"A="), Now: w.clock.Now})
	if _, ok := errors.AsType[*webhook.KeyError](wrong.CheckKeys(t.Context())); !ok {
		t.Error("the canary of the version before does not tell a wrong key")
	}
}

// What the version before had begun goes on: nothing is lost, nothing is sent twice.
func TestWorkOfTheVersionBeforeGoesOn(t *testing.T) {
	w := restored(t)
	running := webhook.Run{DeliveryRef: webhook.DeliveryRef{Brand: brand, EventID: "running", EndpointID: "busy"}, Number: 1, Queue: "live-1"}
	c := w.claim(running, webhook.ClaimGo)
	if c.Number != 1 || c.Trigger != webhook.TriggerDelivery || string(c.Event.Payload) != `{"id":"running"}` {
		t.Errorf("%+v", c)
	}
	freed := w.settle(running, delivered())
	if len(freed) != 1 || freed[0].EventID != "waiting" || freed[0].Number != 1 {
		t.Errorf("the next in line: %+v", freed)
	}
	w.claim(running, webhook.ClaimStale)
	for id, want := range map[string]error{"delivered": nil, "expires": nil} { // one is just a marker
		answers, err := w.Admit(t.Context(), fanoutOf(eventOf(id, w.clock.Now()), "open"))
		w.must(err)
		if !answers[0].Duplicate || !errors.Is(answers[0].Err, want) || len(answers[0].Runs()) > 0 {
			t.Errorf("%s again: %+v", id, answers[0])
		}
	}
	other := eventOf("delivered", w.clock.Now())
	other.Payload = []byte(`{}`)
	answers, err := w.Admit(t.Context(), fanoutOf(other, "open"))
	w.must(err)
	if !errors.Is(answers[0].Err, webhook.ErrConflict) {
		t.Errorf("the id with another payload: %v", answers[0].Err)
	}
	unfinished, err := w.Admit(t.Context(), fanoutOf(eventOf("unfinished", w.clock.Now()), "open"))
	w.must(err)
	if !unfinished[0].FannedOut {
		t.Errorf("%+v", unfinished[0])
	}
	w.must(w.Finish(t.Context(), []webhook.Event{w.event("unfinished")}))
	_, _, err = w.UpdateEndpoint(t.Context(), w.ref("off"), func(e *webhook.Endpoint) error { e.DisabledReason = ""; return nil })
	w.must(err)
	w.settleEverything()
	for endpoint, deliveries := range storedStates() {
		for event, was := range deliveries {
			want := webhook.StateDelivered
			switch {
			case endpoint == "gone":
				want = webhook.StateCancelled
			case event == "waiting" && was.Open():
				want = webhook.StateExpired // it was to be sent within an hour
			case !was.Open():
				want = was
			}
			w.wantState(event, endpoint, want)
		}
	}
}
