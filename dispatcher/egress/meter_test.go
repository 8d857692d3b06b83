package egress_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// What connections may carry is for attempts, not for connections.
func TestManyAttemptsOnOneConnection(t *testing.T) {
	a := newAuthority(t)
	body := strings.Repeat("x", 60<<10)
	handle := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, body)
	}
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		config := &tls.Config{Certificates: []tls.Certificate{*a.cert}}
		url := serveTLS(t, config, http2, handle)
		count := newCounted()
		client := newClient(t, a.trusting().WithWatch(count.watch))
		for range 100 {
			if got := send(t, client, post(url)); got.Status != 500 {
				t.Fatalf("%s: got %+v", name, got)
			}
		}
		if read, conns := count.of(strings.TrimPrefix(url, "https://")); conns != 1 || read < 100*len(body) {
			t.Errorf("%s: %d connections for 100 attempts, %d bytes read", name, conns, read)
		}
	}
}

func TestManyAttemptsAtOnceOnOneConnection(t *testing.T) {
	a := newAuthority(t)
	body := strings.Repeat("x", 60<<10)
	url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{*a.cert}}, true, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, body)
	})
	count := newCounted()
	client := newClient(t, a.trusting().WithWatch(count.watch))
	send(t, client, post(url)) // so that all find the connection
	results := make(chan webhook.Response)
	for range 60 {
		go func() { results <- client.Send(t.Context(), post(url)) }()
	}
	for range 60 {
		if got := <-results; got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
	if _, conns := count.of(strings.TrimPrefix(url, "https://")); conns != 1 {
		t.Errorf("%d connections", conns)
	}
}

// A body takes as many writes as its size wants.
func TestLargePayloads(t *testing.T) {
	a := newAuthority(t)
	sizes := make(chan int64, 1)
	handle := func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		sizes <- n
	}
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		request := post(serveTLS(t, &tls.Config{Certificates: []tls.Certificate{*a.cert}}, http2, handle))
		request.Body = bytes.Repeat([]byte("x"), 8<<20)
		if got := send(t, newClient(t, a.trusting()), request); got.Status != 200 || <-sizes != 8<<20 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// deadlines notes how far ahead the deadlines of writes are.
type deadlines struct {
	net.Conn
	mu    *sync.Mutex
	ahead *[]time.Duration
}

func (d deadlines) SetWriteDeadline(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !at.IsZero() {
		*d.ahead = append(*d.ahead, time.Until(at))
	}
	return d.Conn.SetWriteDeadline(at)
}

// net/http may close a connection under a lock that every attempt needs, and
// crypto/tls would have its last alert wait there for five seconds.
func TestClosingWaitsForNoReceiver(t *testing.T) {
	a := newAuthority(t)
	var mu sync.Mutex
	var ahead []time.Duration
	client := newClient(t, a.trusting().WithWatch(func(conn net.Conn) net.Conn { return deadlines{conn, &mu, &ahead} }))
	server := listen(t, "127.0.0.1:0", a.secure(answers(ok), "http/1.1"))
	if got := send(t, client, post(server.https("127.0.0.1"))); got.Status != 200 {
		t.Fatalf("got %+v", got)
	}
	client.Close()
	server.Close()
	server.wg.Wait() // until the receiver has seen it
	mu.Lock()
	defer mu.Unlock()
	if len(ahead) == 0 || slices.Max(ahead) > time.Second {
		t.Errorf("writes may wait for %v", ahead)
	}
}
