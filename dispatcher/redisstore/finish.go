package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Finish implements [webhook.Store], in one pipeline.
func (s *Store) Finish(ctx context.Context, events []webhook.Event) error {
	if len(events) == 0 {
		return nil
	}
	members := map[string][]any{}
	for _, e := range events {
		key := keysOfEvent(e.Ref()).admitting
		members[key] = append(members[key], e.Ref().String())
	}
	_, err := s.run(ctx, "finish", s.indexCalls(events), func(p redis.Pipeliner) {
		for key, m := range members {
			p.ZRem(ctx, key, m...)
		}
	})
	return err
}

// indexCalls adds the events to their brands' indexes, one call a brand.
func (s *Store) indexCalls(events []webhook.Event) []call {
	at := map[string]int{}
	var calls []call
	for _, e := range events {
		if e.Type == "" {
			continue // its body is gone
		}
		if _, seen := at[e.Brand]; !seen {
			at[e.Brand] = len(calls)
			calls = append(calls, call{scriptIndex, []string{keysOfBrand(e.Brand).index}, []any{
				s.openFor().Milliseconds(), millis(s.cfg.Now().Add(-s.openFor())),
			}})
		}
		c := &calls[at[e.Brand]]
		c.args = append(c.args, e.ID, e.Type)
	}
	return calls
}
