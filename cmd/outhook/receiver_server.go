package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// localGrace is how long requests in flight may take once a local server is to end. A connection on which nothing came yet, as
// browsers open them ahead, is in flight to net/http for 5 s.
const localGrace = 7 * time.Second

// localServer serves one handler on one listener until it is stopped.
type localServer struct {
	url    string
	server *http.Server
	// ended gets the error of a server that ended by itself, then is closed.
	ended chan error
	// hurry ends the context of requests in flight.
	hurry context.CancelFunc
}

// listenFunc is net.Listen, or what stands for it in a test.
type listenFunc func(network, address string) (net.Listener, error)

func startLocal(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) *localServer {
	base, hurry := context.WithCancel(context.WithoutCancel(ctx))
	s := &localServer{url: "http://" + l.Addr().String(), ended: make(chan error, 1), hurry: hurry}
	s.server = &http.Server{
		Handler: h, BaseContext: func(net.Listener) context.Context { return base },
		// No bound on writing: an answer may be delayed on purpose.
		ReadHeaderTimeout: readHeaderFor, ReadTimeout: readFor, IdleTimeout: idleFor, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.ended)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.ended <- err
		}
	}()
	return s
}

// stop takes no more requests, ends what a fault holds back, and waits for the rest.
func (s *localServer) stop() error {
	s.hurry()
	ctx, cancel := context.WithTimeout(context.Background(), localGrace)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests in flight: %w", err), s.server.Close())
	}
	return errors.Join(err, <-s.ended)
}
