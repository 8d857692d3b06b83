package egress

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const (
	// atOnce is how long a request may be, in bytes, to be written before its answer is read: the buffers of an idle
	// connection take it, whether the receiver reads or not. A longer one is written while its answer is waited for,
	// as a receiver may answer without having read it.
	atOnce = 16 << 10
	// keptRequest bounds the buffer that a connection keeps for its next request, in bytes.
	keptRequest = 4 << 10
	// sentGrace is how long an answered request may take to have been written.
	sentGrace = 20 * time.Millisecond
)

var errLongHeader = errors.New("the header of the answer is too long")

// http1 is a connection that speaks HTTP/1.1 (RFC 9112), for one exchange at a time, by whoever has taken it.
// net/http would have two goroutines for each, and hand every request to one and its answer back from the other, which
// took as much as all else that it did. Answers are parsed by net/http.
type http1 struct {
	net.Conn // with TLS or without, over meter
	meter    *meter
	raw      syscall.RawConn // nil when the operating system is not asked
	key      string          // of the destination
	reader   *bufio.Reader
	// room is how much may still be read, in bytes.
	room    int
	request []byte
	// sent gets what came of writing a request that was not written at once; nil for others.
	sent chan error
	// reused: it was idle, since then.
	reused bool
	since  time.Time
}

func newHTTP1(conn net.Conn, key string) *http1 {
	c := &http1{Conn: conn, meter: meterOf(conn), key: key}
	if system, ok := c.meter.Conn.(syscall.Conn); ok {
		c.raw, _ = system.SyscallConn()
	}
	c.reader = bufio.NewReader(inRoom{c})
	return c
}

// inRoom reads from a connection no more than there is room for.
type inRoom struct{ *http1 }

func (c inRoom) Read(p []byte) (int, error) {
	if c.room == 0 {
		return 0, errLongHeader
	}
	n, err := c.Conn.Read(p[:min(len(p), c.room)])
	c.room -= n
	return n, err
}

// exchange sends the request and returns its answer, when its header has come. The connection
// is given back once the answer's body is closed. After an error it is closed.
func (c *http1) exchange(to destination, header http.Header, t *tries) (*http.Response, error) {
	if !t.take(c) {
		_ = c.Close()
		return nil, errSpent
	}
	answer, err := c.ask(to, header, t)
	if err != nil {
		_ = c.meter.Close() // without a last word
		return nil, err
	}
	body := &http1Body{Reader: answer.Body, conn: c, tries: t, last: answer.Close || answer.StatusCode == http.StatusSwitchingProtocols}
	if answer.Body != http.NoBody {
		answer.Body = body
		return answer, nil
	}
	body.whole = true
	_ = body.Close()
	return answer, nil
}

// usable tells, of an idle connection, whether its receiver may take another request on it.
func (c *http1) usable() bool { return time.Since(c.since) < idleTimeout && c.silent() }

// exhausted tells whether nothing has come after the answer: not what was read together with it, and not what TLS has
// taken from the system.
func (c *http1) exhausted() bool {
	if c.reader.Buffered() > 0 {
		return false
	}
	if c.Conn == net.Conn(c.meter) {
		return true
	}
	if c.SetReadDeadline(time.Unix(1, 0)) != nil { // so that the system is not asked
		return false
	}
	n, err := c.Conn.Read(make([]byte, 1))
	return n == 0 && isTimeout(err) && c.SetReadDeadline(time.Time{}) == nil
}

func (c *http1) ask(to destination, header http.Header, t *tries) (*http.Response, error) {
	if err := c.write(to, header, t.body); err != nil {
		return nil, err
	}
	c.room = maxHeader
	if _, err := c.reader.Peek(1); err != nil {
		return nil, err
	}
	t.trace.firstByte()
	for {
		answer, err := http.ReadResponse(c.reader, nil)
		if err != nil {
			return nil, err
		}
		// Informational answers come before the one that counts (RFC 9110, section 15.2), and share its room.
		if answer.StatusCode/100 != 1 || answer.StatusCode == http.StatusSwitchingProtocols {
			c.room = math.MaxInt // who reads the body bounds it
			return answer, nil
		}
	}
}

// write writes the request; its names and values were found to be valid.
func (c *http1) write(to destination, header http.Header, body []byte) error {
	head := append(c.request[:0], to.start...)
	head = append(head, "Content-Length: "...)
	head = strconv.AppendInt(head, int64(len(body)), 10)
	names := make([]string, 0, 32)
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		head = append(head, "\r\n"...)
		head = append(head, name...)
		head = append(head, ": "...)
		head = append(head, header[name][0]...)
	}
	head = append(head, "\r\n\r\n"...)
	if c.sent = nil; len(head)+len(body) <= atOnce {
		head = append(head, body...)
		if c.request = nil; cap(head) <= keptRequest {
			c.request = head
		}
		_, err := c.Write(head)
		return err
	}
	c.request, c.sent = nil, make(chan error, 1)
	go func(sent chan<- error) {
		_, err := c.Write(head)
		if err == nil {
			_, err = c.Write(body)
		}
		sent <- err
	}(c.sent)
	return nil
}

// wholly tells whether the request was written to its end. Who answers has mostly read it, and its writer has to say so yet.
func (c *http1) wholly() bool {
	if c.sent == nil {
		return true
	}
	select {
	case err := <-c.sent:
		return err == nil
	case <-time.After(sentGrace):
		return false
	}
}

// http1Body is the body of an answer.
type http1Body struct {
	io.Reader
	conn  *http1
	tries *tries
	// whole: its end was read. last: no other answer comes after it.
	whole, last bool
}

func (b *http1Body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.whole = b.whole || err == io.EOF
	return n, err
}

// Close gives the connection back, or closes it when it is of no more use.
func (b *http1Body) Close() error {
	switch untouched := b.tries.release(); {
	case !untouched || !b.whole || !b.conn.wholly():
		_ = b.conn.meter.Close() // without a last word, which may have to wait
	case b.last || !b.conn.exhausted():
		_ = b.conn.Close()
	default:
		b.tries.idle.put(b.conn)
	}
	return nil // the answer stands
}
