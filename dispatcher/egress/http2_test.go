package egress_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"go.smobi.com/outhook/dispatcher/egress"
)

// peer is the receiver's end of an HTTP/2 connection, its frames written by hand.
type peer struct {
	net.Conn
	*http2.Framer
	// out gathers frames until flush: a flood of single writes would be no flood.
	out bytes.Buffer
}

// authority is what the receivers of a test show, and what its client trusts.
type authority struct{ ca, cert, long *tls.Certificate }

func newAuthority(t *testing.T) authority {
	ca := issue(t, nil, asCA)
	return authority{ca, issue(t, ca, unchanged), issue(t, ca, withLongName)}
}

// withLongName makes a certificate of over a kilobyte.
func withLongName(c *x509.Certificate) {
	c.Subject.OrganizationalUnit = []string{strings.Repeat("x", 900)}
}

// trusting reaches receivers on loopback, and takes the authority for a real one.
func (a authority) trusting() egress.Config {
	cfg := loopback()
	cfg.CABundle = pemOf(a.ca.Leaf)
	return cfg
}

func (a authority) config(protocols ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{*a.cert}, NextProtos: protocols}
}

// secure does the handshake and hands the connection over.
func (a authority) secure(handle func(net.Conn), protocols ...string) func(net.Conn) {
	config := a.config(protocols...)
	return func(conn net.Conn) {
		secured := tls.Server(conn, config)
		if err := secured.Handshake(); err == nil {
			handle(secured)
		}
	}
}

// http2 begins as a server does: the client's preface, and settings of its own.
func (a authority) http2(handle func(*peer), settings ...http2.Setting) func(net.Conn) {
	return a.secure(func(conn net.Conn) {
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(conn, preface); err != nil {
			return
		}
		p := &peer{Conn: conn}
		p.Framer = http2.NewFramer(&p.out, conn)
		p.AllowIllegalWrites = true
		if p.WriteSettings(settings...) == nil && p.flush() == nil {
			handle(p)
		}
	}, "h2")
}

func (p *peer) flush() error {
	_, err := p.Write(p.out.Bytes())
	p.out.Reset()
	return err
}

// take reads up to the end of a request and returns its stream, its header and its body.
func (p *peer) take() (stream uint32, head []hpack.HeaderField, body []byte, err error) {
	decoder := hpack.NewDecoder(4096, func(f hpack.HeaderField) { head = append(head, f) })
	for {
		frame, err := p.ReadFrame()
		if err != nil {
			return 0, nil, nil, err
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			_, _ = decoder.Write(frame.HeaderBlockFragment())
			stream = frame.StreamID
		case *http2.ContinuationFrame:
			_, _ = decoder.Write(frame.HeaderBlockFragment())
		case *http2.DataFrame:
			body = append(body, frame.Data()...)
		}
		if flags := frame.Header(); flags.Type != http2.FrameSettings && flags.StreamID != 0 && flags.Flags.Has(http2.FlagDataEndStream) {
			return stream, head, body, nil
		}
	}
}

// drain reads and forgets, until the client closes; it answers nothing.
func (p *peer) drain() { _, _ = io.Copy(io.Discard, p.Conn) }

// block encodes a header.
func block(fields ...string) []byte {
	var out bytes.Buffer
	encoder := hpack.NewEncoder(&out)
	for pair := range slices.Chunk(fields, 2) {
		_ = encoder.WriteField(hpack.HeaderField{Name: pair[0], Value: pair[1]})
	}
	return out.Bytes()
}

// answer writes a whole answer.
func (p *peer) answer(stream uint32, status string, body string) error {
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(":status", status), EndHeaders: true})
	_ = p.WriteData(stream, true, []byte(body))
	return p.flush()
}

// counted notes what a client reads from each receiver, on how many connections,
// and how many of them are open.
type counted struct {
	mu                sync.Mutex
	closed            *sync.Cond
	read, conns, open map[string]int
}

func newCounted() *counted {
	c := &counted{read: make(map[string]int), conns: make(map[string]int), open: make(map[string]int)}
	c.closed = sync.NewCond(&c.mu)
	return c
}

func (c *counted) watch(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := conn.RemoteAddr().String()
	c.conns[to]++
	c.open[to]++
	return &countedConn{Conn: conn, in: c, to: to}
}

// awaitClosed waits until the client has no connection to a receiver.
func (c *counted) awaitClosed(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open[address] > 0 {
		c.closed.Wait()
	}
}

func (c *counted) of(address string) (read, conns int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read[address], c.conns[address]
}

// openTo answers how many connections to a receiver the client has.
func (c *counted) openTo(address string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[address]
}

type countedConn struct {
	net.Conn
	in   *counted
	to   string
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() {
		c.in.mu.Lock()
		defer c.in.mu.Unlock()
		c.in.open[c.to]--
		c.in.closed.Broadcast()
	})
	return c.Conn.Close()
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.read[c.to] += n
	return n, err
}

var errStop = errors.New("stop")

// What a receiver is told is what it is held to: net/http's own limits are many times these.
func TestHTTP2Limits(t *testing.T) {
	a := newAuthority(t)
	told := make(chan map[http2.SettingID]uint32, 1)
	server := listen(t, "127.0.0.1:0", a.http2(func(p *peer) {
		settings := make(map[http2.SettingID]uint32)
		if frame, err := p.ReadFrame(); err == nil {
			_ = frame.(*http2.SettingsFrame).ForeachSetting(func(s http2.Setting) error {
				settings[s.ID] = s.Val
				return nil
			})
		}
		told <- settings
	}))
	send(t, newClient(t, a.trusting()), post(server.https("127.0.0.1")))
	got := <-told
	// Which Go it was decides whether the list's limit has 32 bytes for each of ten fields on top (RFC 9113, section 6.5.2).
	if value := got[http2.SettingMaxHeaderListSize]; value != 64<<10 && value != 64<<10+10*32 {
		t.Errorf("%s is %d, want %d", http2.SettingMaxHeaderListSize, value, 64<<10)
	}
	for id, want := range map[http2.SettingID]uint32{
		http2.SettingInitialWindowSize: 64 << 10, http2.SettingMaxFrameSize: 16 << 10, http2.SettingEnablePush: 0,
	} {
		if value, known := got[id]; !known || value != want {
			t.Errorf("%s is %d, want %d", id, value, want)
		}
	}
}
