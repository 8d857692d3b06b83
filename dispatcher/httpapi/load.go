package httpapi

import (
	"net/http"
	"sync"
)

const (
	// leastLoad is what all requests under way may hold together, or that of
	// loadRequests of the largest, whichever is more.
	leastLoad    = 64 << 20
	loadRequests = 8
)

// load bounds the requests under way and what they hold in memory, and what each
// brand may have of both: no more than is left for all others. So a brand alone
// has half, of many that want everything each has as much as the next, and there
// always is something left for one that comes. What does not fit is refused at
// once: to wait, it would have to be held.
type load struct {
	most amount

	mu     sync.Mutex
	held   amount
	brands map[string]amount
}

// amount is a number of requests, and the bytes that they hold.
type amount struct{ requests, bytes int64 }

func (a amount) plus(b amount) amount  { return amount{a.requests + b.requests, a.bytes + b.bytes} }
func (a amount) minus(b amount) amount { return amount{a.requests - b.requests, a.bytes - b.bytes} }

func newLoad(requests, requestBytes int) *load {
	most := amount{int64(requests), max(leastLoad, loadRequests*int64(requestBytes))}
	return &load{most: most, brands: map[string]amount{}}
}

// take answers the problem of what does not fit. All that is taken is given back.
func (l *load) take(brand string, n amount) *Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	left, has := l.most.minus(l.held).minus(n), l.brands[brand].plus(n)
	switch {
	case left.requests < 0 || left.bytes < 0:
		return waiting(http.StatusServiceUnavailable, detailFull)
	case n.requests > 0 && has.requests > left.requests, has.bytes > left.bytes:
		return waiting(http.StatusTooManyRequests, detailShare)
	}
	l.add(brand, n)
	return nil
}

// change is for what is there already and cannot be refused any more, or goes.
func (l *load) change(brand string, by amount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(brand, by)
}

func (l *load) add(brand string, n amount) {
	l.held = l.held.plus(n)
	has := l.brands[brand].plus(n)
	if has == (amount{}) {
		delete(l.brands, brand)
		return
	}
	l.brands[brand] = has
}
