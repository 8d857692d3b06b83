package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
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

// tries is what one attempt may do to get its answer, and how far it has come. It is decided here for
// both: posts are counted as the request gets a connection, and the body is not
// opened again beyond them; dials find it in their context, as net/http hands
// them nothing else of the request that they are for.
type tries struct {
	until time.Time
	body  []byte
	// cancel ends the attempt.
	cancel context.CancelFunc
	trace  trace

	mu           sync.Mutex
	posts, dials int
	refused      bool
	late         bool
	stuck        *time.Timer
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
	return httptrace.WithClientTrace(ctx, t.trace.dialHooks()), cancel, nil
}

// hooks are those of every attempt; a dial has more.
func (t *tries) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:              func(string) { t.trace.begin() },
		GotConn:              t.got,
		GotFirstResponseByte: t.trace.firstByte,
	}
}

// got is called as the request is about to be written to a connection.
func (t *tries) got(info httptrace.GotConnInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.posts++; t.posts > maxPosts {
		t.refused = true
		t.cancel()
	}
	t.use(meterOf(info.Conn))
	t.trace.gotConn(info.Reused)
}

// use changes the connection that the attempt reads from. t.mu is held.
func (t *tries) use(m *meter) {
	if t.using != nil {
		t.using.end(len(t.body))
	}
	if t.using = m; m != nil {
		m.begin(len(t.body))
	}
}

// open opens the body.
func (t *tries) open() io.ReadCloser {
	if len(t.body) == 0 {
		return http.NoBody
	}
	return io.NopCloser(bytes.NewReader(t.body))
}

// again opens the body that is to be sent once more.
func (t *tries) again() (io.ReadCloser, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.posts >= maxPosts {
		t.refused = true
		return nil, errSpent
	}
	return t.open(), nil
}

// reasonOf says why the attempt got no answer.
func (t *tries) reasonOf(ctx context.Context, err error, reached progress) webhook.Reason {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.refused:
		return webhook.ReasonReset // it wanted more than it may have
	case t.late:
		return webhook.ReasonTimeout
	}
	return reasonOf(ctx, err, reached)
}

// end gives the connection up.
func (t *tries) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stuck != nil {
		t.stuck.Stop()
	}
	t.use(nil)
}

// expire ends the attempt at its deadline.
func (t *tries) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late, t.stuck = true, time.AfterFunc(stuckGrace, t.cut)
	t.cancel()
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
