package redisstore

import (
	"context"
	"maps"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// History is a kind of what is kept of the past, and may go when its room is needed.
type History int

// The kinds, in the order in which they go.
const (
	// HistoryResponses are what endpoints answered to attempts.
	HistoryResponses History = iota
	// HistoryAttempts are the attempts themselves.
	HistoryAttempts
	// HistoryEvents are the bodies of events of which no delivery is open or a dead letter, and the records of these deliveries.
	HistoryEvents
)

// String names the kind as what is counted: "response", "attempt", "event".
func (h History) String() string { return [...]string{"response", "attempt", "event"}[h] }

const (
	// youngFor is how long the body of an event stays at the least after the end of its last delivery, however little room there
	// is: whoever has just published it, or settled it, may repeat that.
	youngFor = 10 * time.Second
	// rewindEvery is how often it looks again at events that it passed by.
	rewindEvery = time.Minute
)

// Relief makes room by dropping history. Open deliveries, dead letters and the bodies of their events are none; markers stay.
// It remembers what it passed by. Not safe for concurrent use.
type Relief struct {
	store *Store
	// full are the tags, as prefixes of keys, whose servers are to be relieved; nil: all.
	full map[string]bool
	// places are the last entries of the indexes that were looked at, by brand.
	places map[string]string
	lap    time.Time
}

// Relief returns one that has passed nothing by.
func (s *Store) Relief() *Relief { return &Relief{store: s, places: map[string]string{}} }

// Measure answers the largest share of a server's maxmemory that is in use, and whether it is above the watermark; in a
// cluster only what such servers hold is dropped from then on. Errors: [webhook.ErrUnavailable].
func (r *Relief) Measure(ctx context.Context, watermark float64) (share float64, high bool, err error) {
	servers, err := r.store.Servers(ctx)
	if err != nil {
		return 0, false, err
	}
	above := map[string]bool{}
	for _, s := range servers {
		share = max(share, s.Used())
		if s.Full(watermark) {
			above[s.Address] = true
		}
	}
	if len(above) == 0 {
		return share, false, nil
	}
	full, err := r.store.tagsOn(ctx, above)
	if !maps.Equal(full, r.full) { // what was passed by may be on a server that is full now
		r.full, r.places = full, map[string]string{}
	}
	return share, true, err
}

// tagsOn answers the tags, as prefixes of keys, of some servers of a cluster; nil without a cluster.
func (s *Store) tagsOn(ctx context.Context, addresses map[string]bool) (map[string]bool, error) {
	cluster, ok := s.rdb.(*redis.ClusterClient)
	if !ok {
		return nil, nil
	}
	on := map[string]bool{}
	for tag := range tags {
		node, err := cluster.MasterForKey(ctx, tagPrefix(tag))
		if err != nil {
			return nil, unavailable("servers", err)
		}
		if addresses[node.Options().Addr] {
			on[tagPrefix(tag)] = true
		}
	}
	return on, nil
}

func (r *Relief) isFull(ref webhook.EndpointRef) bool {
	return r.full == nil || r.full[tagOf(ref.String())]
}

// Turn gives the owner, for so long, its turn at making room; ok is false while it is another's.
func (r *Relief) Turn(ctx context.Context, owner string, lasts time.Duration) (ok bool, err error) {
	return r.store.turn(ctx, tagOf("relief")+"relief", owner, lasts)
}

// Rewind has the next look at events begin anew, once nothing more is found: some of those that were passed by may be over
// by now. It does so once in a while only.
func (r *Relief) Rewind() {
	if now := r.store.cfg.Now(); now.Sub(r.lap) >= rewindEvery {
		r.lap, r.places = now, map[string]string{}
	}
}

// Begin has what was passed by lately be looked at again: of events that have just come, many are open for a moment.
func (r *Relief) Begin() {
	lately := millis(r.store.cfg.Now().Add(-rewindEvery))
	for brand, place := range r.places {
		if ms, _ := splitStreamID(place); ms > lately {
			r.places[brand] = strconv.FormatInt(lately, 10)
		}
	}
}

// Latest is when what may go now was kept at the latest.
func (r *Relief) Latest(kind History) time.Time {
	if kind == HistoryEvents {
		return r.store.cfg.Now().Add(-youngFor)
	}
	return r.store.cfg.Now()
}

// Oldest answers when the oldest was kept of what each brand has of a kind, but for events that were passed by; zero for none.
func (r *Relief) Oldest(ctx context.Context, kind History, brands []string) ([]time.Time, error) {
	if kind == HistoryEvents {
		return r.oldestEvents(ctx, brands)
	}
	streams, of, err := r.streams(ctx, kind, brands)
	if err != nil {
		return nil, err
	}
	answers, err := r.store.inParts(ctx, "relief", trimsOf(streams, 0))
	if err != nil {
		return nil, err
	}
	oldest := make([]time.Time, len(brands))
	for i, answer := range answers {
		first := timeOf(trimOf(answer).first)
		if at := &oldest[of[i]]; at.IsZero() || !first.IsZero() && first.Before(*at) {
			*at = first
		}
	}
	return oldest, nil
}

func (r *Relief) oldestEvents(ctx context.Context, brands []string) ([]time.Time, error) {
	cmds := make([]*redis.XMessageSliceCmd, len(brands))
	_, err := r.store.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, brand := range brands {
			from := "-"
			if after := r.places[brand]; after != "" {
				from = "(" + after
			}
			cmds[i] = p.XRangeN(ctx, keysOfBrand(brand).index, from, "+", 1)
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("relief", err)
	}
	oldest := make([]time.Time, len(brands))
	for i, cmd := range cmds {
		if found := cmd.Val(); len(found) > 0 {
			ms, _ := splitStreamID(found[0].ID)
			oldest[i] = timeOf(ms)
		}
	}
	return oldest, nil
}

// Drop drops some of what a brand has kept of a kind before a time, the oldest first; more says that there is more.
func (r *Relief) Drop(ctx context.Context, kind History, brand string, before time.Time) (dropped int, more bool, err error) {
	if kind == HistoryEvents {
		done, err := r.store.retire(ctx, brand, r.places[brand], rule{
			before: millis(before), settled: millis(r.store.cfg.Now().Add(-youngFor)), full: r.full,
		})
		if err == nil && done.last != "" {
			r.places[brand] = done.last
		}
		return done.events, done.more, err
	}
	streams, _, err := r.streams(ctx, kind, []string{brand})
	if err != nil {
		return 0, false, err
	}
	answers, err := r.store.inParts(ctx, "relief", trimsOf(streams, millis(before)))
	for _, answer := range answers {
		t := trimOf(answer)
		dropped, more = dropped+t.went, more || t.more
	}
	return dropped, more, err
}

// streams are those that hold a kind of what brands keep, on servers that are full, and whose they are.
func (r *Relief) streams(ctx context.Context, kind History, brands []string) (streams []string, of []int, err error) {
	cmds := make([]*redis.StringSliceCmd, len(brands))
	_, err = r.store.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, brand := range brands {
			cmds[i] = p.SMembers(ctx, keysOfBrand(brand).endpoints)
		}
		return nil
	})
	if err != nil {
		return nil, nil, unavailable("relief", err)
	}
	for i, brand := range brands {
		for _, id := range cmds[i].Val() {
			ref := webhook.EndpointRef{Brand: brand, ID: id}
			if !r.isFull(ref) {
				continue
			}
			stream := keysOfEndpoint(ref).attempts
			if kind == HistoryResponses {
				stream = keysOfEndpoint(ref).answers
			}
			streams, of = append(streams, stream), append(of, i)
		}
	}
	return streams, of, nil
}

// trimsOf are the calls that drop what streams hold from before a time, ms.
func trimsOf(streams []string, before int64) []call {
	calls := make([]call, len(streams))
	for i, stream := range streams {
		calls[i] = trimCall(stream, before)
	}
	return calls
}
