package dispatcher_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// gathered are the series of a registry, with the value of each; of a histogram, how much it has seen.
func gathered(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			all[seriesOf(f, m)] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func seriesOf(f *dto.MetricFamily, m *dto.Metric) string {
	name := strings.TrimPrefix(f.GetName(), "outhook_")
	var labels []string
	for _, l := range m.GetLabel() {
		labels = append(labels, l.GetName()+"="+l.GetValue())
	}
	if len(labels) > 0 {
		name += "{" + strings.Join(labels, ",") + "}"
	}
	return name
}

// measured has a dispatcher count into a registry of its own.
func measured(into *prometheus.Registry) func(*dispatcher.Config) {
	return func(c *dispatcher.Config) { c.Metrics = into }
}

// mustBe compares some series, by name, with what they should be; -1 is: not there.
func mustBe(t *testing.T, from prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	got := gathered(t, from)
	for _, series := range slices.Sorted(maps.Keys(want)) {
		value, there := got[series]
		if !there {
			value = -1
		}
		if value != want[series] {
			t.Errorf("%s is %g, not %g", series, value, want[series])
		}
	}
}

// TestMetricsCount: each of what a process counts, from what it does.
func TestMetricsCount(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	d := onServer(t, redistest.Start(t), measured(registry), despairing, func(c *dispatcher.Config) { c.Retry.MaxAttempts = 2 })
	mustBe(t, registry, map[string]float64{ // an alert looks at how they rise
		"attempts_total{outcome=delivered,reason=ok}": 0, "dead_letters_total{reason=max_attempts}": 0, "endpoints_disabled_total{reason=gone}": 0,
		"history_dropped_total{kind=event}": 0, "publish_refused_total{reason=full}": 0, "reconciler_redriven_total{cause=missing}": 0,
	})
	good, bad, gone := d.Receiver(t, "acme", webhook.PurposeStatus), d.Receiver(t, "other", webhook.PurposeStatus), d.Receiver(t, "third", webhook.PurposeStatus)
	bad.Answer(answering(http.StatusNotFound))
	gone.Answer(answering(http.StatusGone))
	for range 2 { // the second is known
		if _, err := d.Publish(t.Context(), event("e")); err != nil {
			t.Fatal(err)
		}
	}
	for _, brand := range []string{"other", "third"} {
		e := event("e")
		e.Brand = brand
		if _, err := d.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		d.WaitState(t, brand, "e", webhook.StateDead)
	}
	good.Wait(t, 1)
	if _, err := d.Publish(t.Context(), webhook.Event{Brand: "acme", Type: "message.delivered", Payload: []byte("[]")}); err == nil {
		t.Error("a list is no payload")
	}
	dispatchertest.Eventually(t, func() bool { return gathered(t, registry)["attempts_total{outcome=delivered,reason=ok}"] == 1 })
	mustBe(t, registry, map[string]float64{
		"events_published_total{type=message.delivered}": 3,
		"attempts_total{outcome=delivered,reason=ok}":    1, "attempts_total{outcome=retrying,reason=http_status}": 1,
		"attempts_total{outcome=dead,reason=http_status}": 1, "attempts_total{outcome=dead,reason=gone}": 1,
		"attempt_duration_seconds": 4, "delivery_latency_seconds": 1,
		"dead_letters_total{reason=max_attempts}": 1, "dead_letters_total{reason=gone}": 1, "dead_letters_total{reason=max_age}": 0,
		"endpoints_disabled_total{reason=gone}": 1, "endpoints_disabled_total{reason=manual}": 0,
		"publish_refused_total{reason=full}": 0, "publish_refused_total{reason=unavailable}": 0, "in_flight": 0,
	})
	update(t, d, good.Endpoint.Ref(), func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually })
	mustBe(t, registry, map[string]float64{"endpoints_disabled_total{reason=manual}": 1})
	if n := gathered(t, registry)["redis_command_duration_seconds"]; n < 10 {
		t.Errorf("%g commands of redis were timed", n)
	}
}

// TestMetricsOfRefusedPublishes: what Redis is too full for, and what it does not answer.
func TestMetricsOfRefusedPublishes(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	server := redistest.Start(t, "--maxmemory-policy", "noeviction", "--maxmemory", "100mb")
	d := onServer(t, server, measured(registry), func(c *dispatcher.Config) { c.PublishWatermark = 1e-9 })
	d.Receiver(t, "acme", webhook.PurposeStatus)
	if _, err := d.PublishBatch(t.Context(), []webhook.Event{event("a"), event("b")}); err == nil {
		t.Fatal("there was room")
	}
	mustBe(t, registry, map[string]float64{"publish_refused_total{reason=full}": 2, "publish_refused_total{reason=unavailable}": 0})
}

// TestMetricsWithoutRedis: what it does not answer is refused, and nobody says how all stand.
func TestMetricsWithoutRedis(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "it is killed")
	registry := prometheus.NewRegistry()
	server := redistest.Start(t, "--appendonly", "yes")
	d := onServer(t, server, measured(registry))
	d.Receiver(t, "acme", webhook.PurposeStatus)
	mustBe(t, registry, map[string]float64{"deliveries_open": 0})
	server.Kill()
	for i := range 3 {
		if _, err := d.Publish(t.Context(), event(fmt.Sprint("e", i))); err == nil {
			t.Fatal("redis was away")
		}
	}
	mustBe(t, registry, map[string]float64{"publish_refused_total{reason=unavailable}": 3, "publish_refused_total{reason=full}": 0})
	dispatchertest.Eventually(t, func() bool { _, there := gathered(t, registry)["deliveries_open"]; return !there })
	server.Restart(t)
	dispatchertest.Eventually(t, func() bool { _, there := gathered(t, registry)["deliveries_open"]; return there })
}

// TestMetricsInFlight: an attempt counts from its beginning to its end.
func TestMetricsInFlight(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	d := dispatchertest.Start(t, measured(registry))
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	answer := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(goOn)
	r.Answer(func(http.ResponseWriter, *http.Request) { <-answer })
	publishAll(t, d, "e", 3)
	r.Wait(t, 3)
	mustBe(t, registry, map[string]float64{"in_flight": 3})
	goOn()
	dispatchertest.Eventually(t, func() bool { return gathered(t, registry)["in_flight"] == 0 })
}

// TestMetricsOfTheSystem: one process says how all stand, and another does once that one is gone.
func TestMetricsOfTheSystem(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory-policy", "noeviction", "--maxmemory", "1gb")
	first, second := prometheus.NewRegistry(), prometheus.NewRegistry()
	d := onServer(t, server, measured(first), func(c *dispatcher.Config) {
		c.Breaker.Failures, c.Breaker.OpenFor, c.Breaker.MaxOpenFor = 3, time.Hour, time.Hour
	})
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(answering(http.StatusInternalServerError))
	publishAll(t, d, "e", 20)
	dispatchertest.Eventually(t, func() bool {
		health, err := d.Health(t.Context(), []webhook.EndpointRef{r.Endpoint.Ref()})
		return err == nil && health[0].Breaker == webhook.BreakerOpen && health[0].Waiting == 20
	})
	seen := gathered(t, first)
	for series, want := range map[string]float64{
		"deliveries_open": 20, "deliveries_waiting": 20, "breakers_open": 1, "queue_pending{lane=live,shard=0}": 0,
		"queue_pending{lane=bulk,shard=3}": 0, "oldest_runnable_delivery_age_seconds": 0,
	} {
		if got, there := seen[series]; !there || got != want {
			t.Errorf("%s is %g (there: %t), not %g", series, got, there, want)
		}
	}
	if age := seen["oldest_open_delivery_age_seconds"]; age <= 0 || age > 60 {
		t.Errorf("the oldest is %g s old", age)
	}
	if share := seen["redis_memory_used_ratio"]; share <= 0 || share > 0.5 {
		t.Errorf("redis uses %g of its memory", share)
	}
	beside := onServer(t, server, measured(second))
	own := []string{"deliveries_open", "workers", "queue_pending{lane=live,shard=0}", "oldest_runnable_delivery_age_seconds", "redis_memory_used_ratio"}
	absent := map[string]float64{}
	for _, series := range own {
		absent[series] = -1
	}
	mustBe(t, second, absent)
	admin := server.Admin(t)
	lead := redistest.Keys(t, admin, "oh:*:lead")
	if len(lead) != 1 {
		t.Fatalf("who speaks for all stands in %v", lead)
	}
	if left := admin.PTTL(t.Context(), lead[0]).Val(); left < time.Minute {
		t.Errorf("for %s", left)
	}
	admin.Del(t.Context(), lead[0]) // as if its time were over
	dispatchertest.Eventually(t, func() bool { return gathered(t, second)["deliveries_open"] == 20 })
	dispatchertest.Eventually(t, func() bool { _, there := gathered(t, first)["deliveries_open"]; return !there })
	third := prometheus.NewRegistry()
	onServer(t, server, measured(third))
	mustBe(t, third, map[string]float64{"deliveries_open": -1})
	beside.Stop() // and with it what it alone said
	dispatchertest.Eventually(t, func() bool { return gathered(t, third)["deliveries_open"] == 20 })
	mustBe(t, second, map[string]float64{"deliveries_open": -1})
}

// TestMetricsOfTasksThatWait: what may run and finds no worker is old, but for what is sent once more.
func TestMetricsOfTasksThatWait(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	server := redistest.Start(t)
	cfg := dispatchertest.Config()
	cfg.Redis, cfg.Metrics = server.Client(t), registry
	publisher, err := dispatcher.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := publisher.CreateEndpoint(t.Context(), webhook.Endpoint{Brand: "acme", URL: "http://127.0.0.1:9/hook", Purpose: webhook.PurposeStatus}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if _, err := publisher.Publish(t.Context(), event(fmt.Sprint("e", i))); err != nil {
			t.Fatal(err)
		}
	}
	dispatchertest.Eventually(t, func() bool { return gathered(t, registry)["oldest_runnable_delivery_age_seconds"] > 1 })
	seen, pending := gathered(t, registry), 0.0
	for shard := range 4 {
		pending += seen[fmt.Sprintf("queue_pending{lane=live,shard=%d}", shard)]
	}
	if pending != 4 || seen["deliveries_open"] != 4 || seen["deliveries_waiting"] != 0 || seen["workers"] != 0 {
		t.Errorf("%g pending of %g open, %g wait, %g workers", pending, seen["deliveries_open"], seen["deliveries_waiting"], seen["workers"])
	}
}

// TestMetricsOfTheClock: one that only publishes, and that nobody asks whether it is ready, measures it all the same.
func TestMetricsOfTheClock(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	cfg := dispatchertest.Config()
	client := redistest.Start(t).Client(t)
	client.AddHook(altered{skew: time.Minute})
	cfg.Redis, cfg.Metrics = client, registry
	if _, err := dispatcher.New(cfg); err != nil {
		t.Fatal(err)
	}
	if skew := gathered(t, registry)["redis_clock_skew_seconds"]; skew < 50 || skew > 70 {
		t.Errorf("the clock of redis is %g s ahead, not a minute", skew)
	}
}

// A registry has them once.
func TestMetricsRegisteredTwice(t *testing.T) {
	t.Parallel()
	cfg := dispatchertest.Config()
	cfg.Redis, cfg.Metrics = dispatchertest.Embedded(t), prometheus.NewRegistry()
	if _, err := dispatcher.New(cfg); err != nil {
		t.Fatal(err)
	}
	_, err := dispatcher.New(cfg)
	if field, ok := errors.AsType[*webhook.FieldError](err); !ok || field.Field != "Metrics" {
		t.Errorf("got %v", err)
	}
}
