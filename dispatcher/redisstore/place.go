package redisstore

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// place is where an entry stands in a list that goes from the newest entry to
// the oldest: by time, and among those of one time by what it is, backwards.
type place struct {
	// ms and seq are the id of an entry of a stream; a dead letter has no seq.
	ms, seq int64
	// names are ids with a colon between them: of an event in the list of events,
	// an endpoint in that of attempts, endpoint and event in that of dead letters.
	names string
}

// top is before the first entry of every list.
var top = place{ms: math.MaxInt64}

// String is what a caller gets: "1738324800123-0:ep_1"; empty for the top.
func (p place) String() string {
	if p == top {
		return ""
	}
	return p.streamID() + ":" + p.names
}

func (p place) streamID() string { return fmt.Sprintf("%d-%d", p.ms, p.seq) }

// parsePlace reads what String wrote, with so many names. Callers may have made
// it up: what it lets through is no error of Redis. Errors: a [webhook.FieldError].
func parsePlace(text string, names int) (place, error) {
	if text == "" {
		return top, nil
	}
	at, ids, _ := strings.Cut(text, ":")
	ms, seq := splitStreamID(at)
	p := place{ms: ms, seq: seq, names: ids}
	if ms < 0 || seq < 0 || p.String() != text || !areIDs(ids, names) {
		return place{}, webhook.Invalid("cursor", "must be the nextCursor of the page before")
	}
	return p, nil
}

func areIDs(text string, want int) bool {
	ids := strings.Split(text, ":")
	return len(ids) == want && !slices.ContainsFunc(ids, func(id string) bool { return webhook.CheckID("cursor", id) != nil })
}

// isBefore tells whether p comes first in a list: it is newer.
func (p place) isBefore(other place) bool {
	return cmp.Or(cmp.Compare(p.ms, other.ms), cmp.Compare(p.seq, other.seq), cmp.Compare(p.names, other.names)) > 0
}

// upTo moves a place down to the entries of a time and before; zero is no time.
func (p place) upTo(at time.Time) place {
	if end := (place{ms: bound(at) + 1}); !at.IsZero() && p.isBefore(end) {
		return end
	}
	return p
}

// bound is a time in milliseconds that Redis takes for an id and for a score.
func bound(at time.Time) int64 { return min(max(0, millis(at)), 1<<53) }
