package egress_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// rejections are ways to say "not processed, try again" at once and for ever.
func rejections(a authority, posts *atomic.Int64) map[string]func(net.Conn) {
	each := func(reply func(p *peer, stream uint32) error) func(*peer) {
		return func(p *peer) {
			for {
				stream, _, _, err := p.take()
				if err != nil {
					return
				}
				posts.Add(1)
				if err := reply(p, stream); err != nil {
					p.drain()
					return
				}
			}
		}
	}
	refuse := func(code http2.ErrCode) func(*peer, uint32) error {
		return func(p *peer, stream uint32) error {
			_ = p.WriteRSTStream(stream, code)
			return p.flush()
		}
	}
	goAway := func(p *peer, _ uint32) error {
		_ = p.WriteGoAway(0, http2.ErrCodeNo, nil)
		_ = p.flush()
		return errStop
	}
	return map[string]func(net.Conn){
		"goes away":                    a.http2(each(goAway)),
		"goes away and closes":         a.http2(each(func(p *peer, stream uint32) error { _ = goAway(p, stream); return p.Close() })),
		"refuses streams":              a.http2(each(refuse(http2.ErrCodeRefusedStream))),
		"resets with a protocol error": a.http2(each(refuse(http2.ErrCodeProtocol))),
		"allows no streams":            a.http2(func(p *peer) { p.drain() }, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0}),
		"goes away before a request": a.http2(func(p *peer) {
			_ = goAway(p, 0)
			p.drain()
		}),
		"closes after the preface": a.http2(func(*peer) {}),
		"closes with the preface":  a.secure(func(net.Conn) {}, "h2"),
	}
}

// Without a bound net/http makes a connection for every millisecond of some.
func TestAnAttemptIsTwoPostsAtMost(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name := range rejections(a, nil) {
		for _, body := range []string{`{"to":"15552223333"}`, ""} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, len(body)), func(t *testing.T) {
				t.Parallel()
				var posts atomic.Int64
				count := newCounted()
				server := listen(t, "127.0.0.1:0", rejections(a, &posts)[name])
				request := post(server.https("127.0.0.1"))
				request.Timeout, request.Body = 2*time.Second, []byte(body)
				got := send(t, newClient(t, a.trusting().WithWatch(count.watch)), request)
				want := webhook.ReasonReset
				if name == "allows no streams" && got.Reason == webhook.ReasonTimeout {
					want = webhook.ReasonTimeout // the settings came late: the request waits for its stream
				}
				if _, n := count.of(server.Addr().String()); got.Reason != want || got.Status != 0 || n > egress.Dials() || posts.Load() > 2 {
					t.Errorf("%+v after %d posts on %d connections", got, posts.Load(), n)
				}
			})
		}
	}
}

// A dial may be for nothing, and net/http begins the next one at once: whether it
// ever does is a race in which receivers have little say.
func TestAnAttemptIsFourDialsAtMost(t *testing.T) {
	if n := egress.Dials(); n != 4 {
		t.Errorf("%d dials, want 4", n)
	}
}

// Idle connections may be stale, all of them; an attempt finds out one and does without the others.
func TestOneStaleConnectionIsReplaced(t *testing.T) {
	const idle = 5
	var connections, posts atomic.Int64
	var open sync.WaitGroup
	open.Add(idle)
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		takeRequest(conn)
		if connections.Add(1) > idle {
			posts.Add(1)
			_, _ = io.WriteString(conn, ok)
			return
		}
		open.Done()
		open.Wait() // so that each attempt has a connection of its own
		_, _ = io.WriteString(conn, ok)
		if raw, _ := takeRequest(conn); raw != "" {
			posts.Add(1)
		}
	})
	count := newCounted()
	client := newClient(t, loopback().WithWatch(count.watch))
	results := make(chan webhook.Response)
	for range idle {
		go func() { results <- client.Send(t.Context(), post(server.url("127.0.0.1"))) }()
	}
	for range idle {
		if got := <-results; got.Status != 200 {
			t.Fatalf("got %+v", got)
		}
	}
	if got := send(t, client, post(server.url("127.0.0.1"))); got.Status != 200 {
		t.Errorf("%+v, want 200", got)
	}
	if n := count.openTo(server.Addr().String()); n < idle-1 {
		t.Errorf("%d connections are left, want %d: an attempt without a post left took one", n, idle-1)
	}
	client.Close()
	server.Close()
	server.wg.Wait()
	if n := posts.Load(); n != 2 {
		t.Errorf("%d posts, want two", n)
	}
}

// Few streams are no offence: an attempt that finds no room on a connection opens another.
func TestMoreAttemptsThanStreams(t *testing.T) {
	const streams, attempts = 100, 130
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2, server.Config.ErrorLog = true, log.New(io.Discard, "", 0)
	server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	server.StartTLS()
	t.Cleanup(server.Close)
	cfg := loopback()
	cfg.CABundle = pemOf(server.Certificate())
	client := newClient(t, cfg)
	results := make(chan webhook.Response)
	for range attempts {
		go func() { results <- client.Send(t.Context(), post(server.URL)) }()
	}
	for range attempts {
		if got := <-results; got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
}

// A name may have any number of addresses, of which its owner has none.
func TestOfANameAFewAddressesAreTried(t *testing.T) {
	first := listen(t, "127.0.0.1:0", answers(ok))
	known := make(map[string][]string)
	for i := range 40 {
		known["many.test"] = append(known["many.test"], fmt.Sprintf("127.0.9.%d", i))
		if i == 9 {
			known["some.test"] = append(slices.Clone(known["many.test"]), "127.0.0.1")
		}
	}
	known["many.test"] = append(known["many.test"], "127.0.0.1")
	client := newClient(t, loopback().WithResolver(names(t, known)))
	if got := send(t, client, post(first.url("some.test"))); got.Status != 200 {
		t.Errorf("the eleventh address: %+v, want 200", got)
	}
	if got := send(t, client, post(first.url("many.test"))); got.Reason != webhook.ReasonConnect {
		t.Errorf("the forty-first address: %+v, want connect", got)
	}
}
