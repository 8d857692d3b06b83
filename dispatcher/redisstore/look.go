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

// lookBatch bounds the endpoints of one pipeline that looks at what is open.
const lookBatch = 50

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
	// Open are all that are open, Waiting those of them that are in the line.
	Open, Waiting int
	// OpenUntil is when the breaker, which is not closed, lets one through, or did; zero when it is closed.
	OpenUntil time.Time
}

// LookMost is how many of an endpoint's open deliveries LookAtOpen looks at, at each end of each set, for whoever looks for what
// is lost; few do to find the oldest.
const LookMost = 50

// LookAtOpen looks at some of the open deliveries of endpoints, most at each end of each set, in the order of the input, and
// changes nothing. Errors: [webhook.ErrUnavailable].
func (s *Store) LookAtOpen(ctx context.Context, refs []webhook.EndpointRef, most int) ([]OpenLook, error) {
	looks := make([]OpenLook, 0, len(refs))
	for batch := range slices.Chunk(refs, lookBatch) {
		calls := make([]call, len(batch))
		for i, ref := range batch {
			calls[i] = s.endpointCall(scriptLook, ref, nil, unseenFor.Milliseconds(), most)
		}
		answers, err := s.run(ctx, "look", calls)
		if err != nil {
			return nil, err
		}
		for i, answer := range answers {
			looks = append(looks, lookOf(batch[i], list(answer)))
		}
	}
	return looks, nil
}

func lookOf(ref webhook.EndpointRef, a []any) OpenLook {
	waiting := count(a, 5)
	return OpenLook{
		Suspects: runsOf(ref, a[0]), OldestEvent: text(a, 1), Oldest: timeOf(number(text(a, 2))), More: count(a, 3) == 1,
		Open: count(a, 4) + waiting + count(a, 6), Waiting: waiting, OpenUntil: timeOf(number(text(a, 7))),
	}
}
