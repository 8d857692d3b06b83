package deploy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// fault is one that is staged, and what fires until it is mended, no more and no less.
type fault struct {
	name    string
	staged  map[string]float64
	dropped []string
	fires   []string
}

var faults = []fault{{
	name:   "all workers are killed",
	staged: map[string]float64{`outhook_workers`: 0, `outhook_oldest_runnable_delivery_age_seconds`: 300},
	fires:  []string{"OuthookDeliveriesLate/page", "OuthookDeliveriesLate/warning", "OuthookWorkersMissing/page", "OuthookWorkersMissing/warning"},
}, {
	name:   "redis fills up to the publish watermark",
	staged: map[string]float64{`outhook_redis_memory_used_ratio`: 0.86, `outhook_publish_refused_total{reason="full"}`: 10, `outhook_history_dropped_total{kind="response"}`: 50},
	fires: []string{"OuthookHistoryDropped/warning", "OuthookPublishRefused/page", "OuthookPublishRefused/warning",
		"OuthookRedisMemory/page", "OuthookRedisMemory/warning"},
}, {
	name:   "tasks are lost again and again",
	staged: map[string]float64{`outhook_reconciler_redriven_total{cause="abandoned"}`: 20},
	fires:  []string{"OuthookRedriven/warning"},
}, {
	name:   "the clock of redis is wrong",
	staged: map[string]float64{`outhook_redis_clock_skew_seconds`: -7},
	fires:  []string{"OuthookClockSkew/page", "OuthookClockSkew/warning"},
}, {
	name:    "redis answers nobody",
	dropped: []string{`outhook_workers`, `outhook_redis_memory_used_ratio`, `outhook_oldest_runnable_delivery_age_seconds`},
	fires:   []string{"OuthookSystemGaugesAbsent/page"},
}, {
	name: "one endpoint times out and another answers 401, with many that wait",
	staged: map[string]float64{`outhook_breakers_open`: 2, `outhook_deliveries_waiting`: 100_000, `outhook_deliveries_open`: 100_000,
		`outhook_oldest_open_delivery_age_seconds`: 270_000, `outhook_attempts_total{outcome="retrying",reason="timeout"}`: 5,
		`outhook_dead_letters_total{reason="max_age"}`: 5, `outhook_endpoints_disabled_total{reason="gone"}`: 1},
}}

// Alerts fire in a real Prometheus while a fault lasts, and go back when it is mended; each outhook in a namespace of its own.
func TestAlertsFireAndGoBack(t *testing.T) {
	t.Parallel()
	stages, targets := map[string]*stage{}, map[string][]string{}
	for _, f := range faults {
		stages[f.name] = startStage(t)
		targets[f.name] = []string{stages[f.name].address}
	}
	p := startPrometheus(t, targets, quick)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			p := p.in(t)
			p.awaitFiring(f.name, nil)
			stages[f.name].set(f.staged)
			stages[f.name].drop(f.dropped...)
			p.awaitScrapes(f.name, settled)
			p.awaitFiring(f.name, f.fires)
			p.checkTexts(f.name)
			stages[f.name].set(healthy)
			p.awaitFiring(f.name, nil)
		})
	}
}

// settled is after how many scrapes all that hastened rules look back at is of now, and all that is going to fire does.
const settled = 20

// awaitScrapes waits until the target of a namespace has been scraped that many times more.
func (p *prometheus) awaitScrapes(namespace string, n int) {
	p.t.Helper()
	since := time.Now()
	p.await(fmt.Sprintf("%d scrapes", n), func() bool {
		ago := time.Since(since).Milliseconds() + 1
		return len(p.query(fmt.Sprintf(`count_over_time(up{namespace=%q}[%dms]) >= %d`, namespace, ago, n))) > 0
	})
}

// awaitFiring waits until just these fire in a namespace.
func (p *prometheus) awaitFiring(namespace string, names []string) {
	p.t.Helper()
	p.await("these alerts alone: "+strings.Join(names, ", "), func() bool { return slices.Equal(p.firing(namespace), names) })
}

// awaitAlso waits until each of these has fired in a namespace, whatever else does. Meanwhile, again and again, it does what
// makes them.
func (p *prometheus) awaitAlso(namespace string, meanwhile func(), names ...string) {
	p.t.Helper()
	p.await("the alerts "+strings.Join(names, ", "), func() bool {
		meanwhile()
		firing := p.firing(namespace)
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(firing, name) })
		return len(names) == 0
	})
}

// checkTexts looks at what somebody who is woken reads.
func (p *prometheus) checkTexts(namespace string) {
	p.t.Helper()
	for _, a := range p.alerts() {
		for name, text := range a.Annotations {
			wrong := strings.Contains(text, "error") || strings.Contains(text, "{{") || strings.Contains(text, "no value") || text == ""
			if a.Labels["namespace"] == namespace && wrong {
				p.t.Errorf("%s: %s is %q", a.Labels["alertname"], name, text)
			}
		}
	}
}
