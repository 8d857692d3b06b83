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
	"Health/the last hour": func(t *T) {
		t.endpoint("busy")
		good, bad := t.runOf("good", "busy"), t.runOf("bad", "busy")
		for _, s := range []struct {
			run  webhook.Run
			took time.Duration
			v    webhook.Verdict
		}{{good, 20 * time.Millisecond, delivered()}, {bad, 3 * time.Second, t.retryIn(time.Hour)}} {
			a := t.attempt(s.run, s.v)
			a.Duration = s.took
			_, err := t.Record(t.Context(), &webhook.Settlement{Run: s.run, Attempt: a, Verdict: s.v})
			t.must(err)
		}
		want := webhook.Traffic{Attempts: 2, Delivered: 1, Mean: 1510 * time.Millisecond, Max: 3 * time.Second, Busy: 3020. / 3600000}
		t.wantTraffic("busy", want)
		t.pass(50 * time.Minute)
		t.wantTraffic("busy", want)
		t.pass(15 * time.Minute)
		t.wantTraffic("busy", webhook.Traffic{})
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
	for i := range got { // has tests of its own
		got[i].LastHour = webhook.Traffic{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func (t *T) wantTraffic(endpoint string, want webhook.Traffic) {
	t.Helper()
	got, err := t.Health(t.Context(), []webhook.EndpointRef{{Brand: t.brand, ID: endpoint}})
	t.must(err)
	if diff := cmp.Diff(want, got[0].LastHour); diff != "" {
		t.Fatal(diff)
	}
}
