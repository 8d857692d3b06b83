package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var healthTests = map[string]func(*T){
	"Health/counts what is open, in the order of the input": func(t *T) {
		t.endpoint("idle")
		busy := t.endpoint("busy", serial)
		t.settle(t.runOf("retried", "busy"), t.retryIn(time.Hour))
		t.runOf("out", "busy")
		late, early := t.event("late"), t.event("early")
		early.PublishedAt = late.PublishedAt.Add(-time.Minute)
		t.admit(late, "busy")
		t.admit(early, "busy")
		t.wantHealth([]string{"busy", "never", "idle", "busy"},
			webhook.Health{Breaker: webhook.BreakerClosed, WaitingFor: webhook.GateSlot, Limit: 1, InFlight: 1, Waiting: 2, Retrying: 1, OldestWaitingAt: early.PublishedAt},
			webhook.Health{Breaker: webhook.BreakerClosed, Limit: maxInFlight},
			webhook.Health{Breaker: webhook.BreakerClosed, Limit: maxInFlight},
			webhook.Health{Breaker: webhook.BreakerClosed, WaitingFor: webhook.GateSlot, Limit: 1, InFlight: 1, Waiting: 2, Retrying: 1, OldestWaitingAt: early.PublishedAt})

		t.update(busy, func(e *webhook.Endpoint) { e.MaxInFlight = 3 })
		t.wantHealth([]string{"busy"}, webhook.Health{Breaker: webhook.BreakerClosed, Limit: 3, InFlight: 3, Retrying: 1})
		t.update(busy, func(e *webhook.Endpoint) { e.MaxInFlight = 0 })
		t.wantHealth([]string{"busy"}, webhook.Health{Breaker: webhook.BreakerClosed, Limit: maxInFlight, InFlight: 3, Retrying: 1})
	},
	"Health/of none is none": func(t *T) { t.wantHealth(nil) },
}

func (t *T) wantHealth(ids []string, want ...webhook.Health) {
	t.Helper()
	var refs []webhook.EndpointRef
	for _, id := range ids {
		refs = append(refs, webhook.EndpointRef{Brand: t.brand, ID: id})
	}
	got, err := t.Health(t.Context(), refs)
	t.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}
