package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Event implements [webhook.Store].
func (s *Store) Event(ctx context.Context, ref webhook.EventRef) (webhook.Event, []string, error) {
	packed, err := s.rdb.Get(ctx, keysOfEvent(ref).event).Bytes()
	if errors.Is(err, redis.Nil) {
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
	answer, err := s.one(ctx, "delivery", s.endpointCall(scriptView, ref.Endpoint(), nil, ref.EventID))
	if err != nil {
		return webhook.Delivery{}, err
	}
	a := list(answer)
	if len(a) == 0 {
		return webhook.Delivery{}, webhook.ErrNotFound
	}
	return webhook.Delivery{
		Ref: ref, State: webhook.State(text(a, 0)), Attempts: int(number(text(a, 1))),
		NextAttemptAt: timeOf(number(text(a, 2))), DeathReason: webhook.DeathReason(text(a, 3)),
		UpdatedAt: timeOf(number(text(a, 4))), Position: int(number(text(a, 5))), WaitingFor: text(a, 6),
	}, nil
}

// DeadLetters implements [webhook.Store].
func (s *Store) DeadLetters(ctx context.Context, ref webhook.EndpointRef, limit int) ([]webhook.DeliveryRef, error) {
	if limit <= 0 {
		return nil, nil
	}
	oldest := millis(s.cfg.Now().Add(-s.cfg.RetainDeadLetters))
	ids, err := s.rdb.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: keysOfEndpoint(ref).dead, Start: "+inf", Stop: oldest, ByScore: true, Rev: true, Count: int64(limit),
	}).Result()
	if err != nil {
		return nil, unavailable("dead letters", err)
	}
	letters := make([]webhook.DeliveryRef, len(ids))
	for i, id := range ids {
		letters[i] = webhook.DeliveryRef{Brand: ref.Brand, EventID: id, EndpointID: ref.ID}
	}
	return letters, nil
}
