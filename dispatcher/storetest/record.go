package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var recordTests = map[string]func(*T){
	"Record/releases the oldest that waits": func(t *T) {
		t.endpoint("a")
		var runs []webhook.Run
		for i := range maxInFlight + 2 {
			runs = append(runs, t.admit(t.event(fmt.Sprint("e", i)), "a").Runs()...)
			t.pass(time.Millisecond)
		}
		t.wantRuns(t.settle(runs[0], delivered()), fmt.Sprint("e", maxInFlight))
		t.wantRuns(t.settle(runs[1], t.retryIn(time.Hour)), fmt.Sprint("e", maxInFlight+1))
		t.wantRuns(t.settle(runs[2], dead(webhook.DeathMaxAttempts)))
	},
	"Record/twice changes nothing and answers the same": func(t *T) {
		t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
		run := t.runOf("e1", "a")
		t.admit(t.event("e2"), "a")
		t.pass(time.Millisecond)
		t.admit(t.event("e3"), "a")
		v := delivered()
		a := t.attempt(run, v)
		first := t.record(a, run, v)
		t.wantRuns(first, "e2")
		if again := t.record(a, run, v); !slices.Equal(again, first) {
			t.Fatalf("again %v, want %v", again, first)
		}
		if n := len(t.attempts("e1", "a")); n != 1 {
			t.Fatalf("%d attempts kept", n)
		}
		t.wantState("e3", "a", webhook.StateWaiting)
	},
	"Record/of two workers that hold the same run, one of them twice": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		v := t.retryIn(time.Hour)
		first, second := t.attempt(run, v), t.attempt(run, v)
		for _, a := range []*webhook.Attempt{first, second, first} {
			t.record(a, run, v)
		}
		if d := t.wantState("e1", "a", webhook.StateRetrying); d.Attempts != 2 || len(t.attempts("e1", "a")) != 2 {
			t.Fatalf("%d attempts counted, %d kept, of 2", d.Attempts, len(t.attempts("e1", "a")))
		}
	},
	"Record/keeps every attempt whole, oldest first": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		v := t.retryIn(time.Minute)
		failed := t.attempt(run, v)
		failed.Status, failed.Duration = 503, 12345*time.Microsecond
		failed.Phases = webhook.Phases{DNS: time.Millisecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond, FirstByte: 4 * time.Millisecond}
		failed.ResponseHeader = map[string][]string{"Retry-After": {"7"}}
		failed.ResponseBody = []byte("no\x00\xff")
		t.record(failed, run, v)
		t.wantClaim(run, webhook.ClaimGo)
		worked := t.attempt(run, delivered())
		worked.Number = 2
		t.record(worked, run, delivered())
		if diff := cmp.Diff([]webhook.Attempt{*failed, *worked}, t.attempts("e1", "a")); diff != "" {
			t.Fatal(diff)
		}
		if d := t.wantState("e1", "a", webhook.StateDelivered); d.Attempts != 2 || d.UpdatedAt.IsZero() {
			t.Fatalf("delivered = %+v", d)
		}
	},
	"Record/an interrupted attempt is not counted": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		v := t.retryIn(time.Second)
		v.Reason, v.Counts = webhook.ReasonInterrupted, false
		t.settle(run, v)
		if c := t.wantClaim(run, webhook.ClaimGo); c.Number != 1 {
			t.Fatalf("number %d, want 1 again", c.Number)
		}
		if n := len(t.attempts("e1", "a")); n != 1 {
			t.Fatalf("%d attempts kept, want 1", n)
		}
	},
	"Record/counts what was blocked in a row": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		for _, blocked := range []int{1, 2, 0} {
			v := t.retryIn(time.Second)
			v.Blocked = blocked
			t.settle(run, v)
			if c := t.wantClaim(run, webhook.ClaimGo); c.Blocked != blocked {
				t.Fatalf("blocked %d, want %d", c.Blocked, blocked)
			}
		}
	},
	"Record/of an old run saves the attempt and changes nothing": func(t *T) {
		t.endpoint("a")
		old := t.runOf("e1", "a")
		current := t.redrive(old)
		t.wantRuns(t.settle(old, t.retryIn(time.Hour)))
		t.wantState("e1", "a", webhook.StateRunning)
		t.wantRuns(t.settle(old, dead(webhook.DeathMaxAttempts)))
		t.wantState("e1", "a", webhook.StateRunning)
		if n := len(t.attempts("e1", "a")); n != 2 {
			t.Fatalf("%d attempts kept, want 2", n)
		}
		if c := t.wantClaim(current, webhook.ClaimGo); c.Number != 1 {
			t.Fatalf("number %d, want 1", c.Number)
		}
	},
	"Record/of an old run that was delivered settles": func(t *T) {
		t.endpoint("a")
		old := t.runOf("e1", "a")
		current := t.redrive(old)
		t.settle(old, delivered())
		t.wantState("e1", "a", webhook.StateDelivered)
		t.wantClaim(current, webhook.ClaimStale)
		t.settle(current, t.retryIn(time.Hour))
		t.wantState("e1", "a", webhook.StateDelivered)
	},
	"Record/of a parked run that was delivered takes it out of the line": func(t *T) {
		ref := t.endpoint("a")
		run := t.runOf("e1", "a")
		t.disable(ref)
		t.wantClaim(run, webhook.ClaimParked)
		t.settle(run, delivered())
		t.wantState("e1", "a", webhook.StateDelivered)
		t.wantRuns(t.enable(ref))
	},
	"Record/a 410 does not disable what was changed since the claim": func(t *T) {
		ref := t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 10 })
		late, other := t.runOf("e1", "a"), t.runOf("e2", "a")
		before := t.wantClaim(late, webhook.ClaimGo).Revision
		t.update(ref, func(e *webhook.Endpoint) { e.URL = "https://example.com/moved" })
		after := t.wantClaim(other, webhook.ClaimGo).Revision
		if before == "" || before == after {
			t.Fatalf("revisions %q and %q", before, after)
		}
		gone := dead(webhook.DeathGone)
		gone.Disable = webhook.DisabledGone
		settle := func(run webhook.Run, revision string) string {
			_, err := t.Record(t.Context(), &webhook.Settlement{Run: run, Attempt: t.attempt(run, gone), Verdict: gone, Revision: revision})
			t.must(err)
			e, err := t.Endpoint(t.Context(), ref)
			t.must(err)
			return e.DisabledReason
		}
		if reason := settle(late, before); reason != "" {
			t.Fatalf("disabled, %q, by an attempt at what stood before", reason)
		}
		t.wantState("e1", "a", webhook.StateDead)
		if reason := settle(other, after); reason != webhook.DisabledGone {
			t.Fatalf("disabled: %q", reason)
		}
	},
	"Record/dead letters are listed, newest first": func(t *T) {
		ref := t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 10 })
		for i, reason := range []webhook.DeathReason{webhook.DeathMaxAttempts, webhook.DeathMaxAge, webhook.DeathBlocked} {
			id := fmt.Sprint("e", i)
			t.settle(t.runOf(id, "a"), dead(reason))
			if d := t.wantState(id, "a", webhook.StateDead); d.DeathReason != reason {
				t.Fatalf("death of %s: %s, want %s", id, d.DeathReason, reason)
			}
			t.pass(time.Second)
		}
		wantList(t, letterID, t.deadLetters(webhook.DeadLetterQuery{EndpointID: ref.ID}), "e2 a", "e1 a", "e0 a")
	},
	"Record/dead letters end with their retention": func(t *T) {
		ref := t.endpoint("a")
		t.settle(t.runOf("old", "a"), dead(webhook.DeathMaxAttempts))
		t.pass(retainDeadLetters)
		wantList(t, letterID, t.deadLetters(webhook.DeadLetterQuery{EndpointID: ref.ID}), "old a")
		t.pass(time.Millisecond)
		wantList(t, letterID, t.deadLetters(webhook.DeadLetterQuery{EndpointID: ref.ID}))
	},
	"Record/a gone endpoint is disabled and what waits keeps waiting": func(t *T) {
		ref := t.endpoint("a", serial)
		run := t.runOf("e1", "a")
		t.admit(t.event("e2"), "a")
		t.pass(time.Minute)
		v := dead(webhook.DeathGone)
		v.Disable = webhook.DisabledGone
		t.wantRuns(t.settle(run, v))
		at := t.now()
		t.pass(time.Minute)
		for _, e := range t.seen(ref) {
			if e.DisabledReason != webhook.DisabledGone || !e.UpdatedAt.Equal(at) || e.CreatedAt.Equal(at) {
				t.Fatalf("disabled reason %q, updated at %s, want gone at %s", e.DisabledReason, e.UpdatedAt, at)
			}
		}
		if d := t.wantState("e2", "a", webhook.StateWaiting); d.WaitingFor != "disabled" {
			t.Fatalf("e2 waits for %q", d.WaitingFor)
		}
		t.wantRuns(t.enable(ref), "e2")
		for _, e := range t.seen(ref) {
			if e.DisabledReason != "" || !e.UpdatedAt.Equal(t.now()) {
				t.Fatalf("disabled reason %q, updated at %s, want enabled at %s", e.DisabledReason, e.UpdatedAt, t.now())
			}
		}
		t.update(ref, func(e *webhook.Endpoint) { e.UpdatedAt = e.CreatedAt }) // by a process whose clock is behind
		if e := t.seen(ref)[0]; !e.UpdatedAt.Equal(e.CreatedAt) {
			t.Fatalf("updated at %s, want %s", e.UpdatedAt, e.CreatedAt)
		}
	},
}

// redrive gives a run's delivery a new run.
func (t *T) redrive(lost webhook.Run) webhook.Run {
	t.Helper()
	freed, err := t.Redrive(t.Context(), lost)
	runs := freed.Runs
	t.must(err)
	t.wantRuns(runs, lost.EventID)
	if runs[0].Number <= lost.Number {
		t.Fatalf("run %d after %d", runs[0].Number, lost.Number)
	}
	return runs[0]
}
