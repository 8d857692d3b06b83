package egress_test

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const unasked = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// What a receiver says without having been asked is nobody's answer, and takes no post from an attempt.
func TestUnaskedAnswersAreNotTaken(t *testing.T) {
	for name, texts := range map[string][]string{
		"with the answer before": {ok + unasked},
		"while nothing is asked": {ok, unasked},
	} {
		t.Run(name, func(t *testing.T) {
			var connections atomic.Int64
			said := make(chan struct{}, 4)
			server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
				takeRequest(conn)
				say := texts
				if connections.Add(1) > 1 {
					say = []string{ok}
				}
				for _, text := range say {
					_, _ = io.WriteString(conn, text)
					said <- struct{}{}
				}
				_, _ = io.Copy(io.Discard, conn)
			})
			client := newClient(t, loopback())
			if got := send(t, client, post(server.url("127.0.0.1"))); got.Status != 200 {
				t.Fatalf("first: %+v", got)
			}
			for range texts {
				<-said
			}
			if got := send(t, client, post(server.url("127.0.0.1"))); got.Status != 200 || got.Phases.Connect == 0 {
				t.Errorf("second: %+v, want 200 on a new connection", got)
			}
		})
	}
}

// held is a connection that collects what is written, for the other side to get at once.
type held struct {
	net.Conn
	hold bool
	data []byte
}

func (h *held) Write(p []byte) (int, error) {
	if h.data = append(h.data, p...); h.hold {
		return len(p), nil
	}
	_, err := h.Conn.Write(h.data)
	h.data = nil
	return len(p), err
}

// SetWriteDeadline does nothing: the last word of TLS sets one that has passed, for what would be written after it.
func (h *held) SetWriteDeadline(time.Time) error { return nil }

// What comes after an answer may have been taken from the system together with it, by TLS.
func TestUnaskedAnswersBehindTLS(t *testing.T) {
	a := newAuthority(t)
	long := "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n" + strings.Repeat("x", 8000)
	for name, say := range map[string]func(secured net.Conn){
		"in a record of its own": func(secured net.Conn) {
			_, _ = io.WriteString(secured, ok)
			_, _ = io.WriteString(secured, unasked)
		},
		"in the same record": func(secured net.Conn) { _, _ = io.WriteString(secured, long+unasked) },
		"the end of TLS": func(secured net.Conn) {
			_, _ = io.WriteString(secured, ok)
			_ = secured.(*tls.Conn).CloseWrite()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var posts, connections atomic.Int64
			server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
				raw := &held{Conn: conn}
				secured := tls.Server(raw, a.config("http/1.1"))
				takeRequest(secured)
				posts.Add(1)
				if connections.Add(1) == 1 {
					raw.hold = true
					say(secured)
					raw.hold = false
					_, _ = raw.Write(nil)
				} else {
					_, _ = io.WriteString(secured, ok)
				}
				if head, _ := takeRequest(secured); head != "" {
					posts.Add(1)
				}
			})
			client := newClient(t, a.trusting())
			for i := range 2 {
				if got := send(t, client, post(server.https("127.0.0.1"))); got.Status != 200 || got.Phases.Connect == 0 {
					t.Errorf("attempt %d: %+v, want 200 on a new connection", i+1, got)
				}
			}
			if n := posts.Load(); n != 2 {
				t.Errorf("%d posts, want 2", n)
			}
		})
	}
}

// A receiver may be several servers, of which not all speak the same.
func TestAReceiverMayChangeItsProtocol(t *testing.T) {
	a := newAuthority(t)
	speak := map[string]func(net.Conn){
		"HTTP/1.1": a.secure(once(ok), "http/1.1"),
		"HTTP/2": a.http2(func(p *peer) {
			if stream, _, _, err := p.take(); err == nil {
				_ = p.answer(stream, "200", "ok")
				_ = p.WriteGoAway(stream, http2.ErrCodeNo, nil)
				_ = p.flush()
			}
		}),
	}
	order := []string{"HTTP/2", "HTTP/1.1", "HTTP/1.1", "HTTP/2", "HTTP/2", "HTTP/1.1", "HTTP/2"}
	var connections atomic.Int64
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) { speak[order[int(connections.Add(1)-1)%len(order)]](conn) })
	client := newClient(t, a.trusting())
	for i := range 2 * len(order) {
		if got := send(t, client, post(server.https("127.0.0.1"))); got.Status != 200 {
			t.Errorf("attempt %d, after %d connections: %+v", i+1, connections.Load(), got)
		}
	}
}

// Attempts that begin at once dial one each, and net/http may have use for fewer.
func TestConnectionsOfHTTP2ThatAreNotUsedAreClosed(t *testing.T) {
	a := newAuthority(t)
	url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{*a.cert}}, true, func(http.ResponseWriter, *http.Request) {})
	count := newCounted()
	client := newClient(t, a.trusting().WithWatch(count.watch))
	const attempts = 50
	results := make(chan webhook.Response)
	for range attempts {
		go func() { results <- client.Send(t.Context(), post(url)) }()
	}
	for range attempts {
		if got := <-results; got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
	// A dial of net/http may end after its attempt, and is kept for the next.
	eventually(t, "no connection is left", func() bool {
		client.Close()
		return count.openTo(strings.TrimPrefix(url, "https://")) == 0
	})
}

// Close is for what is idle later, too.
func TestNothingIsKeptAfterClose(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		takeRequest(conn)
		close(arrived)
		<-answer
		_, _ = io.WriteString(conn, ok)
		_, _ = io.Copy(io.Discard, conn)
	})
	client := newClient(t, loopback())
	done := make(chan webhook.Response)
	go func() { done <- client.Send(t.Context(), post(server.url("127.0.0.1"))) }()
	<-arrived
	client.Close()
	close(answer)
	if got := <-done; got.Status != 200 || client.Idle() != 0 {
		t.Errorf("%+v, %d connections are kept", got, client.Idle())
	}
}

// A connection that its receiver has closed is not kept until it would have been used.
func TestClosedIdleConnectionsAreGivenUp(t *testing.T) {
	t.Parallel()
	server := listen(t, "127.0.0.1:0", once(ok))
	client := newClient(t, loopback())
	if got := send(t, client, post(server.url("127.0.0.1"))); got.Status != 200 || client.Idle() != 1 {
		t.Fatalf("%+v, %d idle", got, client.Idle())
	}
	eventually(t, "it is not kept", func() bool { return client.Idle() == 0 })
}

// A receiver may answer without having read: its answer counts, its connection is of no more use.
func TestAnswerBeforeTheBodyWasRead(t *testing.T) {
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		shrink(conn)
		_, _ = conn.Read(make([]byte, 1))
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
		<-t.Context().Done()
	})
	count := newCounted()
	client := newClient(t, loopback().WithWatch(count.watch))
	request := post(server.url("127.0.0.1"))
	request.Body = make([]byte, 32<<20)
	if got := send(t, client, request); got.Status != 413 {
		t.Errorf("%+v, want 413", got)
	}
	count.awaitClosed(server.Addr().String())
	if n := client.Idle(); n != 0 {
		t.Errorf("%d connections are kept", n)
	}
}

// A connection serves requests of all sizes, one after the other.
func TestConnectionsAreReusedAfterLargePayloads(t *testing.T) {
	server := listen(t, "127.0.0.1:0", answers(ok))
	client := newClient(t, loopback())
	for _, size := range []int{1 << 20, 100, 1 << 20, 16 << 10, 0, 1 << 20} {
		request := post(server.url("127.0.0.1"))
		request.Body = make([]byte, size)
		if got := send(t, client, request); got.Status != 200 {
			t.Errorf("%d bytes: %+v", size, got)
		}
	}
	for range 100 { // who answers has read it, although its writer may have to say so yet
		request := post(server.url("127.0.0.1"))
		request.Body = make([]byte, 64<<10)
		if got := send(t, client, request); got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
	if n := server.count(t); n > 3 {
		t.Errorf("%d connections", n)
	}
}

// No request goes where none is read, or where the rest of an answer is still to come.
func TestConnectionsThatAreNotReused(t *testing.T) {
	for name, answer := range map[string]string{
		"it is to be closed":                      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"it is to be closed, with a body":         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0":                                "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"it speaks something else now":            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"a body longer than what is read":         "HTTP/1.1 500 No\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000),
		"a body whose rest is to come":            "HTTP/1.1 500 No\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("x", 64<<10),
		"a chunked body longer than what is read": "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("a\r\n0123456789\r\n", 20000) + "0\r\n\r\n",
	} {
		server := listen(t, "127.0.0.1:0", answers(answer))
		client := newClient(t, loopback())
		for i := range 2 {
			if got := send(t, client, post(server.url("127.0.0.1"))); got.Reason != webhook.ReasonOK || got.Phases.Connect == 0 {
				t.Errorf("%s: attempt %d: %+v", name, i+1, got)
			}
		}
	}
}

// A repetition is for connections that were dead; a receiver that began to answer has had the request.
func TestAnswersThatBreakOffAreNotAskedForAgain(t *testing.T) {
	var posts atomic.Int64
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		for _, text := range []string{ok, "HTTP/1.1 200 O"} {
			if raw, _ := takeRequest(conn); raw != "" {
				posts.Add(1)
			}
			_, _ = io.WriteString(conn, text)
		}
	})
	client := newClient(t, loopback())
	for _, want := range []webhook.Reason{webhook.ReasonOK, webhook.ReasonReset} {
		if got := send(t, client, post(server.url("127.0.0.1"))); got.Reason != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	if n := posts.Load(); n != 2 {
		t.Errorf("%d posts, want 2", n)
	}
}

// An attempt that meets its deadline just as its answer comes ends no other attempt's connection.
func TestDeadlinesEndOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	const delay = time.Millisecond
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		for {
			if raw, _ := takeRequest(conn); raw == "" {
				return
			}
			time.Sleep(delay) // the receiver's work
			if _, err := io.WriteString(conn, ok); err != nil {
				return
			}
		}
	})
	client := newClient(t, loopback())
	url := server.url("127.0.0.1")
	over := make(chan struct{})
	defer close(over)
	for range 8 {
		go func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				request := post(url)
				request.Timeout = delay + time.Duration(rand.Int64N(int64(delay)))
				client.Send(t.Context(), request)
			}
		}()
	}
	for range 200 {
		if got := send(t, client, post(url)); got.Status != 200 || got.Reason != webhook.ReasonOK {
			t.Fatalf("%+v, want 200", got)
		}
	}
}

// The same at the very moment between the two.
func TestDeadlinesLeaveWhatWasGivenBack(t *testing.T) {
	if before, after := egress.EndsByDeadline(); !before || after {
		t.Errorf("a deadline ended the connection in use: %v, and the one given back: %v", before, after)
	}
}

// Whatever becomes of its connections, an attempt is two posts at most.
func TestAThirdPostIsRefused(t *testing.T) {
	if n := egress.Posts(); n != 2 {
		t.Errorf("%d posts, want 2", n)
	}
}
