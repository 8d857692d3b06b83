package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// asked is what Health asks of one endpoint.
type asked struct {
	line, out, retry *redis.IntCmd
	first            *redis.ZSliceCmd
	limit            *redis.SliceCmd
}

// Health implements [webhook.Store], for any number of endpoints in one pipeline.
func (s *Store) Health(ctx context.Context, refs []webhook.EndpointRef) ([]webhook.Health, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	answers := make([]asked, len(refs))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			k := keysOfEndpoint(ref)
			answers[i] = asked{
				line: p.ZCard(ctx, k.line), out: p.ZCard(ctx, k.out), retry: p.ZCard(ctx, k.retry),
				first: p.ZRangeWithScores(ctx, k.line, 0, 0), limit: p.HMGet(ctx, k.endpoint, "limit"),
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("health", err)
	}
	all := make([]webhook.Health, len(refs))
	for i, a := range answers {
		all[i] = s.healthOf(a)
	}
	return all, nil
}

func (s *Store) healthOf(a asked) webhook.Health {
	h := webhook.Health{
		Limit: s.cfg.MaxInFlight, InFlight: int(a.out.Val()), Waiting: int(a.line.Val()), Retrying: int(a.retry.Val()),
	}
	if own := int(number(text(a.limit.Val(), 0))); own > 0 {
		h.Limit = own
	}
	if first := a.first.Val(); len(first) > 0 {
		h.OldestWaitingAt = timeOf(int64(first[0].Score))
	}
	return h
}
