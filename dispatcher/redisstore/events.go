package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// skewMost is how far the clocks of processes and of Redis may be apart.
const skewMost = 5 * time.Second

// Events implements [webhook.Store]: entries of the brand's index, then the
// heads of their events in one pipeline, then the bodies of those that fit in
// another. An event that stands in the index twice is found once in a page.
//
// An entry's id is when the fan-out was finished: never before the event was
// published, but for the clocks, and any time after it.
func (s *Store) Events(ctx context.Context, q webhook.EventQuery) (webhook.Page[webhook.Fanout], error) {
	after, err := parsePlace(q.After, 1)
	if err != nil {
		return webhook.Page[webhook.Fanout]{}, err
	}
	l := &eventList{
		store: s, query: q, done: after, seen: map[string]bool{after.names: true},
		walk: walk{rdb: s.rdb, verb: "events", last: after, sources: []*source{{key: keysOfBrand(q.Brand).index}},
			read: readStream(ctx, bound(q.Since.Add(-skewMost)), indexed)},
	}
	if err := l.walk.skipLater(ctx, after); err != nil {
		return webhook.Page[webhook.Fanout]{}, err
	}
	l.walk.begin(after, q.Limit, q.Type != "" || !q.Until.IsZero())
	for full := q.Limit < 1; !full; {
		if full, err = l.step(ctx); err != nil {
			return webhook.Page[webhook.Fanout]{}, err
		}
	}
	if l.walk.isOver() && l.done == l.walk.last {
		return webhook.Page[webhook.Fanout]{Items: l.items}, nil
	}
	return webhook.Page[webhook.Fanout]{Items: l.items, Next: l.done.String()}, nil
}

// indexed reads an entry of the index: its event's id and type.
func indexed(_ *source, values map[string]any) (id, eventType string, err error) {
	packed, _ := values["e"].(string)
	if packed == "" || packed[0] != formatIndex {
		return "", "", errFormat
	}
	eventType, _ = values["t"].(string)
	return packed[1:], eventType, nil
}

// eventList is a page of events in the making.
type eventList struct {
	store *Store
	query webhook.EventQuery
	walk  walk
	// seen are the ids that were looked at, and the last one of the page before.
	seen  map[string]bool
	items []webhook.Fanout
	// bytes and deliveries are those of the items, and of what is about to be read.
	bytes      int64
	deliveries int
	// done is the last entry that the page is done with.
	done place
}

// step looks at some entries more, and answers whether the page is complete.
func (l *eventList) step(ctx context.Context) (full bool, err error) {
	most := l.query.Limit - len(l.items)
	if !l.query.Until.IsZero() {
		most = roundEntries // the newest are read to find those before
	}
	found, err := l.look(ctx, most)
	if err != nil || len(found) == 0 {
		l.done = l.walk.last
		return true, err
	}
	fitting, full, err := l.fit(ctx, found)
	if err != nil {
		return true, err
	}
	if err := l.readBodies(ctx, fitting); err != nil {
		return true, err
	}
	if !full {
		l.done = l.walk.last
	}
	return full || len(l.items) == l.query.Limit, nil
}

// look answers up to so many of the next entries that may be what is asked for.
func (l *eventList) look(ctx context.Context, most int) ([]entry, error) {
	var found []entry
	for len(found) < most {
		e, ok, err := l.walk.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if !l.seen[e.names] && (l.query.Type == "" || l.query.Type == e.text) {
			found = append(found, e)
		}
		l.seen[e.names] = true
	}
	return found, nil
}

// fit picks the entries whose events are kept and asked for, as many as the page
// has room for; full says that others are left.
func (l *eventList) fit(ctx context.Context, found []entry) (fitting []webhook.EventRef, full bool, err error) {
	heads, sizes := make([]*redis.StringCmd, len(found)), make([]*redis.IntCmd, len(found))
	_, err = l.store.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, e := range found {
			key := keysOfEvent(webhook.EventRef{Brand: l.query.Brand, ID: e.names}).event
			heads[i], sizes[i] = p.GetRange(ctx, key, 0, headSize-1), p.StrLen(ctx, key)
		}
		return nil
	})
	if err != nil {
		return nil, false, unavailable("events", err)
	}
	for i, e := range found {
		ref := webhook.EventRef{Brand: l.query.Brand, ID: e.names}
		head, err := unpackHead(heads[i].Val())
		if err != nil {
			return nil, false, fmt.Errorf("events: event %s: %w", ref, err)
		}
		if head.isKept && l.query.Contains(head.publishedAt) {
			if n := len(l.items) + len(fitting); n == l.query.Limit || n > 0 && l.isFull(sizes[i].Val(), head.endpoints) {
				return fitting, true, nil
			}
			l.bytes += sizes[i].Val()
			l.deliveries += head.endpoints
			fitting = append(fitting, ref)
		}
		l.done = e.place
	}
	return fitting, false, nil
}

// pageDeliveries ends a page whose deliveries come to it: whoever asked wants to
// know how each of them stands.
const pageDeliveries = 1000

// isFull tells whether an event more would be too much.
func (l *eventList) isFull(size int64, deliveries int) bool {
	return l.bytes+size > pageBytes || l.deliveries+deliveries > pageDeliveries
}

func (l *eventList) readBodies(ctx context.Context, refs []webhook.EventRef) error {
	if len(refs) == 0 {
		return nil
	}
	bodies := make([]*redis.StringCmd, len(refs))
	_, err := l.store.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			bodies[i] = p.Get(ctx, keysOfEvent(ref).event)
		}
		return nil
	})
	if err != nil && err != redis.Nil { // not errors.Is: Sentinel's nil is wrapped by what it means
		return unavailable("events", err)
	}
	for i, ref := range refs {
		packed, err := bodies[i].Result()
		if err != nil && err != redis.Nil {
			return unavailable("events", err)
		}
		if isGone(packed) {
			continue // since its head was read
		}
		f, err := unpackEvent(ref, []byte(packed))
		if err != nil {
			return fmt.Errorf("events: event %s: %w", ref, err)
		}
		l.items = append(l.items, f)
	}
	return nil
}

// headSize is more than stands before the endpoints of a packed event whose type
// is a name of the catalogue.
const headSize = 256

// eventHead is the beginning of a packed event.
type eventHead struct {
	// isKept is false when nothing is stored, or its marker is.
	isKept      bool
	publishedAt time.Time
	// eventType is empty when it is longer than a head.
	eventType string
	// endpoints is how many it went to; ids are theirs, as far as the head holds them.
	endpoints int
	ids       []string
}

// unpackHead reads the first bytes of what packEvent wrote. Errors: errFormat.
func unpackHead(packed string) (eventHead, error) {
	if isGone(packed) {
		return eventHead{}, nil
	}
	r, _, err := afterStart([]byte(packed))
	if err != nil {
		return eventHead{}, err
	}
	h := eventHead{isKept: true, publishedAt: timeOf(int64(r.uvarint()))}
	r.uvarint() // expires
	if r.bad {
		return eventHead{}, errFormat
	}
	h.eventType = r.text()
	h.endpoints = int(min(r.uvarint(), 1<<20))
	for range h.endpoints {
		id := r.text()
		if r.bad {
			break
		}
		h.ids = append(h.ids, id)
	}
	return h, nil
}

func isGone(packed string) bool { return packed == "" || packed[0] == formatMarker }
