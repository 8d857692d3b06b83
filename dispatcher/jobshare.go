package dispatcher

import (
	"sync"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// sharing counts the jobs that a process works on, by brand.
type sharing struct {
	mu   sync.Mutex
	work map[string]int
}

// take tells whether a job may be worked on beside those of its brand. What erases the brand always may.
func (s *sharing) take(t webhook.TakenJob) bool {
	if t.Kind == webhook.JobErase {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.work[t.Brand] >= brandAtOnce {
		return false
	}
	if s.work == nil {
		s.work = map[string]int{}
	}
	s.work[t.Brand]++
	return true
}

func (s *sharing) give(t webhook.TakenJob) {
	if t.Kind == webhook.JobErase {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.work[t.Brand]--; s.work[t.Brand] == 0 {
		delete(s.work, t.Brand)
	}
}
