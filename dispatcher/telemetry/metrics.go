package telemetry

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// MetricsConfig says what [NewMetrics] asks at each scrape. All fields are required.
type MetricsConfig struct {
	// System answers how all processes together stand, or false when another process says so. It takes two seconds at the most.
	System func() (System, bool)
	// Redriven and Dropped answer what this process has counted by cause and by kind, since it began.
	Redriven, Dropped func() map[string]int
	// Skew answers how far the clock of Redis is ahead of this process's, or false before it was measured.
	Skew func() (time.Duration, bool)
}

// Metrics are the metrics of one process, for Prometheus, and a [prometheus.Collector]. Names and labels are those of the README;
// no label ever names a brand, an endpoint or a URL. A nil *Metrics counts nothing, and costs nothing. Safe for concurrent use.
type Metrics struct {
	published, refused, attempts, dead, disabled *prometheus.CounterVec
	took, latency, redis                         prometheus.Histogram
	inFlight                                     prometheus.Gauge
	process                                      processMetrics
	system                                       systemMetrics
}

var _ prometheus.Collector = (*Metrics)(nil)

const namespace = "outhook"

// seconds are buckets from a millisecond to half a minute: the shortest answer, and the longest that an attempt may wait for.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30}

// days go on from them to the age at which a delivery is given up.
var days = append(slices.Clone(seconds), 60, 300, 1800, 7200, 36_000, 86_400, 259_200)

// moments begin earlier: most commands of Redis take less than a millisecond.
var moments = append([]float64{.00025, .0005}, seconds...)

// NewMetrics returns the metrics, to be registered by the caller.
func NewMetrics(cfg MetricsConfig) *Metrics {
	m := &Metrics{
		published: counter("events_published_total", "Events accepted, by type; one that is published again does not count.", "type"),
		refused:   counter("publish_refused_total", "Events refused as Redis was full up to the watermark, or did not answer.", "reason"),
		attempts:  counter("attempts_total", "Attempts made, by what they led to and why.", "outcome", "reason"),
		dead:      counter("dead_letters_total", "Deliveries given up, by why.", "reason"),
		disabled:  counter("endpoints_disabled_total", "Endpoints disabled, by why.", "reason"),
		took:      histogram("attempt_duration_seconds", "How long attempts took.", seconds),
		latency:   histogram("delivery_latency_seconds", "From publish, or from being sent once more, to the 2xx.", days),
		redis:     histogram("redis_command_duration_seconds", "How long commands and pipelines of Redis took; not those that wait on purpose.", moments),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "in_flight", Help: "Attempts under way in this process.",
		}),
		process: newProcessMetrics(cfg),
		system:  newSystemMetrics(cfg.System),
	}
	m.beginAtZero()
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

// The reasons of publish_refused_total.
const (
	refusedFull        = "full"
	refusedUnavailable = "unavailable"
)

// beginAtZero makes what alerts look at: a counter that begins with its first count never rose.
func (m *Metrics) beginAtZero() {
	for _, reason := range []string{refusedFull, refusedUnavailable} {
		m.refused.WithLabelValues(reason)
	}
	for _, reason := range []webhook.DeathReason{
		webhook.DeathMaxAge, webhook.DeathMaxAttempts, webhook.DeathGone, webhook.DeathBlocked, webhook.DeathPanic, webhook.DeathBodyMissing,
	} {
		m.dead.WithLabelValues(string(reason))
	}
	for _, reason := range []string{webhook.DisabledManually, webhook.DisabledGone, webhook.DisabledFailing} {
		m.disabled.WithLabelValues(reason)
	}
	m.attempts.WithLabelValues(string(webhook.OutcomeDelivered), string(webhook.ReasonOK))
}

// Published counts an event that was accepted.
func (m *Metrics) Published(eventType string) {
	if m != nil {
		m.published.WithLabelValues(eventType).Inc()
	}
}

// Refused counts events that were not accepted as Redis is full, or else did not answer.
func (m *Metrics) Refused(events int, full bool) {
	if m == nil {
		return
	}
	reason := refusedUnavailable
	if full {
		reason = refusedFull
	}
	m.refused.WithLabelValues(reason).Add(float64(events))
}

// Begun counts an attempt in flight until the answer is called.
func (m *Metrics) Begun() (ended func()) {
	if m == nil {
		return func() {}
	}
	m.inFlight.Inc()
	return m.inFlight.Dec
}

// Attempted counts an attempt that was made of a delivery that was opened then.
func (m *Metrics) Attempted(a *webhook.Attempt, openedAt time.Time) {
	if m == nil {
		return
	}
	m.attempts.WithLabelValues(string(a.Outcome), string(a.Reason)).Inc()
	m.took.Observe(a.Duration.Seconds())
	if a.Outcome == webhook.OutcomeDelivered {
		m.latency.Observe(max(0, a.StartedAt.Add(a.Duration).Sub(openedAt)).Seconds())
	}
}

// Died counts a delivery that was given up.
func (m *Metrics) Died(why webhook.DeathReason) {
	if m != nil {
		m.dead.WithLabelValues(string(why)).Inc()
	}
}

// Disabled counts an endpoint that was disabled.
func (m *Metrics) Disabled(why string) {
	if m != nil {
		m.disabled.WithLabelValues(why).Inc()
	}
}

// all are the collectors. The look at the system measures the clock, which the process then tells.
func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{
		m.published, m.refused, m.attempts, m.took, m.latency, m.dead, m.disabled, m.inFlight, m.redis, m.system, m.process,
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(to)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(to)
	}
}

// processMetrics are what others in this process count.
type processMetrics struct {
	cfg                     MetricsConfig
	redriven, dropped, skew *prometheus.Desc
}

func newProcessMetrics(cfg MetricsConfig) processMetrics {
	return processMetrics{
		cfg:      cfg,
		redriven: describe("reconciler_redriven_total", "What the reconciler of this process helped on, by cause.", "cause"),
		dropped:  describe("history_dropped_total", "History dropped as Redis was filling up, by kind.", "kind"),
		skew:     describe("redis_clock_skew_seconds", "How far the clock of Redis is ahead of this process's."),
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func (p processMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- p.redriven
	to <- p.dropped
	to <- p.skew
}

func (p processMetrics) Collect(to chan<- prometheus.Metric) {
	counts(to, p.redriven, p.cfg.Redriven())
	counts(to, p.dropped, p.cfg.Dropped())
	if skew, known := p.cfg.Skew(); known {
		to <- gauge(p.skew, skew.Seconds())
	}
}

func counts(to chan<- prometheus.Metric, d *prometheus.Desc, by map[string]int) {
	for _, label := range slices.Sorted(maps.Keys(by)) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(by[label]), label)
	}
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}
