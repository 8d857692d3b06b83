package dispatcher

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// measure registers the metrics of this process; it has none without a registry.
func (d *Dispatcher) measure(to prometheus.Registerer) error {
	if to == nil {
		return nil
	}
	all := &system{d: d, owner: webhook.NewID("")}
	m := telemetry.NewMetrics(telemetry.MetricsConfig{
		System: all.look, Skew: d.skew.last,
		Redriven: func() map[string]int {
			return withZeros(d.Redriven(), causeFanout, causeWakeup, webhook.TaskMissing.String(), webhook.TaskAbandoned.String(),
				webhook.TaskEnded.String(), webhook.TaskOrphaned.String())
		},
		Dropped: func() map[string]int {
			return withZeros(d.HistoryDropped(), redisstore.HistoryResponses.String(), redisstore.HistoryAttempts.String(), redisstore.HistoryEvents.String())
		},
	})
	if err := to.Register(m); err != nil {
		return webhook.Invalid("Metrics", "cannot be registered: %s", err)
	}
	d.metrics, d.system = m, all
	d.cfg.Redis.AddHook(m.Hook())
	return nil
}

// Leave has another process export from now on what the metrics say of all of them, and not this one any more: for the end of a
// process, before it stops to answer scrapes. Run does so when it ends.
func (d *Dispatcher) Leave(ctx context.Context) {
	if d.system != nil {
		d.system.leave(ctx)
	}
}

// withZeros adds what was not counted yet: for who looks at how it rises, it has to begin somewhere.
func withZeros(counts map[string]int, names ...string) map[string]int {
	all := make(map[string]int, len(names))
	for _, name := range names {
		all[name] = 0
	}
	maps.Copy(all, counts)
	return all
}

// countPublished counts what a publish led to.
func (d *Dispatcher) countPublished(fanouts []webhook.Fanout, results []webhook.Result, err error) {
	switch {
	case errors.Is(err, webhook.ErrUnavailable) && !errors.Is(err, context.Canceled):
		d.metrics.Refused(len(fanouts), errors.Is(err, webhook.ErrFull))
	case err == nil:
		for i, r := range results {
			if r.Err == nil && !r.Receipt.Duplicate {
				d.metrics.Published(fanouts[i].Event.Type)
			}
		}
	}
}

// countSettled counts what a settlement ended.
func (d *Dispatcher) countSettled(s *webhook.Settlement, r webhook.Release) {
	if s.Verdict.State == webhook.StateDead {
		d.metrics.Died(s.Verdict.DeathReason)
	}
	if r.Disabled != "" {
		d.metrics.Disabled(r.Disabled)
	}
}

// skew is how far the clock of Redis was ahead when it was last measured.
type skew struct {
	mu    sync.Mutex
	known bool
	is    time.Duration
}

func (s *skew) note(is time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.is = true, is
}

func (s *skew) last() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.is, s.known
}
