// Package embedded runs a Redis inside the process, for development and tests.
//
// It speaks enough of the protocol for everything outhook does, it is an order of magnitude slower than a real server,
// and it keeps nothing: no file, no replica, no cluster. It is not meant for production.
package embedded

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Notice is the sentence a program shows when it starts on an embedded server.
const Notice = "embedded redis: events, endpoints and deliveries live in this process's memory and are gone when it ends; not for production"

// tick is how often the clock of the keys moves. Each tick walks over all keys, so a finer one would cost more than it gives.
const tick = time.Second

// Server is one in-process Redis. Its methods may be called from any goroutine.
type Server struct {
	mini *miniredis.Miniredis
	quit chan struct{}
	once sync.Once
	done sync.WaitGroup
}

// Start runs a server on a free loopback port until Close. It errs when no port can be opened.
func Start() (*Server, error) {
	s := &Server{mini: miniredis.NewMiniRedis(), quit: make(chan struct{})}
	if err := s.mini.Start(); err != nil {
		return nil, fmt.Errorf("start embedded redis: %w", err)
	}
	s.done.Go(s.runClock)
	return s, nil
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return s.mini.Addr() }

// Close ends the server, its connections and its clock, and forgets everything it held. Calling it again does nothing.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.quit)
		s.done.Wait()
		s.mini.Close()
	})
}

// runClock lets keys expire: the engine below lets their age stand still until it is told that time has passed.
// A key may go up to one tick early, never late by more than one.
func (s *Server) runClock() {
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	last := time.Now()
	for {
		select {
		case <-s.quit:
			return
		case now := <-ticks.C:
			s.mini.FastForward(now.Sub(last))
			last = now
		}
	}
}
