package redisstore

import (
	"context"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Health implements [webhook.Store], for any number of endpoints in one pipeline.
func (s *Store) Health(ctx context.Context, refs []webhook.EndpointRef) ([]webhook.Health, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	calls := make([]call, len(refs))
	for i, ref := range refs {
		calls[i] = s.endpointCall(scriptHealth, ref, nil)
	}
	answers, err := s.run(ctx, "health", calls)
	if err != nil {
		return nil, err
	}
	all := make([]webhook.Health, len(refs))
	for i, answer := range answers {
		all[i] = s.healthOf(list(answer))
	}
	return all, nil
}

func (s *Store) healthOf(a []any) webhook.Health {
	h := webhook.Health{
		Breaker: webhook.BreakerClosed, Limit: count(a, 0), InFlight: count(a, 1), Waiting: count(a, 2), Retrying: count(a, 3),
		OldestWaitingAt: timeOf(number(text(a, 4))),
	}
	if h.Waiting > 0 && text(a, 5) != gateGone {
		h.WaitingFor, h.WaitingUntil = webhook.Gate(text(a, 5)), timeOf(number(text(a, 6)))
	}
	if count(a, 7) > 0 {
		h.Breaker = webhook.BreakerHalfOpen
		if until := timeOf(number(text(a, 8))); until.After(s.cfg.Now()) {
			h.Breaker, h.OpenUntil = webhook.BreakerOpen, until
		}
	}
	h.LastHour = trafficOf(count(a, 9), count(a, 10), count(a, 11), count(a, 12))
	h.History = historyOf(text(a, 13))
	return h
}

// historyOf reads "o1738324800123 c1738324700123 ".
func historyOf(changes string) []webhook.BreakerChange {
	var history []webhook.BreakerChange
	for _, change := range strings.Fields(changes) {
		state := webhook.BreakerOpen
		if change[0] == 'c' {
			state = webhook.BreakerClosed
		}
		history = append(history, webhook.BreakerChange{State: state, At: timeOf(number(change[1:]))})
	}
	return history
}

func trafficOf(attempts, delivered, tookMs, longestMs int) webhook.Traffic {
	t := webhook.Traffic{
		Attempts: attempts, Delivered: delivered, Max: time.Duration(longestMs) * time.Millisecond,
		Busy: float64(tookMs) / float64(time.Hour.Milliseconds()),
	}
	if attempts > 0 {
		t.Mean = time.Duration(tookMs) * time.Millisecond / time.Duration(attempts)
	}
	return t
}

// gateGone is what the scripts answer for a deleted endpoint.
const gateGone = "gone"
