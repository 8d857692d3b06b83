package redisstore

import (
	"context"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// unseenFor is how long a fan-out may be unfinished, or a delivery in the
	// queue or overdue for its retry, before the reconciler looks at it.
	unseenFor = 5 * time.Second
	// lockFor keeps other processes off a tag; shorter than the reconciler's period.
	lockFor = 4 * time.Second
	// inspectMost bounds one step.
	inspectMost = 1000
)

// Tags implements [webhook.Store].
func (s *Store) Tags() int { return tags }

// Survey implements [webhook.Store].
func (s *Store) Survey(ctx context.Context, tag int) (webhook.Survey, error) {
	prefix := tagPrefix(tag)
	now := s.cfg.Now()
	answer, err := s.one(ctx, "survey", call{script: scriptSurvey,
		keys: []string{prefix + "lock", prefix + "admitting", prefix + "due"},
		args: []any{millis(now), millis(now.Add(-unseenFor)), lockFor.Milliseconds(), inspectMost}})
	if err != nil {
		return webhook.Survey{}, err
	}
	var found webhook.Survey
	a := list(answer)
	for i := range list(a[0]) {
		brand, id := refOf(text(list(a[0]), i))
		found.Unfinished = append(found.Unfinished, webhook.EventRef{Brand: brand, ID: id})
	}
	for i := range list(a[1]) {
		brand, id := refOf(text(list(a[1]), i))
		found.Due = append(found.Due, webhook.EndpointRef{Brand: brand, ID: id})
	}
	return found, nil
}

// Inspect implements [webhook.Store].
func (s *Store) Inspect(ctx context.Context, ref webhook.EndpointRef) (webhook.Backlog, error) {
	answer, err := s.one(ctx, "inspect", s.endpointCall(scriptInspect, ref, nil,
		s.cfg.MaxAge.Milliseconds(), unseenFor.Milliseconds(), inspectMost))
	if err != nil {
		return webhook.Backlog{}, err
	}
	a := list(answer)
	backlog := webhook.Backlog{Deleted: a[5] == int64(1), Release: releaseOf(ref, a[0]), Suspects: runsOf(ref, a[1])}
	backlog.Doomed = slices.Concat(
		doomed(ref, list(a[2]), webhook.StateCancelled, ""),
		doomed(ref, list(a[4]), webhook.StateExpired, ""),
		doomed(ref, list(a[3]), webhook.StateDead, webhook.DeathMaxAge))
	return backlog, nil
}

func doomed(ref webhook.EndpointRef, events []any, state webhook.State, death webhook.DeathReason) []webhook.Doomed {
	ending := make([]webhook.Doomed, len(events))
	for i := range events {
		delivery := webhook.DeliveryRef{Brand: ref.Brand, EventID: text(events, i), EndpointID: ref.ID}
		ending[i] = webhook.Doomed{Ref: delivery, State: state, Death: death}
	}
	return ending
}

// Redrive implements [webhook.Store].
func (s *Store) Redrive(ctx context.Context, lost webhook.Run) (webhook.Release, error) {
	answer, err := s.one(ctx, "redrive",
		s.endpointCall(scriptRedrive, lost.Endpoint(), nil, lost.EventID, lost.Number))
	if err != nil {
		return webhook.Release{}, err
	}
	return releaseOf(lost.Endpoint(), answer), nil
}
