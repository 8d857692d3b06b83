package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// DeadLetters implements [webhook.Store]: which deliveries died, then how they
// stand, what they were, and their last attempts, in a pipeline each.
func (s *Store) DeadLetters(ctx context.Context, q webhook.DeadLetterQuery) (webhook.Page[webhook.DeadLetter], error) {
	after, err := parsePlace(q.After, 2)
	if err != nil {
		return webhook.Page[webhook.DeadLetter]{}, err
	}
	ids, err := s.endpointIDs(ctx, "dead letters", q.Brand, q.EndpointID)
	if err != nil {
		return webhook.Page[webhook.DeadLetter]{}, err
	}
	oldest := max(bound(q.Since), millis(s.cfg.Now().Add(-s.cfg.RetainDeadLetters)))
	w := walk{rdb: s.rdb, verb: "dead letters", last: after, read: readScored(ctx, oldest)}
	for _, id := range ids {
		k := keysOfEndpoint(webhook.EndpointRef{Brand: q.Brand, ID: id})
		w.sources = append(w.sources, &source{key: k.dead, owner: id})
	}
	w.begin(after.upTo(q.Until), q.Limit, false)
	died, err := pickDead(ctx, &w, q)
	if err != nil {
		return webhook.Page[webhook.DeadLetter]{}, err
	}
	letters, err := s.letters(ctx, died)
	if err != nil {
		return webhook.Page[webhook.DeadLetter]{}, err
	}
	return webhook.Page[webhook.DeadLetter]{Items: letters, Next: w.rest()}, nil
}

// pickDead walks until it has as many as asked for, of those asked for.
func pickDead(ctx context.Context, w *walk, q webhook.DeadLetterQuery) ([]webhook.DeliveryRef, error) {
	var died []webhook.DeliveryRef
	for len(died) < q.Limit {
		e, ok, err := w.next(ctx)
		if err != nil || !ok {
			return died, err
		}
		if q.Contains(timeOf(e.ms)) {
			endpoint, event := refOf(e.names)
			died = append(died, webhook.DeliveryRef{Brand: q.Brand, EventID: event, EndpointID: endpoint})
		}
	}
	return died, nil
}

// readScored reads sorted sets by time, what is not older than a time in milliseconds. Names are the owner's of the set, if
// there is one, and the member.
func readScored(ctx context.Context, oldest int64) read {
	return func(p redis.Pipeliner, from *source) func() ([]entry, error) {
		owner := from.owner
		if owner != "" {
			owner += ":"
		}
		cmd := p.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
			Key: from.key, Start: from.from.ms, Stop: oldest, ByScore: true, Rev: true, Count: int64(from.asked),
		})
		return func() ([]entry, error) {
			entries := make([]entry, len(cmd.Val()))
			for i, z := range cmd.Val() {
				member, _ := z.Member.(string)
				entries[i].place = place{ms: int64(z.Score), names: owner + member}
			}
			return entries, nil
		}
	}
}

// letters are the deliveries with what is kept of them; one whose record is gone is left out.
func (s *Store) letters(ctx context.Context, died []webhook.DeliveryRef) ([]webhook.DeadLetter, error) {
	if len(died) == 0 {
		return nil, nil
	}
	deliveries, err := s.Deliveries(ctx, died)
	if err != nil {
		return nil, err
	}
	var letters []webhook.DeadLetter
	for _, d := range deliveries {
		if d.State != "" {
			letters = append(letters, webhook.DeadLetter{Delivery: d})
		}
	}
	if err := s.addTypes(ctx, letters); err != nil {
		return nil, err
	}
	return letters, s.addLastAttempts(ctx, letters)
}

// addTypes reads the beginning of the events.
func (s *Store) addTypes(ctx context.Context, letters []webhook.DeadLetter) error {
	heads := make([]*redis.StringCmd, len(letters))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, l := range letters {
			heads[i] = p.GetRange(ctx, keysOfEvent(l.Delivery.Ref.Event()).event, 0, headSize-1)
		}
		return nil
	})
	if err != nil {
		return unavailable("dead letters", err)
	}
	for i := range letters {
		head, err := unpackHead(heads[i].Val())
		if err != nil {
			return fmt.Errorf("dead letters: event %s: %w", letters[i].Delivery.Ref.Event(), err)
		}
		letters[i].Type = head.eventType
	}
	return nil
}

func (s *Store) addLastAttempts(ctx context.Context, letters []webhook.DeadLetter) error {
	refs := make([]webhook.DeliveryRef, len(letters))
	for i, l := range letters {
		refs[i] = l.Delivery.Ref
	}
	attempts, err := s.LastAttempts(ctx, refs)
	for i := range attempts {
		letters[i].LastAttempt = attempts[i]
	}
	return err
}

// LastAttempts implements [webhook.Store]: the records say where they stand.
func (s *Store) LastAttempts(ctx context.Context, refs []webhook.DeliveryRef) ([]*webhook.Attempt, error) {
	records := make([]*redis.MapStringStringCmd, len(refs))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			records[i] = p.HGetAll(ctx, keysOfEndpoint(ref.Endpoint()).records+ref.EventID)
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("last attempts", err)
	}
	entries := make([]*redis.XMessageSliceCmd, len(refs))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			if ids := streamIDs(records[i].Val()); len(ids) > 0 {
				last := ids[len(ids)-1]
				entries[i] = p.XRangeN(ctx, keysOfEndpoint(ref.Endpoint()).attempts, last, last, 1)
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("last attempts", err)
	}
	var found answered
	of := make([]int, 0, len(refs))
	for i, ref := range refs {
		if entries[i] == nil || len(entries[i].Val()) == 0 {
			continue
		}
		if err := found.read(ref.Endpoint(), entries[i].Val()); err != nil {
			return nil, fmt.Errorf("last attempts: %w", err)
		}
		of = append(of, i)
	}
	if err := s.readAnswers(ctx, "last attempts", &found); err != nil {
		return nil, err
	}
	attempts := make([]*webhook.Attempt, len(refs))
	for n, i := range of {
		attempts[i] = &found.attempts[n]
	}
	return attempts, nil
}
