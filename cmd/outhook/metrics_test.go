package main

import (
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// scraped are the series of a process's page of metrics, and their values; those of a histogram are left out.
func scraped(t *testing.T, page string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatalf("%v: %s", err, page)
	}
	all := map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			all[strings.TrimSuffix(name+"{"+strings.Join(labels, ",")+"}", "{}")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return all
}

// TestMetricsOfTwoProcesses: each counts what it does, and one of them says how both stand, whichever was asked first.
func TestMetricsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	api, worker := startServe(t, store.Addr(), "--role=api"), startServe(t, store.Addr(), "--role=worker")
	to := newTarget(t, api.client(t), atOnce())
	if got := api.publish(t, "--type=message.delivered", "--id=e1", "--data", oddPayload); got.code != exitDone {
		t.Fatalf("publish: %+v", got)
	}
	to.expect(t, "e1", oddPayload)
	awaitState(t, api.client(t), "e1", webhook.StateDelivered)
	series := func(c *child) map[string]float64 {
		status, page := get(t, c.admin+"/metrics", "")
		if status != 200 {
			t.Fatalf("%d: %s", status, page)
		}
		return scraped(t, page)
	}
	of, at := series(api), series(worker)
	for name, want := range map[string]float64{
		"outhook_events_published_total{type=message.delivered}": 1, "outhook_workers": 1, "outhook_deliveries_open": 0,
		"outhook_queue_pending{lane=live,shard=3}": 0, "outhook_build_info{role=api,version=" + buildVersion() + "}": 1,
	} {
		if got, there := of[name]; !there || got != want {
			t.Errorf("the API has %s %g (there: %t), not %g", name, got, there, want)
		}
	}
	if at["outhook_attempts_total{outcome=delivered,reason=ok}"] != 1 || at["outhook_events_published_total{type=message.delivered}"] != 0 {
		t.Errorf("the worker counts %v", at)
	}
	for _, name := range []string{"outhook_workers", "outhook_deliveries_open", "outhook_oldest_runnable_delivery_age_seconds"} {
		if _, there := at[name]; there {
			t.Errorf("the worker says %s, as the API does", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if of[name] <= 0 {
			t.Errorf("no %s", name)
		}
	}
	if status, _ := get(t, api.api+"/metrics", ""); status == 200 {
		t.Error("the metrics are public")
	}
}
