package redisstore

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// An event whose deliveries are all settled becomes a marker: its body goes, and its id stays taken until the key's time is
// over. Its deliveries stand under other tags than itself, so nothing can look at them and write the marker at once. It is
// safe all the same, as these four follow each other:
//
//  1. The head of the event is read, and then that its fan-out is finished. So all its deliveries are in the ledger, or settled.
//  2. Its deliveries are looked at (settled.lua). Nothing but a reopening leads from settled to open.
//  3. Whoever reopens a delivery first says so at the event (hold.lua), which changes the head; and reopens only if it
//     found a body there.
//  4. The marker is written only to the head of 1, and not to one that was held within the last minute (marker.lua).
//
// If the hold comes after 4, it finds a marker, and nothing is reopened. If it comes between 1 and 4, the head is another
// one, and the body stays. If it comes before 1, then either the delivery is open by 2, and the body stays; or its reopening
// is still under way, and then the hold is not a minute old, as a call takes seconds. A process that stands still for longer
// just there reopens a delivery without a body, which ends as a dead letter that says so (body_missing).
//
// An event that is published once more meanwhile is a duplicate before as after, and an unfinished one is left alone by 1
// and 4.
const (
	// holdFor is how long a body stays after a hold.
	holdFor = time.Minute
	// retireEntries bounds the entries of an index that one step looks at.
	retireEntries = 500
	// retireReads bounds the deliveries that it looks at.
	retireReads = 20_000
	// settledMost bounds those that one script looks at.
	settledMost = 200
)

// rule says which events are to become markers.
type rule struct {
	// before bounds the entries of the index that are looked at, settled when the last delivery was settled; in ms.
	before, settled int64
	// full holds the tags, as prefixes of keys, whose events are meant; nil: all.
	full map[string]bool
}

// retired is what a step came to.
type retired struct {
	// events became markers.
	events int
	// last is the last entry that was looked at; empty when there was none.
	last string
	// more says that there are others to look at.
	more bool
}

// retire looks at some entries of a brand's index, the oldest first, from after one on, has those events become markers that
// the rule means, and takes them out of the index.
func (s *Store) retire(ctx context.Context, brand, after string, r rule) (retired, error) {
	k, from := keysOfBrand(brand), "-"
	if after != "" {
		from = "(" + after
	}
	endpoints, err := s.rdb.SCard(ctx, k.endpoints).Result()
	if err != nil {
		return retired{}, unavailable("retire", err)
	}
	most := max(1, min(retireEntries, retireReads/(1+endpoints)))
	entries, err := s.rdb.XRangeN(ctx, k.index, from, fmt.Sprint(r.before), most).Result()
	if err != nil {
		return retired{}, unavailable("retire", err)
	}
	if len(entries) == 0 {
		return retired{}, nil
	}
	done := retired{last: entries[len(entries)-1].ID, more: int64(len(entries)) == most}
	events, err := s.lookBack(ctx, brand, entries, r)
	if err != nil || len(events) == 0 {
		return done, err
	}
	if err := s.lookAtDeliveries(ctx, brand, events, r); err != nil {
		return done, err
	}
	if done.events, err = s.writeMarkers(ctx, events); err != nil {
		return done, err
	}
	return done, s.sweepUp(ctx, brand, events)
}

// writeMarkers has the events that are over become markers, and answers how many did; they are gone then.
func (s *Store) writeMarkers(ctx context.Context, events []*past) (int, error) {
	var calls []call
	var of []*past
	for _, e := range events {
		if !e.gone && e.over {
			k := keysOfEvent(e.ref)
			calls = append(calls, call{script: scriptMarker, keys: []string{k.event, k.admitting}, args: []any{e.start, e.ref.String(), holdFor.Seconds()}})
			of = append(of, e)
		}
	}
	answers, err := s.run(ctx, "retire", calls)
	if err != nil {
		return 0, err
	}
	written := 0
	for i, e := range of {
		if answers[i] == int64(1) {
			e.gone = true
			written++
		}
	}
	return written, nil
}

// sweepUp deletes the records of deliveries whose events are gone, and takes these out of the index, as the last: what is cut
// off before is found again there.
func (s *Store) sweepUp(ctx context.Context, brand string, events []*past) error {
	var entries []string
	struck := map[string][]*past{}
	for _, e := range events {
		if !e.gone {
			continue
		}
		entries = append(entries, e.entries...)
		for _, id := range e.records {
			struck[id] = append(struck[id], e)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	var calls []call
	for id, some := range struck {
		for part := range slices.Chunk(some, settledMost) {
			calls = append(calls, s.deliveriesCall(scriptStrike, brand, id, part))
		}
	}
	if _, err := s.run(ctx, "retire", calls); err != nil {
		return err
	}
	if err := s.rdb.XDel(ctx, keysOfBrand(brand).index, entries...).Err(); err != nil {
		return unavailable("retire", err)
	}
	return nil
}
