package redisstore

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// past is an event that may be of the past only.
type past struct {
	ref webhook.EventRef
	// entries are where it stands in the index.
	entries []string
	// start is the beginning of the packed event as it was read.
	start string
	// ids are those of the endpoints that it went to, publishedAt in ms.
	ids         []string
	publishedAt int64
	// gone: nothing of it is left but the marker, if that.
	gone bool
	// over: no delivery is open or a dead letter, and all were settled in time.
	over bool
	// records are endpoints that have a record of its delivery.
	records []string
}

// lookBack reads the heads of the events of some entries. What another version wrote is left to that one, and so is what
// is not finished.
func (s *Store) lookBack(ctx context.Context, brand string, entries []redis.XMessage, r rule) ([]*past, error) {
	events := pastOf(brand, entries, r)
	heads, unfinished := make([]*redis.StringCmd, len(events)), make([]*redis.FloatCmd, len(events))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, e := range events { // in this order: an event that is there and not unfinished then is finished
			k := keysOfEvent(e.ref)
			heads[i], unfinished[i] = p.GetRange(ctx, k.event, 0, bodySize-1), p.ZScore(ctx, k.admitting, e.ref.String())
		}
		return nil
	})
	if err != nil && err != redis.Nil { // not errors.Is: Sentinel's nil is wrapped by what it means
		return nil, unavailable("retire", err)
	}
	var known []*past
	for i, e := range events {
		for _, err := range []error{heads[i].Err(), unfinished[i].Err()} {
			if err != nil && err != redis.Nil {
				return nil, unavailable("retire", err)
			}
		}
		if unfinished[i].Err() == nil {
			continue
		}
		ok, err := s.readPast(ctx, e, heads[i].Val())
		if err != nil {
			return nil, err
		}
		if ok {
			known = append(known, e)
		}
	}
	return known, nil
}

// pastOf are the events of entries, each once.
func pastOf(brand string, entries []redis.XMessage, r rule) []*past {
	var events []*past
	at := map[string]*past{}
	for _, entry := range entries {
		id, _, err := indexed(nil, entry.Values)
		if err != nil {
			continue
		}
		ref := webhook.EventRef{Brand: brand, ID: id}
		if r.full != nil && !r.full[tagOf(ref.String())] {
			continue
		}
		if at[id] == nil {
			at[id] = &past{ref: ref}
			events = append(events, at[id])
		}
		at[id].entries = append(at[id].entries, entry.ID)
	}
	return events
}

// readPast reads the head of an event; false when another version wrote it.
func (s *Store) readPast(ctx context.Context, e *past, packed string) (bool, error) {
	head, err := unpackHead(packed)
	if err == nil && head.isKept && len(head.ids) < head.endpoints { // of very many endpoints
		start := packed
		if packed, err = s.rdb.Get(ctx, keysOfEvent(e.ref).event).Result(); err != nil && err != redis.Nil {
			return false, unavailable("retire", err)
		}
		if len(packed) < len(start) || packed[:len(start)] != start {
			return false, nil // it was changed
		}
		head, err = unpackHead(packed)
	}
	if err != nil {
		return false, nil
	}
	if e.gone = !head.isKept; e.gone {
		return true, nil
	}
	e.start, e.ids, e.publishedAt = packed[:startSize], head.ids, millis(head.publishedAt)
	return len(head.ids) == head.endpoints, nil
}

// lookAtDeliveries finds out which events are over. An event may have been sent to others of the brand's endpoints than it
// went to at first, by a job; so all are asked.
func (s *Store) lookAtDeliveries(ctx context.Context, brand string, events []*past, r rule) error {
	now, err := s.rdb.SMembers(ctx, keysOfBrand(brand).endpoints).Result()
	if err != nil {
		return unavailable("retire", err)
	}
	asked := map[string][]*past{}
	for _, e := range events {
		if e.gone {
			continue
		}
		e.over = e.publishedAt <= r.settled
		ids := slices.Concat(e.ids, now)
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			asked[id] = append(asked[id], e)
		}
	}
	return s.askHowSettled(ctx, brand, asked, r)
}

// askHowSettled asks each endpoint for its deliveries of some events.
func (s *Store) askHowSettled(ctx context.Context, brand string, asked map[string][]*past, r rule) error {
	var calls []call
	var of [][]*past
	var ids []string
	for id, events := range asked {
		for some := range slices.Chunk(events, settledMost) {
			calls, of, ids = append(calls, s.deliveriesCall(scriptSettled, brand, id, some)), append(of, some), append(ids, id)
		}
	}
	answers, err := s.run(ctx, "retire", calls)
	if err != nil {
		return err
	}
	for n, answer := range answers {
		for i, e := range of[n] {
			switch stands := text(list(answer), i); stands {
			case "": // never was, or settled so long ago that nothing is left of it
			case "open", "dead":
				e.over = false
			default:
				e.over = e.over && number(stands) <= r.settled
				e.records = append(e.records, ids[n])
			}
		}
	}
	return nil
}

func (s *Store) deliveriesCall(sc luaScript, brand, endpoint string, events []*past) call {
	ref := webhook.EndpointRef{Brand: brand, ID: endpoint}
	args := make([]any, len(events))
	for i, e := range events {
		args[i] = e.ref.ID
	}
	return s.endpointCall(sc, ref, []string{keysOfEndpoint(ref).dead}, args...)
}
