package dispatcher

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// snapshotFor is how old a brand's endpoints may be when an event is matched.
	snapshotFor = time.Second
	// snapshotsMost bounds the brands remembered; beyond it an arbitrary one goes.
	snapshotsMost = 10_000
)

// matcher remembers the brands' endpoints for a moment, so that publishing does
// not read them each time. A change made through the same process is seen at once.
type matcher struct {
	store  webhook.Store
	flight singleflight.Group

	mu     sync.Mutex
	brands map[string]snapshot
	// changes counts forget, so that a reading begun before it is not kept.
	changes int
}

type snapshot struct {
	endpoints []webhook.Endpoint
	readAt    time.Time
}

func newMatcher(store webhook.Store) *matcher {
	return &matcher{store: store, brands: map[string]snapshot{}}
}

// endpoints answers the brand's endpoints, at most snapshotFor old. The slice is shared.
func (m *matcher) endpoints(ctx context.Context, brand string) ([]webhook.Endpoint, error) {
	m.mu.Lock()
	known, ok := m.brands[brand]
	changes := m.changes
	m.mu.Unlock()
	if ok && time.Since(known.readAt) < snapshotFor {
		return known.endpoints, nil
	}
	reading := m.flight.DoChan(brand+":"+strconv.Itoa(changes), func() (any, error) {
		began := time.Now()
		// Others wait for this reading too: the first caller must not cancel it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerFor)
		defer cancel()
		endpoints, err := m.store.Routes(ctx, brand)
		if err != nil {
			return nil, err
		}
		m.keep(brand, snapshot{endpoints, began}, changes)
		return endpoints, nil
	})
	select {
	case read := <-reading:
		if read.Err != nil {
			return nil, read.Err
		}
		return read.Val.([]webhook.Endpoint), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("match: %w: %w", webhook.ErrUnavailable, ctx.Err())
	}
}

func (m *matcher) keep(brand string, s snapshot, changes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changes != changes {
		return
	}
	if len(m.brands) >= snapshotsMost {
		for other := range m.brands {
			delete(m.brands, other)
			break
		}
	}
	m.brands[brand] = s
}

// forget makes the next match of the brand read its endpoints.
func (m *matcher) forget(brand string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	delete(m.brands, brand)
}
