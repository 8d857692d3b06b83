package egress_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestWhatAReceiverGets(t *testing.T) {
	type message struct{ head, body string }
	got := make(chan message, 1)
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		head, body := takeRequest(conn)
		got <- message{head, body}
		_, _ = io.WriteString(conn, ok)
	})
	cfg := loopback()
	cfg.UserAgent = "outhook/1.2.3"
	request := post(server.url("127.0.0.1") + "/hook?a=b&c=%20d")
	request.Header["x-team"] = []string{"blue"} // not in canonical form
	request.Header["User-Agent"] = []string{"other"}
	request.Body = []byte("{ \"a\" : 1e2, \"a\":\"<\u2028\U0001F600\",\r\n\"b\":\"\\u00e9\"}\n")
	client := newClient(t, cfg)
	want := []string{
		"POST /hook?a=b&c=%20d HTTP/1.1",
		fmt.Sprintf("Content-Length: %d", len(request.Body)),
		"Content-Type: application/json",
		fmt.Sprintf("Host: 127.0.0.1:%d", server.port),
		"User-Agent: outhook/1.2.3",
		"Webhook-Id: evt_1", "Webhook-Signature: v1,c2ln", "Webhook-Timestamp: 1767225600",
		"X-Team: blue",
	}
	for range 2 { // on a new connection, and on another
		if response := send(t, client, request); response.Status != 200 || response.Reason != webhook.ReasonOK {
			t.Fatalf("got %+v", response)
		}
		sent := <-got
		if sent.body != string(request.Body) {
			t.Errorf("body %q, want %q", sent.body, request.Body)
		}
		lines := strings.Split(strings.TrimSuffix(sent.head, "\r\n\r\n"), "\r\n")
		slices.Sort(lines[1:])
		if !slices.Equal(lines, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestEmptyBodyHasALength(t *testing.T) {
	heads := make(chan string, 1)
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		head, _ := takeRequest(conn)
		heads <- head
		_, _ = io.WriteString(conn, ok)
	})
	request := post(server.url("127.0.0.1"))
	request.Body = nil
	send(t, newClient(t, loopback()), request)
	if head := <-heads; !strings.Contains(head, "Content-Length: 0\r\n") || strings.Contains(head, "Transfer-Encoding") {
		t.Errorf("got %q", head)
	}
}

func TestRedirectsAreAnswers(t *testing.T) {
	canary := listen(t, "127.0.0.1:0", answers(ok))
	client := newClient(t, loopback())
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		server := listen(t, "127.0.0.1:0", answers(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: %s\r\n"+
			"Refresh: 0; url=%s\r\nSet-Cookie: a=b\r\n\r\n", status, canary.url("127.0.0.1"), canary.url("127.0.0.1"))))
		if got := send(t, client, post(server.url("127.0.0.1"))); got.Status != status || got.Reason != webhook.ReasonOK {
			t.Errorf("%d: got %+v", status, got)
		}
	}
	if n := canary.count(t); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestNoCookiesAreKept(t *testing.T) {
	heads := make(chan string, 2)
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		head, _ := takeRequest(conn)
		heads <- head
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	client := newClient(t, loopback())
	for range 2 {
		send(t, client, post(server.url("127.0.0.1")))
		if head := <-heads; strings.Contains(strings.ToLower(head), "cookie") {
			t.Errorf("got %q", head)
		}
	}
}

func TestNothingIsDecompressed(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
	_ = w.Close()
	server := listen(t, "127.0.0.1:0", answers(fmt.Sprintf("HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", packed.Len(), packed.String())))
	got := send(t, newClient(t, loopback()), post(server.url("127.0.0.1")))
	if !bytes.Equal(got.Body, packed.Bytes()) || got.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%d bytes kept of %d sent, header %v", len(got.Body), packed.Len(), got.Header)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	for name, answer := range map[string]string{
		"2xx":                                  ok,
		"2xx chunked":                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"5xx":                                  "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
		"5xx, a body longer than what is kept": "HTTP/1.1 500 No\r\nContent-Length: 40000\r\n\r\n" + strings.Repeat("x", 40000),
		"3xx":                                  "HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
	} {
		server := listen(t, "127.0.0.1:0", answers(answer))
		client := newClient(t, loopback())
		for i := range 10 {
			got := send(t, client, post(server.url("127.0.0.1")))
			if got.Phases.FirstByte <= 0 {
				t.Errorf("%s: no first byte in %+v", name, got)
			}
			if reused := got.Phases.Connect == 0; reused != (i > 0) {
				t.Errorf("%s: attempt %d took %+v", name, i+1, got.Phases)
			}
		}
		if n := server.count(t); n != 1 {
			t.Errorf("%s: %d connections for 10 attempts", name, n)
		}
	}
}

func TestStaleConnectionIsReplaced(t *testing.T) {
	var connections atomic.Int64
	bodies := make(chan string, 4)
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		first := connections.Add(1) == 1
		_, body := takeRequest(conn)
		bodies <- body
		_, _ = io.WriteString(conn, ok)
		if first { // closes just as the next request arrives
			_, body = takeRequest(conn)
			bodies <- body
		}
	})
	client := newClient(t, loopback())
	request := post(server.url("127.0.0.1"))
	for range 2 {
		if got := send(t, client, request); got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
	for range 3 { // the first, the lost one and its repetition
		if body := <-bodies; body != string(request.Body) {
			t.Errorf("body %q", body)
		}
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

func TestFreshConnectionIsNotRetried(t *testing.T) {
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		if head, _ := takeRequest(conn); !strings.Contains(head, "Host: fence") {
			return
		}
		_, _ = io.WriteString(conn, ok)
	})
	if got := send(t, newClient(t, loopback()), post(server.url("127.0.0.1"))); got.Reason != webhook.ReasonReset {
		t.Errorf("got %+v, want reset", got)
	}
	if n := server.count(t); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
}

func TestPhasesOfAFirstConnection(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	cfg := loopback().WithResolver(names(t, map[string][]string{"example.com": {"127.0.0.1"}}))
	cfg.CABundle = pemOf(server.Certificate())
	client := newClient(t, cfg)
	url := strings.Replace(server.URL, "127.0.0.1", "example.com", 1)
	got := send(t, client, post(url))
	if p := got.Phases; got.Status != 200 || p.DNS <= 0 || p.Connect <= 0 || p.TLS <= 0 || p.FirstByte <= 0 {
		t.Errorf("first attempt: %+v", got)
	}
	got = send(t, client, post(url))
	if p := got.Phases; got.Status != 200 || p.DNS != 0 || p.Connect != 0 || p.TLS != 0 || p.FirstByte <= 0 {
		t.Errorf("second attempt: %+v", got)
	}
}

func TestConcurrentAttempts(t *testing.T) {
	server := listen(t, "127.0.0.1:0", answers(ok))
	client := newClient(t, loopback())
	results := make(chan webhook.Response)
	for range 50 {
		go func() { results <- client.Send(t.Context(), post(server.url("127.0.0.1"))) }()
	}
	for range 50 {
		if got := <-results; got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	server := listen(b, "127.0.0.1:0", func(conn net.Conn) {
		// As little as can be: a request of this size comes in one piece.
		for buf := make([]byte, 8<<10); ; {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			_, _ = io.WriteString(conn, ok)
		}
	})
	client, err := egress.New(loopback())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	request := post(server.url("127.0.0.1"))
	request.Body = bytes.Repeat([]byte("x"), 350)
	header := request.Header
	b.ReportAllocs()
	for b.Loop() {
		request.Header = maps.Clone(header)
		if got := client.Send(b.Context(), request); got.Status != 200 {
			b.Fatalf("got %+v", got)
		}
	}
}
