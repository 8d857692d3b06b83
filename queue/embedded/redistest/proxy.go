package redistest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a network before a server that can misbehave. Safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	all      sync.WaitGroup

	mu    sync.Mutex
	mode  mode
	delay time.Duration
	// turned is closed, and made anew, whenever the mode changes.
	turned chan struct{}
	conns  map[net.Conn]bool
}

type mode int

const (
	normal mode = iota
	closing
	resetting
	black
	ended
)

// proxyBuffer is how many chunks may be on their way in one direction of a connection.
const proxyBuffer = 1024

// StartProxy forwards connections to target, a host and port, until the test ends.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	p := &Proxy{target: target, listener: l, turned: make(chan struct{}), conns: map[net.Conn]bool{}}
	p.all.Go(p.accept)
	t.Cleanup(func() {
		p.turn(ended, 0)
		l.Close()
		p.all.Wait()
	})
	return p
}

// Addr is the proxy's host and port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Delay lets everything through, what the server sends later by d.
func (p *Proxy) Delay(d time.Duration) { p.turn(normal, d) }

// Cut closes all connections, and each new one at once.
func (p *Proxy) Cut() { p.turn(closing, 0) }

// Reset is Cut with a RST instead of a FIN.
func (p *Proxy) Reset() { p.turn(resetting, 0) }

// Blackhole leaves connections open, accepts new ones, and forwards nothing. What was sent meanwhile arrives after Resume, as
// TCP sends it again, and also when its sender has given up since.
func (p *Proxy) Blackhole() { p.turn(black, 0) }

// Resume is back to normal, without a delay.
func (p *Proxy) Resume() { p.turn(normal, 0) }

func (p *Proxy) turn(to mode, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.delay = to, delay
	close(p.turned)
	p.turned = make(chan struct{})
	if to == normal || to == black {
		return
	}
	for conn := range p.conns {
		p.drop(conn)
	}
}

// drop ends a connection as the mode says. p.mu is held.
func (p *Proxy) drop(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok && p.mode == resetting {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
	delete(p.conns, conn)
}

// now answers the mode, and what is closed when it changes.
func (p *Proxy) now() (mode, time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.delay, p.turned
}

// hold takes a connection into care, unless the mode ends it right away.
func (p *Proxy) hold(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode != normal && p.mode != black {
		p.drop(conn)
		return false
	}
	p.conns[conn] = true
	return true
}

func (p *Proxy) release(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	conn.Close()
	delete(p.conns, conn)
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.hold(conn) {
			p.all.Go(func() { p.serve(conn) })
		}
	}
}

// serve joins a client to the server, once anything may pass.
func (p *Proxy) serve(client net.Conn) {
	defer p.release(client)
	if !p.pass() {
		return
	}
	server, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil || !p.hold(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pump(server, client, false) })
	both.Go(func() { p.pump(client, server, true) })
	both.Wait()
}

// pass waits out a black hole; false means that the connections are to end.
func (p *Proxy) pass() bool {
	for {
		now, _, turned := p.now()
		switch now {
		case normal:
			return true
		case black:
			<-turned
		default:
			return false
		}
	}
}

type chunk struct {
	bytes []byte
	due   time.Time
}

// pump copies one direction until either side ends, and ends both. Reading and writing are apart, so that a delay does not
// slow the stream down.
func (p *Proxy) pump(to, from net.Conn, delayed bool) {
	chunks := make(chan chunk, proxyBuffer)
	var writing sync.WaitGroup
	writing.Go(func() { p.write(to, from, chunks) })
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			_, delay, _ := p.now()
			due := time.Time{}
			if delayed && delay > 0 {
				due = time.Now().Add(delay)
			}
			chunks <- chunk{buffer[:n], due}
		}
		if err != nil {
			break
		}
	}
	close(chunks)
	writing.Wait()
	p.release(from)
	p.release(to)
}

// write takes all chunks, also those that can no longer be written.
func (p *Proxy) write(to, from net.Conn, chunks <-chan chunk) {
	broken := false
	for c := range chunks {
		if broken {
			continue
		}
		time.Sleep(time.Until(c.due))
		if !p.pass() {
			broken = true
		} else if _, err := to.Write(c.bytes); err != nil {
			broken = true
		}
		if broken {
			p.release(from) // the reader ends too
		}
	}
}
