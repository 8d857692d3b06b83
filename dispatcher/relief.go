package dispatcher

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
)

const (
	// measureEvery is how often a worker looks whether room is needed, and unlimitedEvery where there is no maxmemory.
	measureEvery, unlimitedEvery = time.Second, 10 * time.Second
	// reliefTurn keeps other workers from making room too.
	reliefTurn = 5 * time.Second
	// reliefSteps is in how many steps a kind of history goes, from the oldest of all brands on.
	reliefSteps = 32
)

// errRoom ends the making of room: there is enough.
var errRoom = errors.New("below the watermark")

// relief makes room in Redis from Config.HistoryWatermark on.
type relief struct {
	d     *Dispatcher
	part  *redisstore.Relief
	owner string
	// share of maxmemory that was in use when it looked last.
	share float64
}

// relieve looks whether room is needed, and makes it, until ctx ends. Every worker does, one at a time.
func (d *Dispatcher) relieve(ctx context.Context, part *redisstore.Relief) {
	r := &relief{d: d, part: part, owner: strconv.FormatUint(rand.Uint64(), 36)}
	for every := measureEvery; sleep(ctx, every); {
		err := r.makeRoom(ctx)
		r.note(ctx, err)
		every = measureEvery
		if errors.Is(err, errRoom) && r.share == 0 {
			every = unlimitedEvery
		}
	}
}

// makeRoom drops history, kind by kind, until there is room; nil when nothing is left to drop.
func (r *relief) makeRoom(ctx context.Context) error {
	if err := r.measure(ctx); err != nil {
		return err
	}
	if ok, err := r.part.Turn(ctx, r.owner, reliefTurn); err != nil {
		return err
	} else if !ok {
		return errRoom // another worker makes it
	}
	r.part.Begin()
	for kind := redisstore.HistoryResponses; kind <= redisstore.HistoryEvents; kind++ {
		if err := r.dropKind(ctx, kind); err != nil {
			return err
		}
	}
	r.part.Rewind()
	return nil
}

// measure returns errRoom unless room is needed.
func (r *relief) measure(ctx context.Context) error {
	share, high, err := r.part.Measure(ctx, r.d.historyWatermark())
	if err != nil {
		return err
	}
	r.share = share
	if !high {
		return errRoom
	}
	return nil
}

// aged is a brand and when the oldest was kept that it has of a kind; zero for none.
type aged struct {
	brand  string
	oldest time.Time
}

// dropKind drops a kind of history, the oldest of all brands first: up to a time that they have in common and that moves
// forward in steps.
func (r *relief) dropKind(ctx context.Context, kind redisstore.History) error {
	all, err := r.ages(ctx, kind)
	if err != nil {
		return err
	}
	latest := r.part.Latest(kind)
	var step time.Duration
	for {
		oldest := oldestOf(all)
		if oldest.IsZero() || !oldest.Before(latest) {
			return nil
		}
		if step == 0 {
			step = max(latest.Sub(oldest)/reliefSteps, time.Second)
		}
		until := oldest.Add(step)
		if until.After(latest) {
			until = latest
		}
		if err := r.dropUntil(ctx, kind, all, until); err != nil {
			return err
		}
	}
}

// ages goes once through all brands.
func (r *relief) ages(ctx context.Context, kind redisstore.History) (all []aged, err error) {
	for tag := range r.d.store.Tags() {
		err := r.d.eachBrands(ctx, tag, func(brands []string) error {
			times, err := r.part.Oldest(ctx, kind, brands)
			if err != nil {
				return err
			}
			for i, at := range times {
				if !at.IsZero() {
					all = append(all, aged{brands[i], at})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func oldestOf(all []aged) (oldest time.Time) {
	for _, a := range all {
		if !a.oldest.IsZero() && (oldest.IsZero() || a.oldest.Before(oldest)) {
			oldest = a.oldest
		}
	}
	return oldest
}

// dropUntil drops what brands have from before a time, and finds out how old the rest is.
func (r *relief) dropUntil(ctx context.Context, kind redisstore.History, all []aged, until time.Time) error {
	for i := range all {
		a := &all[i]
		if a.oldest.IsZero() || !a.oldest.Before(until) {
			continue
		}
		if err := r.dropOf(ctx, kind, a.brand, until); err != nil {
			return err
		}
		left, err := r.part.Oldest(ctx, kind, []string{a.brand})
		if err != nil {
			return err
		}
		if a.oldest = left[0]; !a.oldest.IsZero() && a.oldest.Before(until) { // added meanwhile: the next time
			a.oldest = until
		}
	}
	return nil
}

// dropOf drops what one brand has, in parts, each of them only if room is needed still.
func (r *relief) dropOf(ctx context.Context, kind redisstore.History, brand string, until time.Time) error {
	for more := true; more; {
		if err := r.measure(ctx); err != nil {
			return err
		}
		var dropped int
		var err error
		if dropped, more, err = r.part.Drop(ctx, kind, brand, until); err != nil {
			return err
		}
		r.d.dropped.add(kind.String(), dropped)
		if !sleep(ctx, stepPause) {
			return ctx.Err()
		}
	}
	return nil
}

// note says once a minute what went, or that nothing is left that could.
func (r *relief) note(ctx context.Context, err error) {
	now := time.Now()
	share := float64(int(r.share*1000)) / 1000
	if err == nil && r.d.warned.first("no history", now) {
		r.d.log.WarnContext(ctx, "redis is filling up, and no history is left to drop; said once a minute",
			"memory_share", share, "watermark", r.d.historyWatermark())
	}
	if r.d.dropped.isUntold() && r.d.warned.first("history", now) {
		untold := r.d.dropped.tell()
		r.d.log.WarnContext(ctx, "history was dropped, as redis is filling up; said once a minute", "memory_share", share,
			"watermark", r.d.historyWatermark(), "responses", untold["response"], "attempts", untold["attempt"], "events", untold["event"])
	}
	if err != nil && !errors.Is(err, errRoom) {
		r.d.noteJanitor(ctx, err)
	}
}

// drops counts the history that was dropped, by kind, and what of it was not told of yet.
type drops struct {
	mu             sync.Mutex
	counts, untold map[string]int
}

func (c *drops) add(kind string, n int) {
	if n == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	if c.untold == nil {
		c.untold = map[string]int{}
	}
	c.counts[kind] += n
	c.untold[kind] += n
}

func (c *drops) isUntold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.untold) > 0
}

// tell answers what was not told of yet.
func (c *drops) tell() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := c.untold
	c.untold = nil
	return told
}

// HistoryDropped answers how much history this process has dropped because Redis was filling up, by kind: "response" (what
// an endpoint answered to an attempt), "attempt", "event" (the body of an event whose deliveries had all ended).
func (d *Dispatcher) HistoryDropped() map[string]int {
	d.dropped.mu.Lock()
	defer d.dropped.mu.Unlock()
	return maps.Clone(d.dropped.counts)
}
