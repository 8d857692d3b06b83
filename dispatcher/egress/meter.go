package egress

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// What a connection may carry. HTTP/2 and TLS have many ways to say nothing at
// length (pings, settings, frames of unknown types, empty records), and to have
// each answered; net/http bounds some, these bound all. Bytes are those on the wire.
const (
	// openingRead is for what comes before the first request: TLS, settings. Long
	// chains of certificates take a fifth of it.
	openingRead = 64 << 10
	// attemptRead is for the answer to a request: header, body, and as much as
	// one of them again for what carries them.
	attemptRead = maxHeader + maxBody + 64<<10
	// idleRead is for what comes after attempts: bodies that were on their way when
	// nobody wanted more of them, which of all together is a connection's window,
	// and what carries them; headers of answers that came too late.
	idleRead = maxWindow + 64<<10
	// attemptWrites are for a request's header, and for what HTTP/2 acknowledges;
	// its body may take one for each so many bytes, as TLS cuts it.
	attemptWrites, bytesPerWrite = 256, 1 << 10
	// idleWrites are for a reset of each of many attempts that end at once, and for
	// the acknowledgement of what was on its way to them: net/http does it when
	// there are 4 KiB.
	idleWrites = 256 + maxWindow/(4<<10)
)

var errFlood = errors.New("the receiver sends too much")

// meter is a connection that carries no more than those who use it may need.
type meter struct {
	net.Conn
	mu            sync.Mutex
	reads, writes int // left
	begun         bool
	users         int
	// granted is how many writes those who use it were given.
	granted int
}

func newMeter(conn net.Conn) *meter {
	return &meter{Conn: conn, reads: openingRead, writes: attemptWrites}
}

// meterOf returns the meter below a connection of net/http; nil when there is none.
func meterOf(conn net.Conn) *meter {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	m, _ := conn.(*meter)
	return m
}

// Read fails for good once everything is read that may be.
func (m *meter) Read(p []byte) (int, error) {
	m.mu.Lock()
	left := m.reads
	m.mu.Unlock()
	if left <= 0 {
		return 0, errFlood
	}
	n, err := m.Conn.Read(p[:min(len(p), left)])
	m.mu.Lock()
	m.reads -= n
	m.mu.Unlock()
	return n, err
}

// Write fails once there were too many.
func (m *meter) Write(p []byte) (int, error) {
	m.mu.Lock()
	m.writes--
	left := m.writes
	m.mu.Unlock()
	if left < 0 {
		return 0, errFlood
	}
	return m.Conn.Write(p)
}

// begin is called before a request is written; on HTTP/2 there may be many at once.
func (m *meter) begin(body int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.begun { // what the opening left is for no answer
		m.begun, m.reads, m.writes = true, 0, 0
	}
	m.users++
	m.granted += writesFor(body)
	m.reads += attemptRead
	m.writes += writesFor(body)
}

// end is called once for each begin, with the same. Little is saved up: what those
// who are left were given, and what may be under way of those who are gone.
func (m *meter) end(body int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users--
	m.granted -= writesFor(body)
	m.reads = min(m.reads, attemptRead*m.users+idleRead)
	m.writes = min(m.writes, m.granted+idleWrites)
}

func writesFor(body int) int { return attemptWrites + body/bytesPerWrite }

// crypto/tls gives the alert with which it closes this long to be written, and
// net/http may wait for it under a lock that all attempts need: too long for a
// receiver that reads nothing. No other deadline of ours is as short.
const tlsLastWord, lastWord = 5 * time.Second, 100 * time.Millisecond

// SetWriteDeadline shortens that time.
func (m *meter) SetWriteDeadline(t time.Time) error {
	if left := time.Until(t); left > lastWord && left <= tlsLastWord {
		t = t.Add(lastWord - left)
	}
	return m.Conn.SetWriteDeadline(t)
}
