package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// keyOfLead is where it stands which process speaks for all.
func keyOfLead() string { return tagOf("lead") + "lead" }

// Lead tells whether owner is the one process that speaks for all, for so long from now. It becomes it when there is none. In a
// full Redis, where nobody can become it, everybody is. Errors: [webhook.ErrUnavailable].
func (s *Store) Lead(ctx context.Context, owner string, most time.Duration) (bool, error) {
	now, err := s.rdb.Get(ctx, keyOfLead()).Result()
	leads := now == owner
	switch {
	case err == redis.Nil: // not errors.Is: Sentinel's nil is wrapped by what it means
		leads, err = s.rdb.SetNX(ctx, keyOfLead(), owner, most).Result()
	case err == nil && leads:
		err = s.rdb.PExpire(ctx, keyOfLead(), most).Err() // if it ended in between, the next time will tell
	}
	if answers(err, "OOM") {
		return true, nil
	}
	if err != nil {
		return false, unavailable("lead", err)
	}
	return leads, nil
}

var scriptUnlead = script("unlead")

// Unlead has another process speak for all from now on, if owner does. Errors: [webhook.ErrUnavailable].
func (s *Store) Unlead(ctx context.Context, owner string) error {
	_, err := s.one(ctx, "unlead", call{script: scriptUnlead, keys: []string{keyOfLead()}, args: []any{owner}})
	return err
}

// OpenEndpoints answers some of the endpoints under a tag that have open deliveries, in no order, from after the place on; next
// is empty at the end. One that has some all the time is answered at least once, perhaps twice. Errors: [webhook.ErrUnavailable].
func (s *Store) OpenEndpoints(ctx context.Context, tag int, after string) (refs []webhook.EndpointRef, next string, err error) {
	members, next, err := s.scan(ctx, tagPrefix(tag)+"due", after)
	for _, member := range members {
		brand, id := refOf(member)
		refs = append(refs, webhook.EndpointRef{Brand: brand, ID: id})
	}
	return refs, next, err
}

// scan answers some members of a sorted set, from after the place on; next is empty at the end.
func (s *Store) scan(ctx context.Context, key, after string) (members []string, next string, err error) {
	cursor := uint64(0)
	if after != "" {
		if cursor, err = strconv.ParseUint(after, 10, 64); err != nil {
			return nil, "", err
		}
	}
	found, cursor, err := s.rdb.ZScan(ctx, key, cursor, "", scannedAtOnce).Result()
	if err != nil {
		return nil, "", unavailable("scan", err)
	}
	for i := 0; i < len(found); i += 2 { // each is followed by its score
		members = append(members, found[i])
	}
	if cursor != 0 {
		next = strconv.FormatUint(cursor, 10)
	}
	return members, next, nil
}
