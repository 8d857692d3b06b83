package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// recordedWithin is how long after its start an attempt may still be recorded:
// the longest attempt, as long again to try, and some of the clocks' difference.
const recordedWithin = 90 * time.Second

// AttemptLog implements [webhook.Store]. The attempts of an event are found by
// the records of its deliveries, all others in the streams of the endpoints.
func (s *Store) AttemptLog(ctx context.Context, q webhook.AttemptQuery) (webhook.Page[webhook.Attempt], error) {
	after, err := parsePlace(q.After, 1)
	if err != nil {
		return webhook.Page[webhook.Attempt]{}, err
	}
	w := walk{rdb: s.rdb, verb: "attempts", last: after}
	if q.EventID == "" {
		err = s.walkStreams(ctx, &w, q)
	} else {
		err = s.walkRecords(ctx, &w, q)
	}
	if err != nil {
		return webhook.Page[webhook.Attempt]{}, err
	}
	from := after.upTo(latestRecord(q.Until))
	if q.EventID == "" {
		if err := w.skipLater(ctx, from); err != nil {
			return webhook.Page[webhook.Attempt]{}, err
		}
	}
	w.begin(from, q.Limit, q.Outcome != "" || !q.Until.IsZero())
	items, err := s.pickAttempts(ctx, &w, q)
	if err != nil {
		return webhook.Page[webhook.Attempt]{}, err
	}
	return webhook.Page[webhook.Attempt]{Items: items, Next: w.rest()}, nil
}

// pickAttempts walks until it has as many as asked for, of those asked for, or their answers come to a page.
func (s *Store) pickAttempts(ctx context.Context, w *walk, q webhook.AttemptQuery) ([]webhook.Attempt, error) {
	var picked answered
	for len(picked.attempts) < q.Limit && picked.bytes < pageBytes {
		e, ok, err := w.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if e.text == "" {
			continue // its record outlived it
		}
		one := answered{}
		if err := one.add(webhook.EndpointRef{Brand: q.Brand, ID: e.names}, e.streamID(), e.text); err != nil {
			return nil, fmt.Errorf("attempts: %w", err)
		}
		if a := one.attempts[0]; q.Contains(a.StartedAt) && (q.Outcome == "" || q.Outcome == a.Outcome) {
			picked.append(one)
		}
	}
	return picked.attempts, s.readAnswers(ctx, w.verb, &picked)
}

// latestRecord is when an attempt started before a time is recorded at the latest.
func latestRecord(until time.Time) time.Time {
	if until.IsZero() {
		return until
	}
	return until.Add(recordedWithin)
}

// walkStreams lets a walk read the streams of the endpoints.
func (s *Store) walkStreams(ctx context.Context, w *walk, q webhook.AttemptQuery) error {
	ids, err := s.endpointIDs(ctx, w.verb, q.Brand, q.EndpointID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		k := keysOfEndpoint(webhook.EndpointRef{Brand: q.Brand, ID: id})
		w.sources = append(w.sources, &source{key: k.attempts, owner: id})
	}
	w.read = readStream(ctx, bound(q.Since.Add(-skewMost)), kept)
	return nil
}

// kept reads an entry of attempts.
func kept(s *source, values map[string]any) (endpoint, packed string, err error) {
	packed, _ = values["a"].(string)
	if packed == "" {
		return "", "", errFormat
	}
	return s.owner, packed, nil
}

// endpointIDs answers the one, or the ids of all endpoints of a brand.
func (s *Store) endpointIDs(ctx context.Context, verb, brand, one string) ([]string, error) {
	if one != "" {
		return []string{one}, nil
	}
	ids, err := s.rdb.SMembers(ctx, keysOfBrand(brand).endpoints).Result()
	if err != nil {
		return nil, unavailable(verb, err)
	}
	return ids, nil
}

// walkRecords lets a walk read the attempts of one event: those that the records
// of its deliveries name. They are known beforehand, and as one list.
func (s *Store) walkRecords(ctx context.Context, w *walk, q webhook.AttemptQuery) error {
	ids, err := s.endpointsOfEvent(ctx, q)
	if err != nil {
		return err
	}
	records := make([]*redis.MapStringStringCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			k := keysOfEndpoint(webhook.EndpointRef{Brand: q.Brand, ID: id})
			records[i] = p.HGetAll(ctx, k.records+q.EventID)
		}
		return nil
	})
	if err != nil {
		return unavailable(w.verb, err)
	}
	var places []place
	for i, id := range ids {
		for _, at := range streamIDs(records[i].Val()) {
			ms, seq := splitStreamID(at)
			places = append(places, place{ms, seq, id})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.ms, a.ms), cmp.Compare(b.seq, a.seq), cmp.Compare(b.names, a.names))
	})
	w.sources = []*source{{}}
	w.read = readPlaces(ctx, q.Brand, places)
	return nil
}

// endpointsOfEvent are the ids of the endpoints that an event went to, and of
// the brand's others: tests are no delivery.
func (s *Store) endpointsOfEvent(ctx context.Context, q webhook.AttemptQuery) ([]string, error) {
	if q.EndpointID != "" {
		return []string{q.EndpointID}, nil
	}
	ref := webhook.EventRef{Brand: q.Brand, ID: q.EventID}
	var body *redis.StringCmd
	var brand *redis.StringSliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		brand = p.SMembers(ctx, keysOfBrand(q.Brand).endpoints)
		body = p.Get(ctx, keysOfEvent(ref).event)
		return nil
	})
	if err != nil && err != redis.Nil { // not errors.Is: Sentinel's nil is wrapped by what it means
		return nil, unavailable("attempts", err)
	}
	ids := brand.Val()
	if packed := body.Val(); !isGone(packed) {
		f, err := unpackEvent(ref, []byte(packed))
		if err != nil {
			return nil, fmt.Errorf("attempts: event %s: %w", ref, err)
		}
		ids = append(ids, f.Endpoints...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// readPlaces reads the attempts at places, the newest first; without text those that are gone.
func readPlaces(ctx context.Context, brand string, places []place) read {
	return func(p redis.Pipeliner, from *source) func() ([]entry, error) {
		next := slices.IndexFunc(places, from.from.isBefore)
		if next < 0 {
			next = len(places)
		}
		chosen := places[next:min(len(places), next+from.asked)]
		cmds := make([]*redis.XMessageSliceCmd, len(chosen))
		for i, at := range chosen {
			k := keysOfEndpoint(webhook.EndpointRef{Brand: brand, ID: at.names})
			cmds[i] = p.XRangeN(ctx, k.attempts, at.streamID(), at.streamID(), 1)
		}
		return func() ([]entry, error) {
			entries := make([]entry, len(chosen))
			for i, at := range chosen {
				entries[i].place = at
				if found := cmds[i].Val(); len(found) > 0 {
					entries[i].text, _ = found[0].Values["a"].(string)
				}
			}
			return entries, nil
		}
	}
}

// RecordTest implements [webhook.Store].
func (s *Store) RecordTest(ctx context.Context, a webhook.Attempt) error {
	packed, answer, err := packAttempt(&a)
	if err != nil {
		return err
	}
	k := keysOfEndpoint(a.Ref.Endpoint())
	_, err = s.one(ctx, "record test", call{script: scriptTest, keys: []string{k.attempts, k.records + a.Ref.EventID, k.answers}, args: []any{
		a.ID, packed, millis(s.cfg.Now().Add(-s.cfg.RetainAttempts)), s.cfg.RetainAttempts.Milliseconds(), answer,
	}})
	return err
}
