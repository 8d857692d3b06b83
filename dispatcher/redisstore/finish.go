package redisstore

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Finish implements [webhook.Store]. An event leaves the unfinished only when it
// stands in its brand's index: in one transaction on a single node, else in two
// pipelines, one after the other. An event that two finish at the same time may
// stand in the index twice.
func (s *Store) Finish(ctx context.Context, events []webhook.Event) error {
	if len(events) == 0 {
		return nil
	}
	var err error
	if s.single.Load() {
		_, err = s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
			s.index(ctx, p, events)
			unlistUnfinished(ctx, p, events)
			return nil
		})
	} else if _, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { s.index(ctx, p, events); return nil }); err == nil {
		_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { unlistUnfinished(ctx, p, events); return nil })
	}
	if s.isSharded(err) {
		return s.Finish(ctx, events)
	}
	if err != nil {
		return unavailable("finish", err)
	}
	s.listed.done(s.cfg.Now(), brandsOf(events)...)
	return nil
}

// brandsOf are the brands of the events that go into an index.
func brandsOf(events []webhook.Event) []string {
	brands := map[string]bool{}
	for _, e := range events {
		if e.Type != "" {
			brands[e.Brand] = true
		}
	}
	return slices.Collect(maps.Keys(brands))
}

// index adds the events to their brands' indexes, which drop what is past its time with the first, and the brands to their lists.
func (s *Store) index(ctx context.Context, p redis.Pipeliner, events []webhook.Event) {
	now := s.cfg.Now()
	oldest := strconv.FormatInt(millis(now.Add(-s.openFor())), 10)
	brands := map[string]bool{}
	for _, e := range events {
		if e.Type == "" {
			continue // its body is gone
		}
		add := redis.XAddArgs{Stream: keysOfBrand(e.Brand).index, Values: []string{"e", string(formatIndex) + e.ID, "t", e.Type}}
		if !brands[e.Brand] {
			add.MinID, add.Approx = oldest, true
		}
		brands[e.Brand] = true
		p.XAdd(ctx, &add)
	}
	for brand := range brands {
		p.PExpire(ctx, keysOfBrand(brand).index, s.openFor())
		if s.listed.due(brand, now) {
			listBrand(ctx, p, brand, now)
		}
	}
}

// formatIndex begins an entry of an index; the event's id follows.
const formatIndex = '1'

func unlistUnfinished(ctx context.Context, p redis.Pipeliner, events []webhook.Event) {
	members := map[string][]any{}
	for _, e := range events {
		key := keysOfEvent(e.Ref()).admitting
		members[key] = append(members[key], e.Ref().String())
	}
	for key, m := range members {
		p.ZRem(ctx, key, m...)
	}
}
