package main

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
)

// crowd keeps a server's connections to a number. When one more comes, the one goes that has been nobody's for longest: idle
// between two requests, silent, still at the header of one, or with an answer that is for everybody. So who holds many open,
// sends headers by the byte or does not read what needs no key, shuts nobody out. Only a request that was admitted keeps its
// connection until it is answered. When all have one, the connection that comes goes.
type crowd struct {
	most int
	log  *slog.Logger

	mu sync.Mutex
	// open has each connection's place among those that may go; nil while an admitted request is answered.
	open    map[net.Conn]*list.Element
	waiting list.List // of net.Conn, the longest first
	warned  minutely
}

// bind makes the server's connections a crowd.
func (c *crowd) bind(s *http.Server) {
	c.open = map[net.Conn]*list.Element{}
	inner := s.Handler
	s.ConnState = c.watch
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, seatKey{}, seat{c, conn})
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := r.Context().Value(seatKey{}).(seat); ok {
			defer c.wait(s.conn) // what is left of a request that was answered is nobody's hurry
		}
		inner.ServeHTTP(w, r)
		runtime.Gosched() // the next request of the connection may be here already: others are first
	})
}

// seat is a connection of a crowd.
type seat struct {
	crowd *crowd
	conn  net.Conn
}

type seatKey struct{}

// admitted keeps the connection of a request until it is answered. It is for requests of which it is known who asks.
func admitted(r *http.Request) {
	if s, ok := r.Context().Value(seatKey{}).(seat); ok {
		s.crowd.keep(s.conn)
	}
}

func (c *crowd) watch(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.arrive(conn)
	case http.StateIdle:
		c.wait(conn)
	case http.StateHijacked, http.StateClosed:
		c.leave(conn)
	}
}

func (c *crowd) arrive(conn net.Conn) {
	goes := c.makeRoom(conn)
	if goes != nil {
		_ = goes.Close() // its goroutine ends by itself
	}
}

// makeRoom takes the connection in, and answers who has to go for it, which may be itself.
func (c *crowd) makeRoom(conn net.Conn) (goes net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= c.most {
		c.warn()
		longest := c.waiting.Front()
		if longest == nil {
			return conn
		}
		goes = c.waiting.Remove(longest).(net.Conn)
		delete(c.open, goes)
	}
	c.open[conn] = c.waiting.PushBack(conn)
	return goes
}

func (c *crowd) warn() {
	if c.warned.due() {
		c.log.Warn("connections are closed for new ones; said once a minute", "most", c.most)
	}
}

// keep takes a connection from those that may go.
func (c *crowd) keep(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place := c.open[conn]; place != nil {
		c.waiting.Remove(place)
		c.open[conn] = nil
	}
}

// wait puts a connection behind all that may go.
func (c *crowd) wait(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch place, here := c.open[conn]; {
	case !here:
	case place == nil:
		c.open[conn] = c.waiting.PushBack(conn)
	default:
		c.waiting.MoveToBack(place)
	}
}

func (c *crowd) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place := c.open[conn]; place != nil {
		c.waiting.Remove(place)
	}
	delete(c.open, conn)
}
