package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// net/http repeats a request that HTTP/2 says was not processed, or whose idle
// connection broke, for as long as the context lasts, without a pause, and on as
// many connections as it takes. An attempt may cost a receiver no more than this.
//
// There are more dials than posts because a dial may be for nothing: when more
// attempts than a connection has streams begin at once, others may be faster to
// take those of the new one. With 512 at once for a server of 100 streams (a
// common number), two dials left one attempt in ten without a connection, three
// one in a hundred, four none.
const (
	maxPosts = 2
	maxDials = 4
)

// Grace after the deadline of an attempt: for a dial that it left behind, so that
// the deadline itself is what a caller sees, and for an attempt that does not
// notice it because its connection is stuck.
const (
	dialGrace  = time.Second
	stuckGrace = 100 * time.Millisecond
)

var errSpent = errors.New("the request was sent as often as it may be")

// tries is what one attempt may do to get its answer. It is decided here for
// both: posts are counted as the request gets a connection, and the body is not
// opened again beyond them; dials find it in their context, as net/http hands
// them nothing else of the request that they are for.
type tries struct {
	until time.Time
	// size of the body, in bytes.
	size int
	// cancel ends the attempt.
	cancel context.CancelFunc

	mu           sync.Mutex
	posts, dials int
	refused      bool
	using        *meter
}

type triesKey struct{}

func withTries(ctx context.Context, t *tries) context.Context {
	return context.WithValue(ctx, triesKey{}, t)
}

// admitDial returns a context for a dial of the attempt that ctx belongs to, or
// errSpent. A dial that belongs to none is bounded by ctx alone.
func admitDial(ctx context.Context) (context.Context, context.CancelFunc, error) {
	t, ok := ctx.Value(triesKey{}).(*tries)
	if !ok {
		return ctx, func() {}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dials == maxDials || t.posts >= maxPosts {
		t.refused = true
		return nil, nil, errSpent
	}
	t.dials++
	// The context of a dial outlives its request: net/http takes its deadline out.
	ctx, cancel := context.WithDeadline(ctx, t.until.Add(dialGrace))
	return ctx, cancel, nil
}

// got is called as the request is about to be written to a connection.
func (t *tries) got(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.posts++; t.posts > maxPosts {
		t.refused = true
		t.cancel()
	}
	t.use(meterOf(conn))
}

// use changes the connection that the attempt reads from. t.mu is held.
func (t *tries) use(m *meter) {
	if t.using != nil {
		t.using.end(t.size)
	}
	if t.using = m; m != nil {
		m.begin(t.size)
	}
}

// again wraps the opening of a body that is to be sent once more.
func (t *tries) again(open func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.posts >= maxPosts {
			t.refused = true
			return nil, errSpent
		}
		return open()
	}
}

// spent tells whether the attempt ended because it wanted more than it may have.
func (t *tries) spent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refused
}

// end gives the connection up.
func (t *tries) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.use(nil)
}

// cut closes the connection under an attempt that has missed its deadline: with
// a receiver that reads nothing, HTTP/2 waits for a write and not for a context.
func (t *tries) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.using != nil {
		_ = t.using.Close()
	}
}
