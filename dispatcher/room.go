package dispatcher

import (
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// slowAfter is how long an attempt may take before it counts as slow.
const slowAfter = time.Second

// room is what this process has for attempts. It keeps what one destination host may have, and what all slow and failing
// endpoints together may have of each queue's slots and of all: half. So the other half is always there for those that are well.
type room struct {
	perHost, perQueue, inAll int

	mu    sync.Mutex
	hosts map[string]int
	// held counts by queue, and slow by endpoint, the attempts of slow and failing endpoints; troubled those of all queues.
	held     map[string]int
	slow     map[webhook.EndpointRef]int
	troubled int
}

// newRoom returns that of a process with so many slots; 0 means the queue's default. No queue holds over half of them.
func newRoom(concurrency, perHost int) *room {
	if concurrency == 0 {
		concurrency = defaultConcurrency
	}
	return &room{
		perHost: perHost, perQueue: max(1, concurrency/4), inAll: max(1, concurrency/2),
		hosts: map[string]int{}, held: map[string]int{}, slow: map[webhook.EndpointRef]int{},
	}
}

const defaultConcurrency = 1024

// enter takes room for an attempt, to be left once; or answers that there is none. An attempt that turns out to be slow takes
// its share then, whether there is any left or not.
func (r *room) enter(run webhook.Run, url string, troubled bool) (s *stay, ok bool) {
	host, ref := hostOf(url), run.Endpoint()
	r.mu.Lock()
	defer r.mu.Unlock()
	troubled = troubled || r.slow[ref] > 0
	if r.hosts[host] >= r.perHost || troubled && (r.held[run.Queue] >= r.perQueue || r.troubled >= r.inAll) {
		return nil, false
	}
	r.hosts[host]++
	s = &stay{room: r, ref: ref, queue: run.Queue, host: host}
	if troubled {
		s.hold(false)
	} else {
		s.timer = time.AfterFunc(slowAfter, s.isSlow)
	}
	return s, true
}

// stay is one attempt in the room.
type stay struct {
	room             *room
	ref              webhook.EndpointRef
	queue, host      string
	timer            *time.Timer
	held, slow, gone bool
}

func (s *stay) isSlow() {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	if !s.gone {
		s.hold(true)
	}
}

// hold takes a share. The room is locked.
func (s *stay) hold(slow bool) {
	s.held, s.slow = true, slow
	s.room.held[s.queue]++
	s.room.troubled++
	if slow {
		s.room.slow[s.ref]++
	}
}

func (s *stay) leave() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.gone = true
	decrease(s.room.hosts, s.host)
	if s.held {
		decrease(s.room.held, s.queue)
		s.room.troubled--
	}
	if s.slow {
		decrease(s.room.slow, s.ref)
	}
}

func decrease[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

// hostOf returns host and port of a URL as it is stored.
func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}
