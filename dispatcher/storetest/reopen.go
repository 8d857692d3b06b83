package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// everySettled are all states that a delivery may begin once more from.
func everySettled() []webhook.State {
	return []webhook.State{webhook.StateDelivered, webhook.StateDead, webhook.StateExpired, webhook.StateCancelled, webhook.StateNotSent, webhook.StateNone}
}

var reopenTests = map[string]func(*T){
	"Reopen/a dead letter has all its attempts before it": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e", "a")
		t.settle(run, dead(webhook.DeathMaxAttempts))
		t.pass(100 * time.Hour) // longer than maxAge
		runs := t.reopen(resending(), webhook.ReopenedSent, "e:a")
		t.wantRuns(runs, "e")
		if runs[0].Number <= run.Number {
			t.Fatalf("run %d after %d", runs[0].Number, run.Number)
		}
		t.wantClaim(run, webhook.ClaimStale)
		c := t.wantClaim(runs[0], webhook.ClaimGo)
		if c.Number != 1 || c.Trigger != webhook.TriggerResend || !c.OpenedAt.Equal(t.now()) || len(c.Event.Payload) == 0 {
			t.Fatalf("claimed %+v", c)
		}
		t.wantDead()
		t.settle(runs[0], dead(webhook.DeathMaxAttempts))
		t.wantDead("e")
	},
	"Reopen/what never was, was not sent, expired or delivered": func(t *T) {
		disabled := t.endpoint("a", func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually })
		e := t.event("expired")
		e.ExpiresAt = t.now().Add(time.Minute)
		t.endpoint("b")
		expired := t.admit(e, "b").Runs()[0]
		t.record(nil, expired, webhook.Verdict{State: webhook.StateExpired})
		t.settle(t.runOf("delivered", "b"), delivered())
		t.admit(t.event("notSent"), "a")
		t.admit(t.event("none"))
		t.pass(time.Hour)
		t.update(disabled, func(e *webhook.Endpoint) { e.DisabledReason = "" })
		runs := t.reopen(resending(), webhook.ReopenedSent, "expired:b", "notSent:a", "none:a", "delivered:b")
		slices.SortFunc(runs, func(a, b webhook.Run) int { return strings.Compare(a.EventID, b.EventID) }) // no order is promised
		t.wantRuns(runs, "delivered", "expired", "none", "notSent")
		again := t.reopen(resending(), webhook.ReopenedOpen, "expired:b", "none:a")
		t.wantRuns(again)
		c := t.wantClaim(webhook.Run{DeliveryRef: expired.DeliveryRef, Number: 2, Queue: expired.Queue}, webhook.ClaimGo)
		if !c.Event.ExpiresAt.IsZero() {
			t.Fatalf("it still expires at %s", c.Event.ExpiresAt)
		}
	},
	"Reopen/one that waits for a retry is due now, once": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e", "a")
		t.settle(run, t.retryIn(time.Hour))
		patient := resending()
		patient.Hurry = false
		t.wantRuns(t.reopen(patient, webhook.ReopenedOpen, "e:a"))
		runs := t.reopen(resending(), webhook.ReopenedSent, "e:a")
		t.wantRuns(runs, "e")
		t.wantClaim(run, webhook.ClaimStale)
		if c := t.wantClaim(runs[0], webhook.ClaimGo); c.Number != 2 || c.Trigger != webhook.TriggerDelivery {
			t.Fatalf("claimed %+v", c)
		}
		t.wantRuns(t.reopen(resending(), webhook.ReopenedOpen, "e:a"))
	},
	"Reopen/only what is meant": func(t *T) {
		t.endpoint("a")
		t.settle(t.runOf("dead", "a"), dead(webhook.DeathMaxAge))
		t.settle(t.runOf("delivered", "a"), delivered())
		t.pass(time.Hour)
		t.settle(t.runOf("later", "a"), dead(webhook.DeathMaxAge))
		how := webhook.Reopening{Trigger: webhook.TriggerRecover, States: []webhook.State{webhook.StateDead}, DryRun: true}
		t.wantReopened(how, []string{"dead:a", "delivered:a", "later:a", "dead:gone"}, "sent", "other", "sent", "gone")
		how.DryRun, how.Published.Until = false, t.now()
		t.wantReopened(how, []string{"dead:a", "delivered:a", "later:a"}, "sent", "other", "other")
		t.wantState("dead", "a", webhook.StateRunning)
	},
	"Reopen/without a body nothing is sent": func(t *T) {
		t.endpoint("a")
		t.wantReopened(resending(), []string{"unknown:a"}, "noBody")
		if _, err := t.Delivery(t.Context(), t.refOf("unknown", "a")); err == nil {
			t.Fatal("there is a delivery of an unknown event")
		}
	},
	"Reopen/what a job sends waits behind all others, and leaves them half of the slots": func(t *T) {
		t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 4 })
		for i := range 6 {
			t.settle(t.runOf(fmt.Sprint("dead", i), "a"), dead(webhook.DeathMaxAge))
		}
		how := webhook.Reopening{Trigger: webhook.TriggerRecover, States: []webhook.State{webhook.StateDead}, Job: "job_1"}
		runs := t.reopen(how, webhook.ReopenedSent, "dead0:a", "dead1:a", "dead2:a", "dead3:a", "dead4:a", "dead5:a")
		t.wantRuns(runs, "dead0", "dead1")
		t.pass(time.Second)
		live := t.admit(t.event("live0"), "a").Runs()
		t.wantRuns(live, "live0")
		t.wantRuns(t.admit(t.event("live1"), "a").Runs(), "live1")
		t.admit(t.event("live2"), "a")
		if d := t.wantState("live2", "a", webhook.StateWaiting); d.Position != 1 {
			t.Fatalf("position %d, want the first", d.Position)
		}
		t.wantRuns(t.settle(live[0], delivered()), "live2")
		t.wantRuns(t.settle(runs[0], delivered())) // three are in flight: half of the slots are not free
	},
	"Reopen/of a deleted endpoint only what is meant is gone, and not what the job sent before": func(t *T) {
		ref := t.endpoint("a")
		for _, id := range []string{"sent", "dead"} {
			t.settle(t.runOf(id, "a"), dead(webhook.DeathMaxAge))
		}
		t.settle(t.runOf("delivered", "a"), delivered())
		how := webhook.Reopening{Trigger: webhook.TriggerResend, States: []webhook.State{webhook.StateDead}, Job: "job_1"}
		t.reopen(how, webhook.ReopenedSent, "sent:a")
		t.must(t.DeleteEndpoint(t.Context(), ref))
		t.wantReopened(how, []string{"sent:a", "dead:a", "delivered:a", "sent:never"}, "other", "gone", "other", "other")
		t.wantReopened(resending(), []string{"dead:a", "delivered:a", "sent:never"}, "gone", "gone", "gone")
	},
	"Reopen/what was found too old before is not given up after": func(t *T) {
		ref := t.endpoint("a", serial)
		t.runOf("first", "a")
		t.admit(t.event("e"), "a")
		t.disable(ref)
		t.pass(maxAge + time.Second)
		b := t.inspect(ref)
		old := slices.IndexFunc(b.Doomed, func(d webhook.Doomed) bool { return d.Ref.EventID == "e" })
		if old < 0 {
			t.Fatalf("doomed %+v", b.Doomed)
		}
		ending := webhook.Settlement{Run: webhook.Run{DeliveryRef: b.Doomed[old].Ref},
			Verdict: webhook.Verdict{State: b.Doomed[old].State, DeathReason: b.Doomed[old].Death}}
		_, err := t.Record(t.Context(), &ending)
		t.must(err)
		t.wantState("e", "a", webhook.StateDead)
		t.reopen(resending(), webhook.ReopenedSent, "e:a")
		_, err = t.Record(t.Context(), &ending) // another's, or the same command sent once more
		t.must(err)
		t.wantState("e", "a", webhook.StateWaiting)
	},
	"Reopen/two jobs, and the same one twice": func(t *T) {
		t.endpoint("a")
		t.settle(t.runOf("e", "a"), dead(webhook.DeathMaxAge))
		how := webhook.Reopening{Trigger: webhook.TriggerRecover, States: []webhook.State{webhook.StateDead}, Job: "job_1"}
		runs := t.reopen(how, webhook.ReopenedSent, "e:a")
		t.wantReopened(how, []string{"e:a"}, "other")
		t.settle(runs[0], dead(webhook.DeathMaxAge))
		t.wantReopened(how, []string{"e:a"}, "other") // it died again
		how.Job = "job_2"
		t.wantReopened(how, []string{"e:a"}, "sent")
	},
	"CancelDelivery/wherever it is, once": func(t *T) {
		t.endpoint("a", serial)
		retried := t.runOf("retried", "a")
		t.settle(retried, t.retryIn(time.Hour))
		out := t.runOf("out", "a")
		t.admit(t.event("waits"), "a")
		t.wantRuns(t.cancel("retried", true))
		t.wantRuns(t.cancel("out", true), "waits")
		t.wantRuns(t.cancel("out", false))
		t.wantRuns(t.cancel("unknown", false))
		for _, run := range []webhook.Run{retried, out} {
			t.wantClaim(run, webhook.ClaimStale)
		}
		t.settle(out, t.retryIn(time.Hour)) // the attempt was in flight
		t.wantState("out", "a", webhook.StateCancelled)
		if n := len(t.attempts("out", "a")); n != 1 {
			t.Fatalf("%d attempts kept, want the one in flight", n)
		}
		t.cancel("waits", true)
	},
}

// resending is how somebody sends an event once more.
func resending() webhook.Reopening {
	return webhook.Reopening{Trigger: webhook.TriggerResend, States: everySettled(), Hurry: true}
}

// reopen wants the same of all deliveries, "event:endpoint", and answers what was released.
func (t *T) reopen(how webhook.Reopening, want webhook.Reopened, names ...string) []webhook.Run {
	t.Helper()
	wants := make([]string, len(names))
	for i := range names {
		wants[i] = string(want)
	}
	return t.wantReopened(how, names, wants...)
}

func (t *T) wantReopened(how webhook.Reopening, names []string, want ...string) []webhook.Run {
	t.Helper()
	refs := make([]webhook.DeliveryRef, len(names))
	for i, name := range names {
		var endpoint string
		for at, c := range name {
			if c == ':' {
				refs[i], endpoint = t.refOf(name[:at], name[at+1:]), name[at+1:]
			}
		}
		if endpoint == "" {
			t.Fatalf("%q is not event:endpoint", name)
		}
	}
	done, releases, err := t.Reopen(t.Context(), refs, how)
	t.must(err)
	got := make([]string, len(done))
	for i, what := range done {
		got[i] = string(what)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("reopened %v, want %v", got, want)
	}
	var runs []webhook.Run
	for _, r := range releases {
		runs = append(runs, r.Runs...)
	}
	return runs
}

func (t *T) cancel(event string, want bool) []webhook.Run {
	t.Helper()
	cancelled, r, err := t.Cancel(t.Context(), t.refOf(event, "a"))
	t.must(err)
	if cancelled != want {
		t.Fatalf("Cancel(%s) = %v, want %v", event, cancelled, want)
	}
	return r.Runs
}

// wantDead compares the dead letters of all endpoints.
func (t *T) wantDead(events ...string) {
	t.Helper()
	var got []string
	for _, l := range t.deadLetters(webhook.DeadLetterQuery{Brand: t.brand}) {
		got = append(got, l.Delivery.Ref.EventID)
	}
	if !slices.Equal(got, events) {
		t.Fatalf("dead letters %v, want %v", got, events)
	}
}
