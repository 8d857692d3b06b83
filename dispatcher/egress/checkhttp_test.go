package egress_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	late     = "http: no answer in time"
	hungUp   = "http: the connection was closed before an answer was complete"
	notHTTP  = "http: the answer is not HTTP, or its header is over 64 KiB"
	finalURL = "; redirects are not followed: register the final URL"
)

// endless floods with a header that has no end.
func endless(first, again string) func(net.Conn) { return flood(first, strings.Repeat(again, 64)) }

func TestCheckOfReceivers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle func(net.Conn)
		want   string
	}{
		"hangs":                       {stall(""), late},
		"hangs in a header":           {stall("HTTP/1.1 200 OK\r\nX-A: "), late},
		"hangs in the status":         {stall("HTT"), late},
		"drips headers":               {drip("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), late},
		"answers 100 forever":         {drip("", "HTTP/1.1 100 Continue\r\n\r\n"), late},
		"answers 103 forever":         {drip("", "HTTP/1.1 103 Early Hints\r\n\r\n"), late},
		"floods 103":                  {endless("", "HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n"), notHTTP},
		"floods headers":              {endless("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), notHTTP},
		"floods one header":           {endless("HTTP/1.1 200 OK\r\nX-A: ", "b"), notHTTP},
		"floods the status":           {endless("HTTP/1.1 200 ", "OK"), notHTTP},
		"66 KiB of header":            {once("HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("b", 66<<10) + "\r\n\r\n"), notHTTP},
		"60 KiB of header":            {once("HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("b", 60<<10) + "\r\n\r\n"), "200 OK"},
		"closes at accept":            {func(net.Conn) {}, hungUp},
		"closes instead of answering": {once(""), hungUp},
		"resets instead of answering": {resetAfter(""), hungUp},
		"closes in the headers":       {once("HTTP/1.1 200 OK\r\nX-A: b\r\n"), hungUp},
		"garbage":                     {once("\x00\xff\x16 what?\r\n\r\n"), notHTTP},
		"mail, speaks first": {func(conn net.Conn) {
			_, _ = io.WriteString(conn, "220 192.0.2.1 ESMTP\r\n")
			_, _ = io.Copy(io.Discard, conn)
		}, notHTTP},
		"status that is no number":    {once("HTTP/1.1 abc OK\r\n\r\n"), notHTTP},
		"status zero":                 {once("HTTP/1.1 000 OK\r\n\r\n"), notHTTP},
		"two content-lengths":         {once("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), notHTTP},
		"header that names addresses": {once("HTTP/1.1 192.0.2.1 10.0.0.1\r\n\r\n"), notHTTP},

		"200":                    {once("HTTP/1.1 200 see 10.0.0.1\r\n\r\n"), "200 OK"},
		"204":                    {once("HTTP/1.1 204 No Content\r\n\r\n"), "204 No Content"},
		"401":                    {once("HTTP/1.1 401 X\r\n\r\n"), "401 Unauthorized"},
		"405":                    {once("HTTP/1.1 405 Nope\r\nAllow: POST\r\n\r\n"), "405 Method Not Allowed"},
		"500":                    {once("HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\n"), "500 Internal Server Error"},
		"status nobody knows":    {once("HTTP/1.1 999 X\r\n\r\n"), "999"},
		"informational, then ok": {once("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok), "200 OK"},
		"switches protocols":     {stall("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nmore"), "101 Switching Protocols"},
		"answers HEAD by a body": {once("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsome"), "200 OK"},
		"body stalls":            {stall(head200 + "some"), "200 OK"},
		"body drips":             {drip("HTTP/1.1 200 OK\r\n\r\n", "x"), "200 OK"},
		"body has no end":        {flood("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1000)), "200 OK"},
		"bad chunks":             {once(fmt.Sprintf(chunk, 500) + "zz\r\nabc"), "500 Internal Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, "127.0.0.1:0", test.handle)
			cfg := loopback().WithResolver(names(t, map[string][]string{"receiver.test": {"127.0.0.1"}}))
			cfg.DefaultTimeout = patience // longer than is waited for, where no deadline is expected
			if test.want == late {
				cfg.DefaultTimeout = enough
			}
			if got := check(t, newClient(t, cfg), server.url("receiver.test")+"/?t=s3cret"); story(got) != test.want {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

func TestCheckFollowsNoRedirect(t *testing.T) {
	canary := listen(t, "127.0.0.1:0", answers(ok))
	client := newClient(t, loopback())
	for status, want := range map[int]string{
		300: "300 Multiple Choices" + finalURL, 301: "301 Moved Permanently" + finalURL, 302: "302 Found" + finalURL,
		303: "303 See Other" + finalURL, 307: "307 Temporary Redirect" + finalURL, 308: "308 Permanent Redirect" + finalURL,
		304: "304 Not Modified", // names no other URL
	} {
		server := listen(t, "127.0.0.1:0", answers(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: %s\r\nRefresh: 0; url=%s\r\n\r\n",
			status, canary.url("127.0.0.1"), canary.url("127.0.0.1"))))
		if got := check(t, client, server.url("127.0.0.1")); got.Status != status || story(got) != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	if n := canary.count(t); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	server := listen(t, "127.0.0.1:0", hang(t))
	client := newClient(t, loopback().WithResolver(names(t, map[string][]string{"receiver.test": {"127.0.0.1"}})))
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	if got := checkContext(t, ctx, client, server.url("127.0.0.1")); story(got) != late {
		t.Errorf("deadline of ctx: %+v", got)
	}
	arrived := make(chan struct{}, 1)
	told := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		takeRequest(conn)
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, conn)
	})
	ctx, cancel = context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if got := checkContext(t, ctx, client, told.url("127.0.0.1")); story(got) != "http: interrupted" {
		t.Errorf("cancelled on the way: %+v", got)
	}
	if got := checkContext(t, ctx, client, told.url("receiver.test")); story(got) != "dns: interrupted" {
		t.Errorf("cancelled before: %+v", got)
	}
}

func TestCheckMeasuresEveryPhase(t *testing.T) {
	release := make(chan struct{})
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		takeRequest(conn)
		<-release
		_, _ = io.WriteString(conn, ok)
	})
	client := newClient(t, loopback())
	started := time.Now()
	done := make(chan webhook.Check, 1)
	go func() { done <- client.Check(t.Context(), server.url("127.0.0.1")) }()
	close(release)
	got := <-done
	total := time.Since(started)
	var sum time.Duration
	for _, phase := range got.Phases {
		sum += phase.Duration
	}
	if sum <= 0 || sum > total {
		t.Errorf("phases took %v of %v: %+v", sum, total, got.Phases)
	}
}
