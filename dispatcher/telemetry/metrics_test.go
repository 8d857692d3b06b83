package telemetry_test

import (
	"context"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// busy has metrics of which every series has been counted.
func busy(t testing.TB) (*telemetry.Metrics, *prometheus.Registry) {
	t.Helper()
	m := telemetry.NewMetrics(telemetry.MetricsConfig{
		System: func() (telemetry.System, bool) {
			return telemetry.System{
				Workers: 3, Queues: []telemetry.QueueLength{{Lane: "live", Shard: 1, Pending: 7}}, Runnable: 1500 * time.Millisecond, Memory: 0.25,
				Ledger: &telemetry.Ledger{Open: 9, Waiting: 8, Oldest: time.Minute, Breakers: 2},
			}, true
		},
		Redriven: func() map[string]int { return map[string]int{"missing": 4} },
		Dropped:  func() map[string]int { return map[string]int{"event": 5} },
		Skew:     func() (time.Duration, bool) { return -time.Second, true },
	})
	m.Published("message.read")
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	return m, registry
}

func gather(t *testing.T, registry *prometheus.Registry) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

// TestMetricsAreThoseOfTheREADME: its table has every name with its labels, and no other.
func TestMetricsAreThoseOfTheREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{"build_info": "role,version"} // it is the program's
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)(?:\\{([a-z,]+)\\})?` \\| (counter|gauge|histogram)").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = strings.Join(slices.Sorted(slices.Values(strings.FieldsFunc(row[2], func(r rune) bool { return r == ',' }))), ",")
	}
	_, registry := busy(t)
	exported := map[string]string{"build_info": "role,version"}
	for name, f := range gather(t, registry) {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		exported[strings.TrimPrefix(name, "outhook_")] = strings.Join(slices.Sorted(slices.Values(labels)), ",")
	}
	if diff := cmp.Diff(exported, documented); diff != "" {
		t.Errorf("exported, documented: %s", diff)
	}
	if len(exported) < 20 {
		t.Errorf("only %v", slices.Sorted(maps.Keys(exported)))
	}
}

// TestSystemMetrics: what all processes together have is said as it is, or not at all.
func TestSystemMetrics(t *testing.T) {
	_, registry := busy(t)
	got := gather(t, registry)
	for name, want := range map[string]float64{
		"workers": 3, "queue_pending": 7, "oldest_runnable_delivery_age_seconds": 1.5, "redis_memory_used_ratio": 0.25,
		"deliveries_open": 9, "deliveries_waiting": 8, "oldest_open_delivery_age_seconds": 60, "breakers_open": 2, "redis_clock_skew_seconds": -1,
	} {
		if value := got["outhook_"+name].GetMetric()[0].GetGauge().GetValue(); value != want {
			t.Errorf("%s is %g, not %g", name, value, want)
		}
	}
	for name, want := range map[string]float64{"reconciler_redriven_total": 4, "history_dropped_total": 5} {
		if value := got["outhook_"+name].GetMetric()[0].GetCounter().GetValue(); value != want {
			t.Errorf("%s is %g, not %g", name, value, want)
		}
	}
	silent := telemetry.NewMetrics(telemetry.MetricsConfig{
		System: func() (telemetry.System, bool) { return telemetry.System{Workers: 3}, false }, Skew: func() (time.Duration, bool) { return 0, false },
		Redriven: func() map[string]int { return nil }, Dropped: func() map[string]int { return nil },
	})
	registry = prometheus.NewRegistry()
	registry.MustRegister(silent)
	for name := range gather(t, registry) {
		if slices.Contains([]string{"outhook_workers", "outhook_deliveries_open", "outhook_redis_clock_skew_seconds"}, name) {
			t.Errorf("%s is said by one who is not to", name)
		}
	}
}

// TestDeliveryLatency counts from when the delivery was opened to the end of the attempt, and only what was delivered.
func TestDeliveryLatency(t *testing.T) {
	m, registry := busy(t)
	begun := time.Now()
	for _, outcome := range []webhook.Outcome{webhook.OutcomeDelivered, webhook.OutcomeRetrying, webhook.OutcomeDead} {
		m.Attempted(&webhook.Attempt{Outcome: outcome, Reason: webhook.ReasonOK, StartedAt: begun, Duration: 2 * time.Second}, begun.Add(-3*time.Second))
	}
	got := gather(t, registry)
	if h := got["outhook_delivery_latency_seconds"].GetMetric()[0].GetHistogram(); h.GetSampleCount() != 1 || h.GetSampleSum() != 5 {
		t.Errorf("latency: %d of %g s", h.GetSampleCount(), h.GetSampleSum())
	}
	if h := got["outhook_attempt_duration_seconds"].GetMetric()[0].GetHistogram(); h.GetSampleCount() != 3 || h.GetSampleSum() != 6 {
		t.Errorf("attempts: %d of %g s", h.GetSampleCount(), h.GetSampleSum())
	}
}

// TestHookTimesCommands: a command and a pipeline count once each; what waits on purpose does not.
func TestHookTimesCommands(t *testing.T) {
	m, registry := busy(t)
	hook, ctx := m.Hook(), context.Background()
	run := hook.ProcessHook(func(context.Context, redis.Cmder) error { return nil })
	pipe := hook.ProcessPipelineHook(func(context.Context, []redis.Cmder) error { return nil })
	get, move, wait := redis.NewStringCmd(ctx, "get", "k"), redis.NewStringCmd(ctx, "BLMOVE", "a", "b", "RIGHT", "RIGHT", 1), redis.NewIntCmd(ctx, "wait", 1, 100)
	for _, cmd := range []redis.Cmder{get, move, wait} {
		_ = run(ctx, cmd)
	}
	_, _ = pipe(ctx, []redis.Cmder{get, get}), pipe(ctx, []redis.Cmder{get, wait})
	if n := gather(t, registry)["outhook_redis_command_duration_seconds"].GetMetric()[0].GetHistogram().GetSampleCount(); n != 2 {
		t.Errorf("%d were timed, not the command and the pipeline", n)
	}
}

// Without metrics, nothing is counted and nothing fails.
func TestWithoutMetrics(t *testing.T) {
	var m *telemetry.Metrics
	if n := testing.AllocsPerRun(100, func() { count(m) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	if m.Hook() != nil {
		t.Error("a hook")
	}
}

var attempted = &webhook.Attempt{Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK, StartedAt: time.Unix(1, 0), Duration: time.Millisecond}

// count is what one delivery costs.
func count(m *telemetry.Metrics) {
	m.Published("message.read")
	ended := m.Begun()
	m.Attempted(attempted, time.Unix(1, 0))
	ended()
}

// BenchmarkMetrics: what the metrics of one delivery cost, with and without.
//
//	two shared cores: 0.2 µs and 24 B in one allocation with, 9 ns without
func BenchmarkMetrics(b *testing.B) {
	on, _ := busy(b)
	for name, m := range map[string]*telemetry.Metrics{"on": on, "off": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				count(m)
			}
		})
	}
}
