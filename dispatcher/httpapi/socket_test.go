package httpapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// socket is a connection on which a test writes what no client would.
type socket struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (a api) dial(t *testing.T) *socket {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &socket{t: t, conn: conn, in: bufio.NewReader(conn)}
}

func (s *socket) write(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.conn, text); err != nil {
		s.t.Fatal(err)
	}
}

// answer reads one answer, after those with a 1xx status.
func (s *socket) answer() answer {
	s.t.Helper()
	response, err := http.ReadResponse(s.in, nil)
	if err != nil {
		s.t.Fatalf("read answer: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("read answer: %v", err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// ends waits until the server has closed the connection, without another byte.
func (s *socket) ends() {
	s.t.Helper()
	rest, err := io.ReadAll(s.in)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		s.t.Errorf("the connection does not end: %v", err)
	}
	if len(rest) > 0 {
		s.t.Errorf("there is one more answer: %s", rest)
	}
}

// head begins a publish of a brand with a key. more are further header lines.
func head(brand, key string, more ...string) string {
	lines := append([]string{
		"POST /v1/brands/" + brand + "/events HTTP/1.1", "Host: example.com",
		"Authorization: Bearer " + key, "Content-Type: application/json",
	}, more...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func length(n int) string { return fmt.Sprint("Content-Length: ", n) }

// A body is read from nobody who is refused: the answer is there at once, whatever the body says that it is.
func TestWhoIsRefusedIsNotReadFrom(t *testing.T) {
	a := start(t)
	for _, c := range []struct {
		name, brand, key string
		status           int
	}{
		{"wrong key", "acme", "wrong", 401},
		{"key of another brand", "acme", "brand-other", 404},
		{"too large", "acme", "brand-acme", 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := a.dial(t)
			s.write(head(c.brand, c.key, length(1<<30)))
			if got := s.answer(); got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
			s.ends()
		})
	}
	if a.service.calls > 0 {
		t.Errorf("%d calls", a.service.calls)
	}
}

// What little is left of a refused request is waited for, to use the connection again, but not for ever.
func TestNobodyWaitsForTheBodyOfARefusedRequest(t *testing.T) {
	a := start(t) // its server has no timeout
	for name, framing := range map[string]string{"by length": length(100), "in chunks": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := a.dial(t)
			s.write(head("acme", "wrong", framing))
			if got := s.answer(); got.status != 401 {
				t.Errorf("status %d", got.status)
			}
			s.ends()
		})
	}
	t.Run("it comes", func(t *testing.T) {
		t.Parallel()
		s := a.dial(t)
		s.write(head("acme", "brand-other", length(3)) + "{} " + head("acme", "brand-acme", length(0)))
		if first, second := s.answer(), s.answer(); first.status != 404 || second.status != 400 {
			t.Errorf("status %d, then %d", first.status, second.status)
		}
	})
}

// Who gets an answer without a key, or without room, gets one on a connection, whatever else was sent on it.
func TestWhatNeedsNoKeyIsTheLastOfItsConnection(t *testing.T) {
	a := start(t, func(c *httpapi.Config) { c.RequestsAtOnce = 4 })
	a.fill(t, "full", 10)
	get := func(path, key string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer " + key + "\r\n\r\n"
	}
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/docs", "", 200},
		{"/openapi.json", "", 200},
		{"/v1/brands/acme/endpoints", "wrong", 401},
		{"/v1/nothing", "wrong", 401},
		{"/v1/brands/full/endpoints/e", "brand-full", 429},
	} {
		s := a.dial(t)
		s.write(get(c.path, c.key) + get("/v1/event-types", "brand-other"))
		if got := s.answer(); got.status != c.status {
			t.Errorf("%s: status %d, want %d", c.path, got.status, c.status)
		}
		s.ends()
	}
	s := a.dial(t)
	s.write(get("/v1/event-types", "brand-other") + get("/v1/nothing", "brand-other") + get("/v1/event-types", "brand-other"))
	for i, want := range []int{200, 404, 200} {
		if got := s.answer(); got.status != want {
			t.Errorf("answer %d with a key: status %d, want %d", i, got.status, want)
		}
	}
}

// An endless body is not read on when its request is refused.
func TestAnEndlessBodyOfARefusedRequestEnds(t *testing.T) {
	a := start(t)
	s := a.dial(t)
	s.write(head("acme", "wrong", "Transfer-Encoding: chunked"))
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, strings.Repeat(" ", 1<<20))
	for range 256 { // more than any socket holds
		if _, err := io.WriteString(s.conn, chunk); err != nil {
			return
		}
	}
	t.Error("256 MiB were taken")
}

const okBody = `{"type":"message.read","payload":{}}`

// smuggled is a request that would publish another event.
var smuggled = head("acme", "brand-acme", length(len(okBody))) + okBody

// Requests whose end two servers could see at different places have no second one behind them.
func TestAmbiguousRequestsAreTheLastOfTheirConnection(t *testing.T) {
	ok := fmt.Sprint(len(okBody))
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(okBody), okBody)
	for _, c := range []struct {
		name  string
		lines []string
		body  string
		// status is 202 when net/http takes the first one: by its chunks, when it has any.
		status int
	}{
		{"length and chunks", []string{"Content-Length: 6", "Transfer-Encoding: chunked"}, chunked, 202},
		{"chunks and length", []string{"Transfer-Encoding: chunked", "Content-Length: " + ok}, chunked, 202},
		{"chunks alone", []string{"Transfer-Encoding: chunked"}, chunked, 202},
		{"two lengths", []string{"Content-Length: " + ok, "Content-Length: 6"}, okBody, 400},
		{"two lengths in one", []string{"Content-Length: " + ok + ", 6"}, okBody, 400},
		{"signed length", []string{"Content-Length: +" + ok}, okBody, 400},
		{"negative length", []string{"Content-Length: -1"}, okBody, 400},
		{"hexadecimal length", []string{"Content-Length: 0x24"}, okBody, 400},
		{"length that overflows", []string{"Content-Length: 18446744073709551652"}, okBody, 400},
		{"space before the colon", []string{"Content-Length : " + ok}, okBody, 400},
		{"another coding", []string{"Transfer-Encoding: gzip, chunked"}, chunked, 501},
		{"two codings", []string{"Transfer-Encoding: chunked", "Transfer-Encoding: identity"}, chunked, 501},
		{"a coding in disguise", []string{"Transfer-Encoding: \x0bchunked"}, chunked, 400},
		{"folded line", []string{"Transfer-Encoding:\r\n chunked", "Content-Length: " + ok}, chunked, 202},
		{"bare line feed", []string{"X: y\nContent-Length: 6", "Content-Length: " + ok}, okBody, 400},
		{"chunk of a bad length", []string{"Transfer-Encoding: chunked"}, "zz\r\n" + okBody + "\r\n0\r\n\r\n", 400},
		{"chunk that is longer than it says", []string{"Transfer-Encoding: chunked"}, "2\r\n" + okBody + "\r\n0\r\n\r\n", 400},
		{"two hosts", []string{"Host: example.org", length(len(okBody))}, okBody, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := start(t)
			s := a.dial(t)
			s.write(head("acme", "brand-acme", c.lines...) + c.body + smuggled)
			if got := s.answer(); got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
			s.ends()
			if most := map[bool]int{true: 1}[c.status == 202]; a.service.calls > most {
				t.Errorf("%d publishes, want %d", a.service.calls, most)
			}
		})
	}
}

func TestPipelinedGarbageEndsTheConnection(t *testing.T) {
	a := start(t)
	s := a.dial(t)
	s.write(head("acme", "brand-acme", length(len(okBody))) + okBody + "\x00\x01garbage\r\n\r\n" + smuggled)
	if first, second := s.answer(), s.answer(); first.status != 202 || second.status != 400 {
		t.Errorf("status %d, then %d", first.status, second.status)
	}
	s.ends()
	if a.service.calls != 1 {
		t.Errorf("%d publishes", a.service.calls)
	}
}

func TestNoHTTP2InClearText(t *testing.T) {
	a := start(t)
	s := a.dial(t)
	s.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if first, err := s.in.ReadString('\n'); err == nil && !strings.HasPrefix(first, "HTTP/1.1 4") && !strings.HasPrefix(first, "HTTP/1.1 505") {
		t.Errorf("answered %q", first)
	}
	s = a.dial(t)
	s.write(head("acme", "brand-acme", length(len(okBody)), "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__") + okBody)
	if got := s.answer(); got.status != 202 {
		t.Errorf("status %d", got.status)
	}
}
