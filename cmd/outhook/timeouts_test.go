package main

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections in memory, whose deadlines go by the clock of a bubble.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	quit  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), quit: make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.quit:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.quit) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipes) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

// serveInMemory runs a listener of the daemon in the bubble of the test.
func serveInMemory(t *testing.T, h http.HandlerFunc) *pipes {
	d := &daemon{log: slog.New(slog.DiscardHandler)}
	s, l := d.server("test", h), newPipes()
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
		time.Sleep(time.Second) // net/http lets a client read what it was told, with a pause that nothing ends
	})
	return l
}

// lasts is how long the server keeps a connection on which this is written, byte by byte with a pause before each.
func lasts(l *pipes, text string, pause time.Duration) time.Duration {
	conn := l.dial()
	began := time.Now()
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range len(text) {
			time.Sleep(pause)
			if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
				return
			}
		}
	})
	_, _ = io.Copy(io.Discard, conn)
	kept := time.Since(began)
	conn.Close()
	writing.Wait()
	return kept
}

func TestSlowClientsAreNotWaitedFor(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000000\r\n\r\n"
	for name, c := range map[string]struct {
		text  string
		pause time.Duration
		most  time.Duration
	}{
		"silence":                   {"", 0, readHeaderFor},
		"a header by the byte":      {"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 1000), time.Second, readHeaderFor},
		"no end of the header":      {"GET / HTTP/1.1\r\nHost: example.com\r\n", 0, readHeaderFor},
		"half a body":               {post + "{", 0, readFor},
		"a body by the byte":        {post + strings.Repeat("x", 1000), 50 * time.Millisecond, readFor},
		"silence after an answer":   {"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 0, idleFor},
		"a second header that ends": {"GET / HTTP/1.1\r\nHost: example.com\r\n\r\nGET / HTTP/1.1\r\n", 0, readHeaderFor},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := serveInMemory(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
				// Some of them are told why, and then waited for to have read it.
				if got := lasts(l, c.text, c.pause); got < c.most/2 || got > c.most+5*time.Second {
					t.Errorf("kept for %s, want %s", got, c.most)
				}
			})
		})
	}
}

func TestWhoReadsNoAnswerIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 1)
		l := serveInMemory(t, func(w http.ResponseWriter, _ *http.Request) {
			began := time.Now()
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					ended <- time.Since(began)
					return
				}
			}
		})
		conn := l.dial()
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got := <-ended; got > writeFor {
			t.Errorf("written for %s, want at most %s", got, writeFor)
		}
	})
}

func TestHeadersAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		status int
	}{
		"ordinary": {"X: " + strings.Repeat("x", 8<<10), 200},
		"one line": {"X: " + strings.Repeat("x", 64<<10), 431},
		"many":     {strings.TrimSuffix(strings.Repeat("X-Some: header\r\n", 4<<10), "\r\n"), 431},
		"the path": {"", 431},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := serveInMemory(t, func(http.ResponseWriter, *http.Request) {})
				conn := l.dial()
				defer conn.Close()
				path := "/"
				if c.header == "" {
					path += strings.Repeat("x", 64<<10)
				}
				go func() {
					_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: example.com\r\n"+c.header+"\r\n\r\n")
				}()
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || response.StatusCode != c.status {
					t.Errorf("%+v, %v, want %d", response, err, c.status)
				}
			})
		})
	}
}
