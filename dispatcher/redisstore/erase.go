package redisstore

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// EraseEvents implements [webhook.Store]: which endpoints an event went to stands in its body, so that goes last.
func (s *Store) EraseEvents(ctx context.Context, brand string, events, endpoints []string) error {
	if len(events) == 0 {
		return nil
	}
	refs := make([]*reopening, len(events))
	for i, id := range events {
		refs[i] = &reopening{ref: webhook.DeliveryRef{Brand: brand, EventID: id}}
	}
	if err := s.keepBodies(ctx, refs, true); err != nil {
		return err
	}
	others := map[string]bool{} // that were deleted before
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, r := range refs {
			for _, id := range slices.Concat(endpoints, r.head.ids) {
				k := keysOfEndpoint(webhook.EndpointRef{Brand: brand, ID: id})
				p.Del(ctx, k.records+r.ref.EventID)
				others[id] = true
			}
		}
		for _, id := range endpoints {
			delete(others, id)
		}
		for id := range others {
			eraseEndpoint(ctx, p, webhook.EndpointRef{Brand: brand, ID: id})
		}
		return nil
	})
	if err != nil {
		return unavailable("erase", err)
	}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, r := range refs {
			k := keysOfEvent(r.ref.Event())
			p.Del(ctx, k.event)
			p.ZRem(ctx, k.admitting, r.ref.Event().String())
		}
		return nil
	})
	if err != nil {
		return unavailable("erase", err)
	}
	return nil
}

// eraseEndpoint deletes what is kept of an endpoint beside its tombstone.
func eraseEndpoint(ctx context.Context, p redis.Pipeliner, ref webhook.EndpointRef) {
	k := keysOfEndpoint(ref)
	for _, key := range []string{k.attempts, k.answers, k.dead, hourOf(ref)} {
		p.Del(ctx, key)
	}
}

// EraseBrand implements [webhook.Store].
func (s *Store) EraseBrand(ctx context.Context, brand string, endpoints []string) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range endpoints {
			eraseEndpoint(ctx, p, webhook.EndpointRef{Brand: brand, ID: id})
		}
		p.Del(ctx, keysOfBrand(brand).index)
		return nil
	})
	if err != nil {
		return unavailable("erase", err)
	}
	return nil
}
