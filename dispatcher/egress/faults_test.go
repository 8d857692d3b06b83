package egress_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// drip writes a text again and again, until the other side is gone.
func drip(first, again string) func(net.Conn) {
	return func(conn net.Conn) {
		takeRequest(conn)
		_, err := io.WriteString(conn, first)
		for err == nil {
			time.Sleep(time.Millisecond) // the pace of the fault
			_, err = io.WriteString(conn, again)
		}
	}
}

// flood writes a text without a pause, until the other side is gone.
func flood(first, again string) func(net.Conn) {
	head, more := []byte(first), []byte(again) // once, for all connections
	return func(conn net.Conn) {
		takeRequest(conn)
		_, err := conn.Write(head)
		for err == nil {
			_, err = conn.Write(more)
		}
	}
}

// once answers one request and closes.
func once(text string) func(net.Conn) {
	answer := []byte(text) // once, for all connections
	return func(conn net.Conn) {
		takeRequest(conn)
		_, _ = conn.Write(answer)
	}
}

// stall answers one request and then says nothing more, without closing.
func stall(text string) func(net.Conn) {
	return func(conn net.Conn) {
		once(text)(conn)
		_, _ = io.Copy(io.Discard, conn) // until the client closes
	}
}

func resetAfter(text string) func(net.Conn) {
	return func(conn net.Conn) {
		once(text)(conn)
		reset(conn)
	}
}

const (
	head200 = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
	head500 = "HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\n"
	chunk   = "HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n"
)

var faults = []struct {
	name   string
	handle func(net.Conn)
	reason webhook.Reason
	status int
	body   string
}{
	{"hangs before headers", stall(""), webhook.ReasonTimeout, 0, ""},
	{"hangs in a header", stall("HTTP/1.1 200 OK\r\nX-A: "), webhook.ReasonTimeout, 0, ""},
	{"drips headers", drip("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), webhook.ReasonTimeout, 0, ""},
	{"drips informational answers", drip("", "HTTP/1.1 103 Early Hints\r\n\r\n"), webhook.ReasonTimeout, 0, ""},
	{"drips 100 Continue", drip("", "HTTP/1.1 100 Continue\r\n\r\n"), webhook.ReasonTimeout, 0, ""},
	{"floods informational answers", flood("", "HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n"), webhook.ReasonProtocol, 0, ""},
	{"floods headers", flood("HTTP/1.1 200 OK\r\n", "X-A: "+strings.Repeat("b", 1000)+"\r\n"), webhook.ReasonProtocol, 0, ""},
	{"floods one header", flood("HTTP/1.1 200 OK\r\nX-A: ", strings.Repeat("b", 1000)), webhook.ReasonProtocol, 0, ""},
	{"10 MiB of headers", once("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("b", 1017)+"\r\n", 10<<10) + "\r\n"), webhook.ReasonProtocol, 0, ""},
	{"informational, then 200", once("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n" + ok), webhook.ReasonOK, 200, ""},
	{"switches protocols", stall("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nmore"), webhook.ReasonOK, 101, ""},

	{"closes at accept", func(net.Conn) {}, webhook.ReasonReset, 0, ""},
	{"resets at accept", reset, webhook.ReasonReset, 0, ""},
	{"closes instead of answering", once(""), webhook.ReasonReset, 0, ""},
	{"resets instead of answering", resetAfter(""), webhook.ReasonReset, 0, ""},
	{"closes in the headers", once("HTTP/1.1 200 OK\r\nX-A: b\r\n"), webhook.ReasonReset, 0, ""},

	{"garbage", once("\x00\xff\x16 what?\r\n\r\n"), webhook.ReasonProtocol, 0, ""},
	{"another protocol", once("220 mail.example.com ESMTP ready\r\n"), webhook.ReasonProtocol, 0, ""},
	{"status that is no number", once("HTTP/1.1 abc OK\r\n\r\n"), webhook.ReasonProtocol, 0, ""},
	{"content-length that is no number", once("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), webhook.ReasonProtocol, 0, ""},
	{"negative content-length", once("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), webhook.ReasonProtocol, 0, ""},
	{"two content-lengths", once("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok"), webhook.ReasonProtocol, 0, ""},
	{"unknown transfer-encoding", once("HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n"), webhook.ReasonProtocol, 0, ""},

	{"2xx, no body", once("HTTP/1.1 204 No Content\r\n\r\n"), webhook.ReasonOK, 204, ""},
	{"2xx, body stalls", stall(head200 + "some"), webhook.ReasonOK, 200, ""},
	{"2xx, body drips", drip("HTTP/1.1 200 OK\r\n\r\n", "x"), webhook.ReasonOK, 200, ""},
	{"2xx, body has no end", flood("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1000)), webhook.ReasonOK, 200, ""},
	{"2xx, body too short", once(head200 + "some"), webhook.ReasonOK, 200, ""},
	{"2xx, body reset", resetAfter(head200 + "some"), webhook.ReasonOK, 200, ""},
	{"2xx, bad chunks", once(fmt.Sprintf(chunk, 202) + "zz\r\nabc"), webhook.ReasonOK, 202, ""},

	{"5xx, body stalls", stall(head500 + "some"), webhook.ReasonOK, 500, "some"},
	{"5xx, body too short", once(head500 + "some"), webhook.ReasonOK, 500, "some"},
	{"5xx, bad chunks", once(fmt.Sprintf(chunk, 500) + "4\r\nsome\r\nzz\r\nabc"), webhook.ReasonOK, 500, "some"},
	{"5xx, body too long", once("HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nsomemore"), webhook.ReasonOK, 500, "some"},
	{"4xx, no body", once("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), webhook.ReasonOK, 404, ""},
	{"status nobody knows", once("HTTP/1.1 999 X\r\nContent-Length: 4\r\n\r\nsome"), webhook.ReasonOK, 999, "some"},
}

// hang reads nothing; it ends when the test does, as its connection is closed then.
func hang(t *testing.T) func(net.Conn) { return func(net.Conn) { <-t.Context().Done() } }

// Every fault is met through a name and with a query, so that the answers can
// be searched for what they must not tell.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, "127.0.0.1:0", fault.handle)
			resolver := names(t, map[string][]string{"receiver.test": {"127.0.0.1"}})
			request := post(server.url("receiver.test") + "/hook?token=s3cret&a=b")
			request.Timeout = short
			got := send(t, newClient(t, loopback().WithResolver(resolver)), request)
			if got.Reason != fault.reason || got.Status != fault.status || string(got.Body) != fault.body {
				t.Errorf("got %+v, want reason %q, status %d, body %q", got, fault.reason, fault.status, fault.body)
			}
			if got.Duration <= 0 {
				t.Error("no duration")
			}
			tellsNothing(t, got)
		})
	}
}

// tellsNothing fails when a response names the query or the resolved address.
func tellsNothing(t *testing.T, got webhook.Response) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s3cret", "token", "127.0.0.1"} {
		if strings.Contains(string(text)+string(got.Body), secret) {
			t.Errorf("%q stands in %s %s", secret, text, got.Body)
		}
	}
}

func TestReceiversThatRepeatTheURL(t *testing.T) {
	const body = `<a href="https://receiver.test/hook?token=s3cret&amp;a=b">here</a> /hook?token=s3cret&a=b`
	answer := fmt.Sprintf("HTTP/1.1 301 Moved\r\nLocation: https://receiver.test/hook?token=s3cret&a=b\r\nContent-Location: /hook?token=s3cret\r\n"+
		"X-Url: /hook?token=s3cret&a=b\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	server := listen(t, "127.0.0.1:0", answers(answer))
	cfg := loopback().WithResolver(names(t, map[string][]string{"receiver.test": {"127.0.0.1"}}))
	for limit := 1; limit <= len(body)+1; limit++ { // cut anywhere
		cfg.ResponseBodyBytes = limit
		got := send(t, newClient(t, cfg), post(server.url("receiver.test")+"/hook?token=s3cret&a=b"))
		if got.Status != 301 || len(got.Body) > limit {
			t.Fatalf("got %+v", got)
		}
		tellsNothing(t, got)
	}
}

func TestNoConnection(t *testing.T) {
	closed := listen(t, "127.0.0.1:0", answers(ok))
	closed.Close()
	client := newClient(t, loopback().WithResolver(names(t, nil)))
	for url, want := range map[string]webhook.Reason{
		closed.url("127.0.0.1") + "/?token=s3cret":   webhook.ReasonConnect,
		"http://missing.example.com/?token=s3cret":   webhook.ReasonDNS,
		"ftp://example.com/?token=s3cret":            webhook.ReasonBlocked,
		"http://user@example.com/":                   webhook.ReasonBlocked,
		"":                                           webhook.ReasonBlocked,
		"http://" + strings.Repeat("a", 64) + ".com": webhook.ReasonBlocked,
	} {
		got := send(t, client, post(url))
		if got.Reason != want || got.Status != 0 {
			t.Errorf("%s: %+v, want %s", url, got, want)
		}
		tellsNothing(t, got)
	}
}

func TestNameServerThatHangsMeetsTheDeadline(t *testing.T) {
	answer := make(chan struct{})
	t.Cleanup(func() { close(answer) })
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		<-answer
		return nil, net.ErrClosed
	}}
	request := post("http://receiver.test/")
	request.Timeout = short
	if got := send(t, newClient(t, loopback().WithResolver(resolver)), request); got.Reason != webhook.ReasonTimeout {
		t.Errorf("got %+v, want timeout", got)
	}
}

func TestDefaultTimeoutBoundsRequestsWithoutOne(t *testing.T) {
	server := listen(t, "127.0.0.1:0", stall(""))
	cfg := loopback()
	cfg.DefaultTimeout = short
	request := post(server.url("127.0.0.1"))
	request.Timeout = 0
	if got := send(t, newClient(t, cfg), request); got.Reason != webhook.ReasonTimeout {
		t.Errorf("got %+v, want timeout", got)
	}
}

func TestCancellingIsNotATimeout(t *testing.T) {
	arrived := make(chan struct{}, 1)
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		takeRequest(conn)
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, conn)
	})
	client := newClient(t, loopback())

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if got := sendContext(t, ctx, client, post(server.url("127.0.0.1"))); got.Reason != webhook.ReasonInterrupted {
		t.Errorf("cancelled on the way: %+v, want interrupted", got)
	}
	if got := sendContext(t, ctx, client, post(server.url("127.0.0.1"))); got.Reason != webhook.ReasonInterrupted {
		t.Errorf("cancelled before: %+v, want interrupted", got)
	}
	ctx, cancel = context.WithTimeout(t.Context(), short)
	defer cancel()
	if got := sendContext(t, ctx, client, post(server.url("127.0.0.1"))); got.Reason != webhook.ReasonTimeout {
		t.Errorf("deadline of the parent: %+v, want timeout", got)
	}
}

func TestReceiverThatDoesNotRead(t *testing.T) {
	server := listen(t, "127.0.0.1:0", hang(t))
	request := post(server.url("127.0.0.1"))
	request.Body, request.Timeout = make([]byte, 32<<20), short
	if got := send(t, newClient(t, loopback()), request); got.Reason != webhook.ReasonTimeout {
		t.Errorf("got %+v, want timeout", got)
	}
}

// The deadline is far beyond what send waits for.
func TestDeliveredDoesNotWaitForItsBody(t *testing.T) {
	t.Parallel()
	for _, handle := range []func(net.Conn){stall(head200 + "some"), drip("HTTP/1.1 200 OK\r\n\r\n", "x")} {
		request := post(listen(t, "127.0.0.1:0", handle).url("127.0.0.1"))
		request.Timeout = time.Hour
		if got := send(t, newClient(t, loopback()), request); got.Status != 200 || got.Reason != webhook.ReasonOK || got.Body != nil {
			t.Errorf("got %+v", got)
		}
	}
}

func TestKeptBodyIsBounded(t *testing.T) {
	server := listen(t, "127.0.0.1:0", flood("HTTP/1.1 500 No\r\n\r\n", strings.Repeat("x", 1000)))
	for configured, want := range map[int]int{-1: 0, 0: 16 << 10, 10: 10, 64 << 10: 64 << 10} {
		cfg := loopback()
		cfg.ResponseBodyBytes = configured
		got := send(t, newClient(t, cfg), post(server.url("127.0.0.1")))
		if got.Status != 500 || len(got.Body) != want {
			t.Errorf("configured %d: status %d, %d bytes kept, want %d", configured, got.Status, len(got.Body), want)
		}
	}
}

func TestKeptHeaderIsBounded(t *testing.T) {
	var answer strings.Builder
	answer.WriteString("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 7\r\n")
	for i := range 50 {
		fmt.Fprintf(&answer, "A-%d: %s\r\n", i, strings.Repeat("x", 1000))
	}
	server := listen(t, "127.0.0.1:0", answers(answer.String()+"\r\n"))
	got := send(t, newClient(t, loopback()), post(server.url("127.0.0.1")))
	size := 0
	for name, values := range got.Header {
		size += len(name) + len(strings.Join(values, ""))
	}
	if got.Header.Get("Retry-After") != "7" || size > 8<<10 || len(got.Header) < 2 {
		t.Errorf("%d bytes in %d headers are kept, Retry-After %q", size, len(got.Header), got.Header.Get("Retry-After"))
	}
}

func TestRequestsThatCannotBeWritten(t *testing.T) {
	server := listen(t, "127.0.0.1:0", answers(ok))
	request := post(server.url("127.0.0.1"))
	request.Header.Set("X-Bad", "a\r\nX-Smuggled: b")
	var client webhook.Sender = newClient(t, loopback())
	if got := send(t, client.(*egress.Client), request); got.Reason != webhook.ReasonProtocol {
		t.Errorf("got %+v, want protocol", got)
	}
	if n := server.count(t); n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}
