package redisstore

import (
	"context"
	"fmt"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Park implements [webhook.Store].
func (s *Store) Park(ctx context.Context, run webhook.Run, delay time.Duration) (webhook.Release, error) {
	answer, err := s.one(ctx, "park", s.endpointCall(scriptPark, run.Endpoint(), nil, run.EventID, run.Number, delay.Milliseconds()))
	if err != nil {
		return webhook.Release{}, err
	}
	return releaseOf(run.Endpoint(), answer), nil
}

// Wake implements [webhook.Store].
func (s *Store) Wake(ctx context.Context, ref webhook.EndpointRef, probe bool) (webhook.Release, error) {
	asked := 0
	if probe {
		asked = 1
	}
	answer, err := s.one(ctx, "wake", s.endpointCall(scriptWake, ref, nil, asked))
	if err != nil {
		return webhook.Release{}, err
	}
	return releaseOf(ref, answer), nil
}

// Spend implements [webhook.Store].
func (s *Store) Spend(ctx context.Context, ref webhook.EndpointRef, most time.Duration) (time.Duration, error) {
	answer, err := s.one(ctx, "spend", s.endpointCall(scriptSpend, ref, nil, most.Milliseconds()))
	if err != nil {
		return 0, err
	}
	wait, _ := answer.(string)
	if wait == "" {
		return 0, fmt.Errorf("the endpoint's rate limit leaves it no room: %w", webhook.ErrBusy)
	}
	return time.Duration(number(wait)) * time.Millisecond, nil
}

// burstOf is the burst of a limit that has one.
func burstOf(limit webhook.RateLimit) int { return max(1, limit.Burst) }
