package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// typeSize holds the type of an event, and all that is before it, unless the type is longer than any that is published.
const typeSize = 512

// TypesOf answers the types of events, in the order of the input and in one pipeline, without reading their payloads; empty
// for one whose body is not kept. Errors: [webhook.ErrUnavailable].
func (s *Store) TypesOf(ctx context.Context, refs []webhook.EventRef) ([]string, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	heads := make([]*redis.StringCmd, len(refs))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			heads[i] = p.GetRange(ctx, keysOfEvent(ref).event, 0, typeSize-1)
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("types", err)
	}
	types := make([]string, len(refs))
	for i, head := range heads {
		if h, err := unpackHead(head.Val()); err == nil { // else another version wrote it
			types[i] = h.eventType
		}
	}
	return types, nil
}
