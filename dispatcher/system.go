package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// What bounds a look at how all processes together stand. A scrape waits for it.
const (
	// leadFor is how long a process that is not scraped any more goes on to be the one that speaks for all. It is longer than
	// two scrapes are apart: else processes that are scraped in turn would take it from each other.
	leadFor = 75 * time.Second
	// lookAgain is how long what was seen is good enough for another scraper.
	lookAgain = 2 * time.Second
	// walkFor bounds the part of a look that goes through the endpoints with open deliveries. Of very many it sees some, and
	// goes on the next time.
	walkFor = 500 * time.Millisecond
	// oldestAmong is how many open deliveries of an endpoint are looked at, at each end of each set.
	oldestAmong = 2
)

// system sees how all processes together stand, if this is the one that says so.
type system struct {
	d     *Dispatcher
	owner string

	mu     sync.Mutex
	looked time.Time
	seen   telemetry.System
	ours   bool
	// left: it says nothing any more.
	left bool

	// walking keeps a look that was left behind, as Redis was slow, from the next one's walk.
	walking sync.Mutex
	walk    ledgerWalk
}

// look answers what it sees now, or saw a moment ago; false when another process is to say so, and when Redis does not answer.
func (s *system) look() (telemetry.System, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); !s.left && now.Sub(s.looked) > lookAgain {
		seen, err := within(context.Background(), s.d, "ready", s.lookNow)
		s.looked = now
		s.seen, s.ours = seen, err == nil
		s.note(err, now)
	}
	return s.seen, s.ours && !s.left
}

// note says once a minute why nobody may say how all stand; that Redis is away others say.
func (s *system) note(err error, now time.Time) {
	ordinary := err == nil || errors.Is(err, errNotLeading) || errors.Is(err, errBusyLook) || errors.Is(err, webhook.ErrUnavailable)
	if !ordinary && s.d.warned.first("system", now) {
		s.d.log.Warn("not known how all processes stand; said once a minute", "error", err)
	}
}

// leave has another process say from now on how all stand.
func (s *system) leave(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left = true; !s.looked.IsZero() {
		_, _ = within(ctx, s.d, "ready", func(ctx context.Context) (struct{}, error) { // else its time runs out
			return struct{}{}, s.d.doctor.store.Unlead(ctx, s.owner)
		})
	}
}

var (
	errNotLeading = errors.New("another process speaks for all")
	errBusyLook   = errors.New("the look before is not over")
)

func (s *system) lookNow(ctx context.Context) (telemetry.System, error) {
	if !s.walking.TryLock() {
		return telemetry.System{}, errBusyLook
	}
	defer s.walking.Unlock()
	skew, err := s.d.store.Ping(ctx) // Ready measures it too, but nobody may ask a process that only publishes whether it is
	if err != nil {
		return telemetry.System{}, err
	}
	s.d.skew.note(skew)
	leads, err := s.d.doctor.store.Lead(ctx, s.owner, leadFor)
	switch {
	case err != nil:
		return telemetry.System{}, err
	case !leads:
		s.walk = ledgerWalk{}
		return telemetry.System{}, errNotLeading
	}
	census, err := s.d.doctor.queue.Census(ctx)
	if err != nil {
		return telemetry.System{}, err
	}
	servers, err := s.d.store.Servers(ctx)
	if err != nil {
		return telemetry.System{}, err
	}
	now := time.Now()
	ledger, err := s.walk.on(ctx, s.d.doctor.store, now, walkFor)
	if err != nil {
		return telemetry.System{}, err
	}
	seen := telemetry.System{Workers: census.Workers, Memory: memoryOf(servers), Ledger: ledger}
	for _, q := range census.Queues {
		lane, shard := q.Place()
		seen.Queues = append(seen.Queues, telemetry.QueueLength{Lane: lane, Shard: shard, Pending: q.Pending})
		if !q.OldestPending.IsZero() && lane == queue.LaneLive {
			seen.Runnable = max(seen.Runnable, now.Sub(q.OldestPending))
		}
	}
	return seen, nil
}

// memoryOf is the share of its limit that the fullest server uses; negative when none has one.
func memoryOf(servers []webhook.ServerInfo) float64 {
	share := -1.0
	for _, s := range servers {
		if s.MaxMemory > 0 {
			share = max(share, s.Used())
		}
	}
	return share
}

// openStore is what a walk asks.
type openStore interface {
	Tags() int
	OpenEndpoints(ctx context.Context, tag int, after string) (refs []webhook.EndpointRef, next string, err error)
	LookAtOpen(ctx context.Context, refs []webhook.EndpointRef, most int) ([]redisstore.OpenLook, error)
}

// ledgerWalk goes through all endpoints with open deliveries, in as many steps as it takes, again and again.
type ledgerWalk struct {
	tag   int
	place string
	// known are the endpoints of the tag that were counted: the store may answer one twice.
	known map[webhook.EndpointRef]bool
	// sum is what was seen since the walk began, and oldest when the oldest delivery was opened.
	sum    telemetry.Ledger
	oldest time.Time
	// last is what the last whole walk saw.
	last       *telemetry.Ledger
	lastOldest time.Time
}

// on walks for so long, or to the end, and answers what the last whole walk saw, as old as it is now; nil when there was none.
func (w *ledgerWalk) on(ctx context.Context, store openStore, now time.Time, most time.Duration) (*telemetry.Ledger, error) {
	for ended := false; !ended; ended = ended || time.Since(now) >= most {
		refs, next, err := store.OpenEndpoints(ctx, w.tag, w.place)
		if err != nil {
			return nil, err
		}
		if err := w.count(ctx, store, refs, now); err != nil {
			return nil, err
		}
		if w.place = next; next == "" {
			ended = w.nextTag(store.Tags())
		}
	}
	if w.last == nil {
		return nil, nil
	}
	seen := *w.last
	if !w.lastOldest.IsZero() {
		seen.Oldest = max(0, now.Sub(w.lastOldest))
	}
	return &seen, nil
}

func (w *ledgerWalk) count(ctx context.Context, store openStore, refs []webhook.EndpointRef, now time.Time) error {
	var fresh []webhook.EndpointRef
	for _, ref := range refs {
		if !w.known[ref] {
			fresh = append(fresh, ref)
		}
	}
	looks, err := store.LookAtOpen(ctx, fresh, oldestAmong)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if w.known == nil {
		w.known = map[webhook.EndpointRef]bool{}
	}
	for i, l := range looks {
		w.known[fresh[i]] = true
		w.sum.Open += l.Open
		w.sum.Waiting += l.Waiting
		if l.OpenUntil.After(now) {
			w.sum.Breakers++
		}
		if l.OldestEvent != "" && (w.oldest.IsZero() || l.Oldest.Before(w.oldest)) {
			w.oldest = l.Oldest
		}
	}
	return nil
}

// nextTag goes to the next tag, and answers whether that was the end of a walk.
func (w *ledgerWalk) nextTag(tags int) bool {
	w.known = nil
	if w.tag++; w.tag < tags {
		return false
	}
	sum := w.sum
	*w = ledgerWalk{last: &sum, lastOldest: w.oldest}
	return true
}
