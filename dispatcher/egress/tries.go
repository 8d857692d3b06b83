package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// net/http repeats a request that HTTP/2 says was not processed for as long as the context lasts, without a
// pause, and on as many connections as it takes. An attempt may cost a receiver no more than this.
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
// connections of ours and of net/http: posts are counted as the request gets a connection, and the body is not
// opened again beyond them; dials find it in their context, as net/http hands
// them nothing else of the request that they are for.
type tries struct {
	until time.Time
	body  []byte
	idle  *idle
	trace trace

	mu           sync.Mutex
	posts, dials int
	refused      bool
	// late: the deadline has passed. halted: nothing more may be begun, for whatever reason.
	late, halted bool
	stuck        *time.Timer
	using        *meter
	// alone: nobody else uses that connection.
	alone bool
	// opened is a connection of HTTP/2 that the attempt has dialled, until net/http takes it.
	opened net.Conn
	// cancel ends dials, and what net/http does; nil while neither was begun.
	cancel context.CancelFunc
}

type triesKey struct{}

func triesOf(ctx context.Context) *tries { return ctx.Value(triesKey{}).(*tries) }

// admitDial returns a context for a dial of the attempt that ctx belongs to, or errSpent.
func admitDial(ctx context.Context) (context.Context, context.CancelFunc, error) {
	t := triesOf(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.halted {
		return nil, nil, errSpent
	}
	if t.dials == maxDials || t.posts >= maxPosts {
		t.refused = true
		return nil, nil, errSpent
	}
	t.dials++
	// The context of a dial outlives its request: net/http takes its deadline out.
	ctx, cancel := context.WithDeadline(ctx, t.until.Add(dialGrace))
	return httptrace.WithClientTrace(ctx, t.trace.dialHooks()), cancel, nil
}

// within returns the context of what is begun for the attempt: dials, and what net/http does.
func (t *tries) within(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(ctx, triesKey{}, t))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel = cancel; t.halted {
		cancel()
	}
	return ctx
}

// hooks are for attempts by way of net/http; a dial has more.
func (t *tries) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:              t.get,
		GotConn:              t.got,
		GotFirstResponseByte: t.trace.firstByte,
	}
}

// get is called as net/http begins to look for a connection, for a second time when it found a stale one.
func (t *tries) get(string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.opened == nil { // else what was seen of its dial counts
		t.trace.begin()
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
	t.use(meterOf(info.Conn), false)
	t.trace.gotConn(info.Reused)
}

// take is got for a connection of HTTP/1.1. It refuses when the attempt may send no more.
func (t *tries) take(c *http1) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.halted || t.posts == maxPosts {
		t.refused = t.refused || !t.halted
		return false
	}
	t.posts++
	t.use(c.meter, true)
	t.trace.gotConn(c.reused)
	return true
}

// release is called when the attempt needs its connection of HTTP/1.1 no longer. It tells whether the
// connection was left as it is.
func (t *tries) release() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.use(nil, false)
	return !t.halted
}

// bring keeps a connection of HTTP/2 that the attempt has dialled, for net/http.
func (t *tries) bring(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened = conn
}

// takeOpened returns it, once.
func (t *tries) takeOpened() net.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	conn := t.opened
	t.opened = nil
	return conn
}

// mayRepeat tells whether a connection that had been idle was found to be dead: not one byte of an answer came.
func (t *tries) mayRepeat() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.halted && !t.trace.progress().answered
}

// use changes the connection that the attempt reads from; alone: nobody else does. t.mu is held.
func (t *tries) use(m *meter, alone bool) {
	if t.using != nil {
		t.using.end(len(t.body))
	}
	if t.using, t.alone = m, alone; m != nil {
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

// end gives up what the attempt has.
func (t *tries) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stuck != nil {
		t.stuck.Stop()
	}
	t.stop()
	if t.opened != nil { // net/http had another
		_ = meterOf(t.opened).Close()
		t.opened = nil
	}
	t.use(nil, false)
}

// expire ends the attempt at its deadline.
func (t *tries) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late, t.stuck = true, time.AfterFunc(stuckGrace, t.cut)
	t.stop()
}

// halt ends the attempt; an answer whose header has come stands.
func (t *tries) halt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
}

// stop is halt with t.mu held.
func (t *tries) stop() {
	t.halted = true
	if t.cancel != nil {
		t.cancel()
	}
	if t.alone {
		_ = t.using.Close()
	}
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
