package bench

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// delay is a network between a client and a server that are further apart. All of a round trip is on the way back: Go's timers
// make a millisecond of half a one.
type delay struct {
	listener net.Listener
	target   string
	late     time.Duration
	all      sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]bool // nil once it has ended
}

// startDelay forwards connections to target, each round trip of which takes so much longer.
func startDelay(ctx context.Context, target string, roundTrip time.Duration) (*delay, error) {
	var listening net.ListenConfig
	l, err := listening.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &delay{listener: l, target: target, late: roundTrip, conns: map[net.Conn]bool{}}
	d.all.Go(d.accept)
	return d, nil
}

func (d *delay) addr() string { return d.listener.Addr().String() }

func (d *delay) end() {
	_ = d.listener.Close()
	d.mu.Lock()
	for conn := range d.conns {
		_ = conn.Close()
	}
	d.conns = nil
	d.mu.Unlock()
	d.all.Wait()
}

func (d *delay) accept() {
	for {
		client, err := d.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", d.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !d.keep(client, server) {
			return
		}
		d.all.Go(func() { d.forward(client, server, 0) })
		d.all.Go(func() { d.forward(server, client, d.late) })
	}
}

// keep has them closed at the end; false when that was.
func (d *delay) keep(conns ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range conns {
		if d.conns == nil {
			_ = conn.Close()
			continue
		}
		d.conns[conn] = true
	}
	return d.conns != nil
}

// chunk is what was read at once, and when it is to be written.
type chunk struct {
	bytes []byte
	due   time.Time
}

// inDelay is how many chunks of a connection may be on their way.
const inDelay = 1024

func (d *delay) forward(from, to net.Conn, late time.Duration) {
	on := make(chan chunk, inDelay)
	d.all.Go(func() {
		for c := range on {
			time.Sleep(time.Until(c.due))
			_, _ = to.Write(c.bytes) // an error ends reading as well
		}
		d.close(from, to)
	})
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			on <- chunk{buffer[:n], time.Now().Add(late)}
		}
		if err != nil {
			close(on)
			return
		}
	}
}

func (d *delay) close(conns ...io.Closer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(d.conns, conn.(net.Conn))
	}
}
