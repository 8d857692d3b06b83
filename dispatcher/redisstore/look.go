package redisstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var scriptLook = script("endpoint", "look")

// Bounds of a look at what is open.
const (
	// lookMost is how many of an endpoint's open deliveries are looked at, at each end of each set.
	lookMost = 50
	// lookBatch bounds the endpoints of one pipeline.
	lookBatch = 50
)

// Agenda is what the reconciler has before it.
type Agenda struct {
	// Endpoints have open deliveries, those to be looked at first first; so many as were asked for.
	Endpoints []DueEndpoint
	// Total counts all of them.
	Total int
	// Unfinished counts the events whose fan-out is not finished; the first was begun at UnfinishedSince.
	Unfinished      int
	UnfinishedSince time.Time
}

// DueEndpoint is one, and when it is to be looked at.
type DueEndpoint struct {
	webhook.EndpointRef
	At time.Time
}

// Agenda reads it, with up to most endpoints, in one pipeline. Errors: [webhook.ErrUnavailable].
func (s *Store) Agenda(ctx context.Context, most int) (Agenda, error) {
	var totals, unfinished [tags]*redis.IntCmd
	var due, begun [tags]*redis.ZSliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for tag := range tags {
			prefix := tagPrefix(tag)
			totals[tag], unfinished[tag] = p.ZCard(ctx, prefix+"due"), p.ZCard(ctx, prefix+"admitting")
			due[tag] = p.ZRangeWithScores(ctx, prefix+"due", 0, int64(most)-1)
			begun[tag] = p.ZRangeWithScores(ctx, prefix+"admitting", 0, 0)
		}
		return nil
	})
	if err != nil {
		return Agenda{}, unavailable("agenda", err)
	}
	var a Agenda
	for tag := range tags {
		a.Total += int(totals[tag].Val())
		a.Unfinished += int(unfinished[tag].Val())
		for _, e := range begun[tag].Val() {
			if at := timeOf(int64(e.Score)); a.UnfinishedSince.IsZero() || at.Before(a.UnfinishedSince) {
				a.UnfinishedSince = at
			}
		}
		for _, e := range due[tag].Val() {
			member, _ := e.Member.(string)
			brand, id := refOf(member)
			a.Endpoints = append(a.Endpoints, DueEndpoint{webhook.EndpointRef{Brand: brand, ID: id}, timeOf(int64(e.Score))})
		}
	}
	slices.SortStableFunc(a.Endpoints, func(x, y DueEndpoint) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.String(), y.String()))
	})
	a.Endpoints = slices.Clip(a.Endpoints[:min(most, len(a.Endpoints))])
	return a, nil
}

// OpenLook is what was seen of an endpoint's open deliveries.
type OpenLook struct {
	// Suspects are runs that have been in the queue, or due there, for some seconds: it must know them.
	Suspects []webhook.Run
	// OldestEvent is the event, of those looked at, whose delivery was published or sent once more first, at Oldest;
	// empty when nothing is open.
	OldestEvent string
	Oldest      time.Time
	// More says that there is more than was looked at: the first and the last of each kind.
	More bool
}

// LookAtOpen looks at some of the open deliveries of endpoints, in the order of the input, and changes
// nothing. Errors: [webhook.ErrUnavailable].
func (s *Store) LookAtOpen(ctx context.Context, refs []webhook.EndpointRef) ([]OpenLook, error) {
	looks := make([]OpenLook, 0, len(refs))
	for batch := range slices.Chunk(refs, lookBatch) {
		calls := make([]call, len(batch))
		for i, ref := range batch {
			calls[i] = s.endpointCall(scriptLook, ref, nil, unseenFor.Milliseconds(), lookMost)
		}
		answers, err := s.run(ctx, "look", calls)
		if err != nil {
			return nil, err
		}
		for i, answer := range answers {
			a := list(answer)
			looks = append(looks, OpenLook{
				Suspects: runsOf(batch[i], a[0]), OldestEvent: text(a, 1), Oldest: timeOf(number(text(a, 2))), More: a[3] == int64(1),
			})
		}
	}
	return looks, nil
}
