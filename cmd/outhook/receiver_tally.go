package main

import "sync"

// maxTally bounds how many ids a receiver counts attempts of.
const maxTally = 100_000

// tally counts how often each of the latest ids was seen. Safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	limit  int
	counts map[string]int
	order  []string // of the ids, oldest first
}

func newTally(limit int) *tally {
	return &tally{limit: limit, counts: map[string]int{}}
}

// next returns how often the id was seen, this time included. Beyond the limit
// the oldest id is forgotten.
func (t *tally) next(id string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.counts[id]; !known {
		if len(t.order) == t.limit {
			delete(t.counts, t.order[0])
			t.order = t.order[1:]
		}
		t.order = append(t.order, id)
	}
	t.counts[id]++
	return t.counts[id]
}
