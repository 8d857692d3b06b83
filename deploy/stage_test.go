package deploy_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// stage serves metrics as an outhook would that is in a state of our choice: gauges that stay, and counters that grow by
// their step with every scrape.
type stage struct {
	address string

	mu     sync.Mutex
	gauges map[string]float64
	steps  map[string]float64
	totals map[string]float64
}

// startStage begins with one in good health, until the test ends.
func startStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{gauges: map[string]float64{}, steps: map[string]float64{}, totals: map[string]float64{}}
	s.set(healthy)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// healthy is every series of an outhook that delivers some, without trouble. Counters have names that end in _total, _bucket,
// _count or _sum, and their steps here.
var healthy = map[string]float64{
	`outhook_build_info{version="v1.2.3"}`:                        1,
	`outhook_in_flight`:                                           7,
	`outhook_redis_clock_skew_seconds`:                            -0.002,
	`outhook_deliveries_open`:                                     120,
	`outhook_deliveries_waiting`:                                  100,
	`outhook_oldest_open_delivery_age_seconds`:                    5000,
	`outhook_oldest_runnable_delivery_age_seconds`:                0.01,
	`outhook_queue_pending{lane="live",shard="0"}`:                3,
	`outhook_queue_pending{lane="bulk",shard="0"}`:                0,
	`outhook_breakers_open`:                                       1,
	`outhook_workers`:                                             2,
	`outhook_redis_memory_used_ratio`:                             0.3,
	`outhook_events_published_total{type="message.delivered"}`:    10,
	`outhook_attempts_total{outcome="delivered",reason="ok"}`:     9,
	`outhook_attempts_total{outcome="retrying",reason="timeout"}`: 1,
	`outhook_publish_refused_total{reason="full"}`:                0,
	`outhook_publish_refused_total{reason="unavailable"}`:         0,
	`outhook_dead_letters_total{reason="max_age"}`:                0.01,
	`outhook_dead_letters_total{reason="panic"}`:                  0,
	`outhook_endpoints_disabled_total{reason="gone"}`:             0,
	`outhook_reconciler_redriven_total{cause="abandoned"}`:        0,
	`outhook_history_dropped_total{kind="response"}`:              0,
	`outhook_attempt_duration_seconds_bucket{le="0.001"}`:         2,
	`outhook_attempt_duration_seconds_bucket{le="+Inf"}`:          9,
	`outhook_attempt_duration_seconds_count`:                      9,
	`outhook_attempt_duration_seconds_sum`:                        1,
	`outhook_delivery_latency_seconds_bucket{le="0.01"}`:          9,
	`outhook_delivery_latency_seconds_bucket{le="+Inf"}`:          9,
	`outhook_delivery_latency_seconds_count`:                      9,
	`outhook_delivery_latency_seconds_sum`:                        0.05,
	`outhook_redis_command_duration_seconds_bucket{le="0.001"}`:   100,
	`outhook_redis_command_duration_seconds_bucket{le="+Inf"}`:    100,
	`outhook_redis_command_duration_seconds_count`:                100,
	`outhook_redis_command_duration_seconds_sum`:                  0.05,
	`process_cpu_seconds_total`:                                   0.1,
	`process_resident_memory_bytes`:                               50e6,
	`process_start_time_seconds`:                                  1.7e9,
	`process_open_fds`:                                            40,
	`process_max_fds`:                                             16384,
	`go_goroutines`:                                               200,
}

// set changes what is served from the next scrape on: the values of gauges, the steps of counters.
func (s *stage) set(series map[string]float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, value := range series {
		if isCounter(name) {
			s.steps[name] = value
		} else {
			s.gauges[name] = value
		}
	}
}

// drop ends series, as when the process that served them died.
func (s *stage) drop(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		delete(s.gauges, name)
	}
}

func isCounter(series string) bool {
	name, _, _ := strings.Cut(series, "{")
	return slices.ContainsFunc([]string{"_total", "_bucket", "_count", "_sum"}, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

func (s *stage) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for name, step := range s.steps {
		s.totals[name] += step
	}
	for _, values := range []map[string]float64{s.gauges, s.totals} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			_, _ = io.WriteString(w, fmt.Sprintf("%s %g\n", name, values[name]))
		}
	}
}
