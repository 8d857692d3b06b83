package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Event implements [webhook.Store].
func (s *Store) Event(ctx context.Context, ref webhook.EventRef) (webhook.Event, []string, error) {
	packed, err := s.rdb.Get(ctx, keysOfEvent(ref).event).Bytes()
	if err == redis.Nil {
		return webhook.Event{}, nil, webhook.ErrNotFound
	}
	if err != nil {
		return webhook.Event{}, nil, unavailable("event", err)
	}
	if len(packed) > 0 && packed[0] == formatMarker {
		return webhook.Event{}, nil, webhook.ErrNotFound
	}
	f, err := unpackEvent(ref, packed)
	if err != nil {
		return webhook.Event{}, nil, fmt.Errorf("event %s: %w", ref, err)
	}
	return f.Event, f.Endpoints, nil
}

// Delivery implements [webhook.Store].
func (s *Store) Delivery(ctx context.Context, ref webhook.DeliveryRef) (webhook.Delivery, error) {
	found, err := s.Deliveries(ctx, []webhook.DeliveryRef{ref})
	if err != nil {
		return webhook.Delivery{}, err
	}
	if found[0].State == "" {
		return webhook.Delivery{}, webhook.ErrNotFound
	}
	return found[0], nil
}

// Deliveries implements [webhook.Store], in one pipeline.
func (s *Store) Deliveries(ctx context.Context, refs []webhook.DeliveryRef) ([]webhook.Delivery, error) {
	calls := make([]call, len(refs))
	for i, ref := range refs {
		calls[i] = s.endpointCall(scriptView, ref.Endpoint(), nil, ref.EventID)
	}
	answers, err := s.run(ctx, "delivery", calls)
	if err != nil {
		return nil, err
	}
	found := make([]webhook.Delivery, len(refs))
	for i, ref := range refs {
		a := list(answers[i])
		found[i] = webhook.Delivery{
			Ref: ref, State: webhook.State(text(a, 0)), Attempts: int(number(text(a, 1))),
			NextAttemptAt: timeOf(number(text(a, 2))), DeathReason: webhook.DeathReason(text(a, 3)),
			UpdatedAt: timeOf(number(text(a, 4))), Position: int(number(text(a, 5))), WaitingFor: webhook.Gate(text(a, 6)), WaitingUntil: timeOf(number(text(a, 7))),
		}
	}
	return found, nil
}
