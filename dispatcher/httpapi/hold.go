package httpapi

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// answerSize is what the answer of a route may take while it is made. When it is
// there, it counts as what it is.
type answerSize int

const (
	// The zero value is that of a list or a part of one: who says nothing
	// of a new route has said that it is one of the large ones.
	_ answerSize = iota
	// ofPayload is that of one event.
	ofPayload
	// ofText is that of one event whose payload is a string: each of its bytes may
	// become two.
	ofText
	// ofFields is anything that has neither payloads nor items.
	ofFields
)

const (
	// heldLeast is what a request holds beside its body: connection, goroutine,
	// header and a small answer. heldPage is where the store ends a page.
	heldLeast = 16 << 10
	heldPage  = 4 << 20
	// meterStep is what a body of unknown length is given at first, and then
	// twice as much each time.
	meterStep = 64 << 10
)

// answerBytes is what the answer of a route holds until it is there.
func (s *server) answerBytes(size answerSize) int64 {
	switch size {
	case ofFields:
		return 0
	case ofPayload:
		return int64(s.PayloadBytes)
	case ofText:
		return 2 * int64(s.PayloadBytes)
	}
	return max(heldPage, int64(s.PayloadBytes)) // a page has one payload at least
}

// bound lets a request through that there is room for, on the account of a brand. It runs when it is known who asks, and
// before a body is read.
func (s *server) bound(r route, account string, ctx huma.Context, next func(huma.Context)) {
	request, w := humago.Unwrap(ctx)
	hold := &hold{load: s.load, brand: account}
	if busy := hold.take(amount{1, heldLeast + s.answerBytes(r.holds) + s.declared(r, request)}); busy != nil {
		makeLast(w, request)
		busy.reply().write(w)
		s.passOver(w, request)
		return
	}
	defer hold.giveBack()
	runtime.Gosched() // a request that only computes is under way too: so others are let in, or refused, before its turn
	if s.Admitted != nil {
		s.Admitted(request)
	}
	if r.request != nil && request.ContentLength < 0 {
		request.Body = &metered{ReadCloser: request.Body, hold: hold}
	}
	next(huma.WithValue(ctx, holdKey{}, hold))
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
	held  amount
}

type holdKey struct{}

// settle makes the request hold what its answer has, which may be for as long as
// a client takes to read it, and no longer what making it needed.
func settle(ctx context.Context, answer *reply) {
	if h, ok := ctx.Value(holdKey{}).(*hold); ok {
		now := amount{1, heldLeast + int64(len(answer.Body))}
		h.load.change(h.brand, now.minus(h.held))
		h.held = now
	}
}

func (h *hold) take(n amount) *Problem {
	if busy := h.load.take(h.brand, n); busy != nil {
		return busy
	}
	h.held = h.held.plus(n)
	return nil
}

func (h *hold) giveBack() { h.load.change(h.brand, amount{}.minus(h.held)) }

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
		if busy := m.hold.take(amount{bytes: step}); busy != nil {
			return 0, busy
		}
		m.paid += step
	}
	return n, err
}
