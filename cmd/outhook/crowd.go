package main

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// mostConnections bounds those of one listener. One that waits costs some 10 KiB and a file descriptor.
const mostConnections = 4096

// crowd keeps a server's connections to a number. When one more comes, the one that has waited longest for its client goes:
// idle between two requests, silent, or still at the header of one. So who holds many open, or sends headers by the byte, shuts
// nobody out. When all have a request that is being answered, the one that comes goes.
type crowd struct {
	most int
	log  *slog.Logger

	mu sync.Mutex
	// open has each connection's place among those that wait; nil while its request is answered.
	open    map[net.Conn]*list.Element
	waiting list.List // of net.Conn, the longest first
	warned  time.Time
}

// bind makes the server's connections a crowd.
func (c *crowd) bind(s *http.Server) {
	c.open = map[net.Conn]*list.Element{}
	inner := s.Handler
	s.ConnState = c.watch
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			c.serve(conn)
			defer c.wait(conn) // what is left of a request that was answered is nobody's hurry
		}
		inner.ServeHTTP(w, r)
	})
}

type connKey struct{}

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
	if now := time.Now(); now.Sub(c.warned) >= time.Minute {
		c.warned = now
		c.log.Warn("connections are closed for new ones; said once a minute", "most", c.most)
	}
}

// serve takes a connection from those that wait.
func (c *crowd) serve(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place := c.open[conn]; place != nil {
		c.waiting.Remove(place)
		c.open[conn] = nil
	}
}

func (c *crowd) wait(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place, here := c.open[conn]; here && place == nil {
		c.open[conn] = c.waiting.PushBack(conn)
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
