package httpapi

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	// leastLoad is what all requests under way may hold together, or that of
	// loadRequests of the largest, whichever is more.
	leastLoad    = 64 << 20
	loadRequests = 8
	// heldLeast is what a request holds beside its body: connection, goroutine,
	// header and a small answer. heldPage is the answer of a list with payloads.
	heldLeast = 16 << 10
	heldPage  = 4 << 20
	// meterStep is what a body of unknown length is given at first, and then
	// twice as much each time.
	meterStep = 64 << 10
)

// load bounds what the requests under way hold in memory, and what each brand
// may hold of it: no more than is left for all others. So a brand alone has half,
// of many that want everything each has as much as the next, and there always
// is something left for one that comes. What does not fit is refused at once:
// to wait, it would have to be held.
type load struct {
	most int64

	mu     sync.Mutex
	held   int64
	brands map[string]int64
}

func newLoad(requestBytes int) *load {
	return &load{most: max(leastLoad, loadRequests*int64(requestBytes)), brands: map[string]int64{}}
}

// take answers the problem of what does not fit. Every byte taken is given back.
func (l *load) take(brand string, n int64) *Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.most - l.held - n
	switch {
	case left < 0:
		return waiting(http.StatusServiceUnavailable, detailFull)
	case l.brands[brand]+n > left:
		return waiting(http.StatusTooManyRequests, detailShare)
	}
	l.held += n
	l.brands[brand] += n
	return nil
}

func (l *load) giveBack(brand string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held -= n
	if l.brands[brand] -= n; l.brands[brand] == 0 {
		delete(l.brands, brand)
	}
}

// bound lets a request through that there is room for, on the account of the
// brand in its path, whoever asks. It runs when it is known who asks, and before
// a body is read.
func (s *server) bound(r route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		request, w := humago.Unwrap(ctx)
		hold := &hold{load: s.load, brand: ctx.Param("brand")}
		if busy := hold.take(heldLeast + r.holds + s.declared(r, request)); busy != nil {
			busy.reply().write(w)
			s.passOver(w, request)
			return
		}
		defer hold.giveBack()
		if r.request != nil && request.ContentLength < 0 {
			request.Body = &metered{ReadCloser: request.Body, hold: hold}
		}
		next(ctx)
	}
}

// passOver reads what is left of a body into nothing, after the answer. A client that is still writing when the connection is
// closed is told that it broke, and not why.
func (s *server) passOver(w http.ResponseWriter, r *http.Request) {
	to := http.NewResponseController(w)
	if to.Flush() == nil && to.SetReadDeadline(time.Now().Add(lingerFor)) == nil {
		_, _ = io.CopyN(io.Discard, r.Body, int64(s.RequestBytes))
	}
}

// declared is how long the body says that it is, as far as it will be read.
func (s *server) declared(r route, request *http.Request) int64 {
	if r.request == nil || request.ContentLength > int64(s.RequestBytes) {
		return 0
	}
	return max(0, request.ContentLength)
}

// hold is what one request holds. It belongs to that request's goroutine.
type hold struct {
	load  *load
	brand string
	held  int64
}

func (h *hold) take(n int64) *Problem {
	if busy := h.load.take(h.brand, n); busy != nil {
		return busy
	}
	h.held += n
	return nil
}

func (h *hold) giveBack() { h.load.giveBack(h.brand, h.held) }

// metered takes for a body what is read of it. Its errors are [Problem]s when
// there is no room.
type metered struct {
	io.ReadCloser
	hold       *hold
	read, paid int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.read += int64(n)
	for m.read > m.paid {
		step := max(m.paid, meterStep)
		if busy := m.hold.take(step); busy != nil {
			return 0, busy
		}
		m.paid += step
	}
	return n, err
}
