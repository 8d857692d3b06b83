package storetest

import (
	"fmt"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

var claimTests = map[string]func(*T){
	"Claim/hands over what the attempt needs": func(t *T) {
		secret := signer.NewSecret()
		t.endpoint("a", func(e *webhook.Endpoint) {
			e.Headers = map[string]string{"X-Team": "blue"}
			e.Timeout = 7 * time.Second
			e.Secrets = []webhook.EndpointSecret{{HMAC: secret}}
		})
		run := t.runOf("e1", "a")
		for range 2 { // the second is served from what the first learnt
			c := t.wantClaim(run, webhook.ClaimGo)
			if c.Number != 1 || c.Blocked != 0 || string(c.Event.Payload) != string(t.event("e1").Payload) || c.Event.Type != "message.delivered" {
				t.Fatalf("Claim = %+v", c)
			}
			if c.Endpoint.Timeout != 7*time.Second || c.Endpoint.Headers["X-Team"] != "blue" || !c.Endpoint.Secrets[0].HMAC.Equal(secret) {
				t.Fatalf("Claim's endpoint = %+v", c.Endpoint)
			}
		}
	},
	"Claim/hands over the endpoint as it stood": func(t *T) { // also where many are handed the same
		ref := t.endpoint("a", func(e *webhook.Endpoint) { e.Headers = map[string]string{"X-Team": "blue"} })
		run := t.runOf("e1", "a")
		first, second := t.wantClaim(run, webhook.ClaimGo).Endpoint, t.wantClaim(run, webhook.ClaimGo).Endpoint
		_, _, err := t.UpdateEndpoint(t.Context(), ref, func(e *webhook.Endpoint) error {
			e.Headers["X-Team"] = "green"
			return nil
		})
		t.must(err)
		third := t.wantClaim(run, webhook.ClaimGo).Endpoint
		for i, team := range []string{first.Headers["X-Team"], second.Headers["X-Team"], third.Headers["X-Team"]} {
			if want := []string{"blue", "blue", "green"}[i]; team != want {
				t.Errorf("claim %d hands over %q, want %q", i, team, want)
			}
		}
	},
	"Claim/of another run or a settled delivery is stale": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		other := run
		other.Number++
		t.wantClaim(other, webhook.ClaimStale)
		t.settle(run, delivered())
		t.wantClaim(run, webhook.ClaimStale)
		never := run
		never.EventID = "never"
		t.wantClaim(never, webhook.ClaimStale)
	},
	"Claim/for a deleted endpoint is cancelled": func(t *T) {
		ref := t.endpoint("a")
		run := t.runOf("e1", "a")
		t.must(t.DeleteEndpoint(t.Context(), ref))
		t.wantClaim(run, webhook.ClaimCancelled)
		t.record(nil, run, webhook.Verdict{State: webhook.StateCancelled})
		t.wantState("e1", "a", webhook.StateCancelled)
	},
	"Claim/for a disabled endpoint is parked at its old place": func(t *T) {
		ref := t.endpoint("a")
		run := t.runOf("first", "a")
		t.pass(time.Second)
		for i := range maxInFlight {
			t.admit(t.event(fmt.Sprint("e", i)), "a")
		}
		t.disable(ref)
		t.wantClaim(run, webhook.ClaimParked)
		if d := t.wantState("first", "a", webhook.StateWaiting); d.Position != 1 || d.WaitingFor != "disabled" {
			t.Fatalf("parked = %+v, want first in the line, disabled", d)
		}
		t.wantClaim(run, webhook.ClaimStale)

		released := t.enable(ref)
		t.wantRuns(released, "first")
		if released[0].Number != run.Number+1 {
			t.Fatalf("run %d after %d", released[0].Number, run.Number)
		}
		t.wantClaim(run, webhook.ClaimStale)
		t.wantClaim(released[0], webhook.ClaimGo)
	},
	"Claim/after the event's end is expired": func(t *T) {
		t.endpoint("a")
		e := t.event("e1")
		e.ExpiresAt = t.now().Add(time.Minute)
		run := t.admit(e, "a").Runs()[0]
		t.wantClaim(run, webhook.ClaimGo)
		t.pass(time.Minute)
		t.wantClaim(run, webhook.ClaimExpired)
		t.record(nil, run, webhook.Verdict{State: webhook.StateExpired})
		t.wantState("e1", "a", webhook.StateExpired)
	},
	"Claim/keeps the event's end while it waits in the line": func(t *T) {
		t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
		first := t.runOf("first", "a")
		e := t.event("e1")
		e.ExpiresAt = t.now().Add(time.Minute)
		t.wantRuns(t.admit(e, "a").Runs())
		t.wantState("e1", "a", webhook.StateWaiting)
		t.pass(2 * time.Minute)
		released := t.settle(first, delivered())
		t.wantRuns(released, "e1")
		t.wantClaim(released[0], webhook.ClaimExpired)
	},
	"Claim/after the maximum age is overdue": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		t.pass(maxAge - time.Millisecond)
		t.wantClaim(run, webhook.ClaimGo)
		t.pass(time.Millisecond)
		t.wantClaim(run, webhook.ClaimOverdue)
	},
	"Claim/of a retry that came back by itself keeps its time": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		due := t.now().Add(10 * time.Hour)
		t.settle(run, t.retryIn(10*time.Hour))
		again := run
		again.Failures = 1
		t.pass(time.Minute)
		if c := t.wantClaim(again, webhook.ClaimEarly); !c.DueAt.Equal(due) {
			t.Fatalf("due at %s, want %s", c.DueAt, due)
		}
		t.wantState("e1", "a", webhook.StateRetrying)
		t.wantClaim(again, webhook.ClaimGo) // the same again: somebody wanted it now
	},
	"Claim/of a retry that came back by itself is made when it is due": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		t.settle(run, t.retryIn(time.Hour))
		run.Failures = 1
		t.pass(time.Hour)
		t.wantClaim(run, webhook.ClaimGo)
	},
	"Claim/of a retry takes a slot, or is parked when none is free": func(t *T) {
		t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
		first := t.runOf("first", "a")
		t.wantClaim(first, webhook.ClaimGo)
		t.settle(first, t.retryIn(time.Minute))
		if d := t.wantState("first", "a", webhook.StateRetrying); !d.NextAttemptAt.Equal(t.now().Add(time.Minute)) || d.Attempts != 1 {
			t.Fatalf("retrying = %+v", d)
		}
		second := t.runOf("second", "a") // the slot was free
		t.pass(time.Minute)
		t.wantClaim(first, webhook.ClaimParked)
		t.wantState("first", "a", webhook.StateWaiting)
		released := t.settle(second, delivered())
		t.wantRuns(released, "first")
		if c := t.wantClaim(released[0], webhook.ClaimGo); c.Number != 2 {
			t.Fatalf("attempt number %d after one attempt: parking must not reset the budget", c.Number)
		}
	},
}
