package redisstore_test

import (
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// byHand is how somebody sends an event once more.
func byHand() webhook.Reopening {
	return webhook.Reopening{
		Trigger: webhook.TriggerResend, Hurry: true,
		States: []webhook.State{webhook.StateDelivered, webhook.StateDead, webhook.StateExpired, webhook.StateCancelled, webhook.StateNotSent},
	}
}

// A delivery whose record is a newer version's is neither sent once more, nor cancelled, nor deleted.
func TestWhatANewerVersionSettledIsNotSentOnceMore(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	died := webhook.Verdict{Outcome: webhook.OutcomeDead, State: webhook.StateDead, DeathReason: webhook.DeathMaxAge, Counts: true}
	w.settle(w.run("dead", "a"), died)
	w.run("running", "a")
	var before []string
	keys := []string{w.keyEnding("d:acme:a:dead"), w.keyEnding("d:acme:a:running")}
	for _, key := range keys {
		w.newer(key)
		before = append(before, w.dump(key))
	}
	for _, id := range []string{"dead", "running"} {
		delivery := webhook.DeliveryRef{Brand: brand, EventID: id, EndpointID: "a"}
		if done, _, err := w.Reopen(t.Context(), []webhook.DeliveryRef{delivery}, byHand()); err == nil || notThat(err) {
			t.Errorf("reopen %s: %v, %v, want an error about the format", id, done, err)
		}
		if cancelled, _, err := w.Cancel(t.Context(), delivery); cancelled || err == nil || notThat(err) {
			t.Errorf("cancel %s: %v, %v, want an error about the format", id, cancelled, err)
		}
	}
	if n, err := w.DeleteDead(t.Context(), ref, []string{"dead", "running"}, "job_1"); n != 0 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	for i, key := range keys {
		if w.dump(key) != before[i] {
			t.Errorf("%s was changed", key)
		}
	}
	if h := w.health(ref); h.InFlight != 1 {
		t.Errorf("%+v", h)
	}
	if events, _, err := w.Died(t.Context(), ref, webhook.Span{}, "", 10); err != nil || len(events) != 1 {
		t.Errorf("dead letters %v, %v", events, err)
	}
}

// A retry whose record ended by itself, as there was no worker for so long, stays where the reconciler finds it.
func TestARetryWithoutARecordIsNotLost(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	w.settle(w.run("e", "a"), webhook.Verdict{Outcome: webhook.OutcomeRetrying, State: webhook.StateRetrying, Counts: true, NextAttemptAt: w.clock.Now().Add(time.Hour)})
	w.must(w.rdb.Del(t.Context(), w.keyEnding("d:acme:a:e")).Err())
	done, _, err := w.Reopen(t.Context(), []webhook.DeliveryRef{{Brand: brand, EventID: "e", EndpointID: "a"}}, byHand())
	if err != nil || done[0] != webhook.ReopenedOpen {
		t.Errorf("reopened %v, %v", done, err)
	}
	if h := w.health(ref); h.Retrying != 1 {
		t.Errorf("%+v", h)
	}
}

// A job's account ends with the job: what is settled after that leaves nothing behind.
func TestAnAccountThatEndedDoesNotBeginAgain(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.settle(w.run("e", "a"), webhook.Verdict{Outcome: webhook.OutcomeDead, State: webhook.StateDead, DeathReason: webhook.DeathMaxAge, Counts: true})
	how := webhook.Reopening{Trigger: webhook.TriggerResend, States: []webhook.State{webhook.StateDead}, Job: "job_1"}
	delivery := webhook.DeliveryRef{Brand: brand, EventID: "e", EndpointID: "a"}
	done, _, err := w.Reopen(t.Context(), []webhook.DeliveryRef{delivery}, how)
	w.must(err)
	account := keysOf(t, w.rdb, "c")
	if done[0] != webhook.ReopenedSent || len(account) != 1 {
		t.Fatalf("reopened %v, accounts %v", done, account)
	}
	w.must(w.rdb.Del(t.Context(), account[0]).Err())
	if _, _, err := w.Cancel(t.Context(), delivery); err != nil {
		t.Fatal(err)
	}
	if left := keysOf(t, w.rdb, "c"); len(left) > 0 {
		t.Errorf("accounts %v", left)
	}
}

// What a job sent waits at a disabled endpoint until its time is over, also when its record ended before.
func TestAReplayWithoutARecordEnds(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	w.settle(w.run("e", "a"), webhook.Verdict{Outcome: webhook.OutcomeDead, State: webhook.StateDead, DeathReason: webhook.DeathMaxAge, Counts: true})
	_, _, err := w.UpdateEndpoint(t.Context(), ref, disabling)
	w.must(err)
	how := webhook.Reopening{Trigger: webhook.TriggerResend, States: []webhook.State{webhook.StateDead}, Job: "job_1"}
	_, _, err = w.Reopen(t.Context(), []webhook.DeliveryRef{{Brand: brand, EventID: "e", EndpointID: "a"}}, how)
	w.must(err)
	w.must(w.rdb.Del(t.Context(), w.keyEnding("d:acme:a:e")).Err())
	w.clock.pass(100 * time.Hour)
	b, err := w.Inspect(t.Context(), ref)
	w.must(err)
	if len(b.Doomed) != 1 {
		t.Fatalf("doomed %+v", b.Doomed)
	}
	_, err = w.Record(t.Context(), &webhook.Settlement{Run: webhook.Run{DeliveryRef: b.Doomed[0].Ref},
		Verdict: webhook.Verdict{State: b.Doomed[0].State, DeathReason: b.Doomed[0].Death}})
	w.must(err)
	if h := w.health(ref); h.Waiting != 0 {
		t.Errorf("%+v", h)
	}
}
