package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// What a call that answers a page reads, at most.
const (
	// roundsMost bounds the pipelines that read entries.
	roundsMost = 4
	// roundEntries bounds the entries that one of them reads.
	roundEntries = 500
	// pageBytes ends the reading, and a page whose payloads come to it.
	pageBytes = 4 << 20
)

// entry stands in a list; text is what it holds.
type entry struct {
	place
	text string
}

// source is one of the lists that a walk reads together.
type source struct {
	key string
	// owner begins the names of its entries: an endpoint's id.
	owner string
	// from is the last entry that was read.
	from place
	// ready are read and not yet looked at.
	ready []entry
	// asked is how many entries the next reading asks for, or the last one did.
	asked int
	// over: nothing comes after ready.
	over bool
}

// read adds commands that read up to source.asked entries from source.from on, that
// one included, and returns what reads the answers. Fewer entries mean that it is over.
type read func(p redis.Pipeliner, from *source) func() ([]entry, error)

// walk goes through the entries of several lists as if they were one.
type walk struct {
	rdb     redis.UniversalClient
	verb    string
	sources []*source
	read    read
	// share is how many entries are read of each list at a time, if few are to be read.
	share int
	// last is where the entry stands that was looked at last.
	last          place
	looked        bool
	rounds, bytes int
}

// begin sets the sources to where they may hold something, and the share to a
// page's items and one more, which tells whether it was the last page. sparse:
// most entries will not be what is looked for.
func (w *walk) begin(from place, limit int, sparse bool) {
	w.share = limit + 1
	if sparse {
		w.share = roundEntries
	}
	for _, s := range w.sources {
		s.from = from
	}
}

// skipLater leaves out the streams whose entries all come before the place where
// the walk begins: Redis would go through all of them to find none.
func (w *walk) skipLater(ctx context.Context, from place) error {
	if from == top || len(w.sources) == 0 {
		return nil
	}
	oldest := make([]*redis.XMessageSliceCmd, len(w.sources))
	_, err := w.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, s := range w.sources {
			oldest[i] = p.XRangeN(ctx, s.key, "-", "+", 1)
		}
		return nil
	})
	if err != nil {
		return unavailable(w.verb, err)
	}
	for i, s := range w.sources {
		found := oldest[i].Val()
		s.over = len(found) == 0
		if !s.over {
			ms, seq := splitStreamID(found[0].ID)
			s.over = ms > from.ms || ms == from.ms && seq > from.seq
		}
	}
	return nil
}

// next returns the entry after the last one; false when there is none, or enough was read.
func (w *walk) next(ctx context.Context) (entry, bool, error) {
	for hungry := w.hungry(); len(hungry) > 0; hungry = w.hungry() {
		if w.isEnough() {
			return entry{}, false, nil
		}
		if err := w.fill(ctx, hungry); err != nil {
			return entry{}, false, err
		}
	}
	var first *source
	for _, s := range w.sources {
		if len(s.ready) > 0 && (first == nil || s.ready[0].isBefore(first.ready[0].place)) {
			first = s
		}
	}
	if first == nil {
		return entry{}, false, nil
	}
	e := first.ready[0]
	first.ready = first.ready[1:]
	w.last, w.looked = e.place, true
	return e, true, nil
}

// isEnough ends the reading, but not before there was something to look at: the
// next page goes on after it.
func (w *walk) isEnough() bool {
	return w.looked && (w.rounds >= roundsMost || w.bytes >= pageBytes)
}

// hungry are the sources that must be read before it is known what comes next.
func (w *walk) hungry() []*source {
	var hungry []*source
	for _, s := range w.sources {
		if len(s.ready) == 0 && !s.over {
			hungry = append(hungry, s)
		}
	}
	return hungry
}

// fill reads on, in one pipeline.
func (w *walk) fill(ctx context.Context, hungry []*source) error {
	share := max(1, min(w.share, roundEntries/len(hungry)))
	answers := make([]func() ([]entry, error), len(hungry))
	_, err := w.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, s := range hungry {
			s.asked = max(s.asked, share)
			answers[i] = w.read(p, s)
		}
		return nil
	})
	if err != nil {
		return unavailable(w.verb, err)
	}
	w.rounds++
	for i, s := range hungry {
		entries, err := answers[i]()
		if err != nil {
			return fmt.Errorf("%s: %w", w.verb, err)
		}
		w.bytes += s.take(entries)
	}
	return nil
}

// take keeps the entries after those that were read before, and answers their size.
func (s *source) take(entries []entry) (bytes int) {
	s.over = len(entries) < s.asked
	for _, e := range entries {
		if s.from.isBefore(e.place) {
			s.ready = append(s.ready, e)
			bytes += len(e.text)
		}
	}
	if len(s.ready) == 0 {
		s.asked *= 2 // so many stand at the same time
		return bytes
	}
	s.asked, s.from = 0, s.ready[len(s.ready)-1].place
	return bytes
}

// isOver tells whether everything was looked at.
func (w *walk) isOver() bool {
	for _, s := range w.sources {
		if len(s.ready) > 0 || !s.over {
			return false
		}
	}
	return true
}

// rest asks for the page after the last entry looked at; empty when there is none.
func (w *walk) rest() string {
	if w.isOver() {
		return ""
	}
	return w.last.String()
}

// readStream reads entries of streams that are not older than a time, in
// milliseconds. unpack answers an entry's names and what it holds.
func readStream(ctx context.Context, oldest int64, unpack func(s *source, values map[string]any) (names, text string, err error)) read {
	return func(p redis.Pipeliner, s *source) func() ([]entry, error) {
		cmd := p.XRevRangeN(ctx, s.key, s.from.streamID(), fmt.Sprint(oldest), int64(s.asked))
		return func() ([]entry, error) {
			entries := make([]entry, len(cmd.Val()))
			for i, message := range cmd.Val() {
				names, text, err := unpack(s, message.Values)
				if err != nil {
					return nil, err
				}
				ms, seq := splitStreamID(message.ID)
				entries[i] = entry{place{ms, seq, names}, text}
			}
			return entries, nil
		}
	}
}
