package redisstore

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// listedFor is how long a process takes a brand for listed that it listed itself.
	listedFor = time.Hour
	// listedMost bounds what it remembers; beyond it an arbitrary brand goes, and is listed once more.
	listedMost = 100_000
	// scannedAtOnce is about how many members of a set are answered at once.
	scannedAtOnce = 100
)

// listing remembers which brands this process has put into the list of brands.
type listing struct {
	mu sync.Mutex
	at map[string]time.Time
}

// due tells whether a brand is to be listed, once more or at all.
func (l *listing) due(brand string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.at[brand]
	return !known || now.Sub(at) >= listedFor
}

// done remembers brands that were listed.
func (l *listing) done(now time.Time, brands ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[string]time.Time{}
	}
	for _, brand := range brands {
		if at, known := l.at[brand]; known && now.Sub(at) < listedFor {
			continue // it was not due
		}
		if len(l.at) >= listedMost {
			for other := range l.at {
				delete(l.at, other)
				break
			}
		}
		l.at[brand] = now
	}
}

// listBrand adds a brand to the list of its tag.
func listBrand(ctx context.Context, p redis.Pipeliner, brand string, now time.Time) {
	p.ZAdd(ctx, keysOfBrand(brand).brands, redis.Z{Score: float64(millis(now)), Member: brand})
}

// Brands answers some of the brands under a tag of which something is kept, in no order, from after the place on; next is
// empty at the end. One that is listed all the time is answered at least once, perhaps twice.
func (s *Store) Brands(ctx context.Context, tag int, after string) (brands []string, next string, err error) {
	return s.scan(ctx, tagPrefix(tag)+"brands", after)
}

// forgetBrand takes a brand of which nothing is left out of the list. Not one that was listed lately: a process that
// remembers it would not list it again.
func (s *Store) forgetBrand(ctx context.Context, brand string) error {
	k := keysOfBrand(brand)
	_, err := s.one(ctx, "forget brand", call{script: scriptForget, keys: []string{k.brands, k.index, k.endpoints, k.place},
		args: []any{brand, millis(s.cfg.Now().Add(-2 * listedFor))}})
	return err
}
