package egress_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// patience is how long a Send that should have returned is waited for.
const patience = 20 * time.Second

// short is the deadline of attempts that are expected to reach it.
const short = 300 * time.Millisecond

// loopback reaches receivers of tests, by http and on any port.
func loopback() egress.Config {
	return egress.Config{
		Allow:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		AllowHTTP: true,
		Ports:     []int{},
	}
}

// open is the default, but for http and ports: loopback is refused.
func open() egress.Config { return egress.Config{AllowHTTP: true, Ports: []int{}} }

func newClient(t testing.TB, cfg egress.Config) *egress.Client {
	t.Helper()
	c, err := egress.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func send(t testing.TB, c *egress.Client, r webhook.Request) webhook.Response {
	t.Helper()
	return sendContext(t, t.Context(), c, r)
}

// sendContext fails the test when Send does not return.
func sendContext(t testing.TB, ctx context.Context, c *egress.Client, r webhook.Request) webhook.Response {
	t.Helper()
	r.Header = r.Header.Clone() // a test may send it again
	done := make(chan webhook.Response, 1)
	go func() { done <- c.Send(ctx, r) }()
	select {
	case response := <-done:
		return response
	case <-time.After(patience):
		t.Fatal("Send does not return")
		panic("unreachable")
	}
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// post is a request as the dispatcher makes them.
func post(url string) webhook.Request {
	return webhook.Request{
		URL:     url,
		Header:  http.Header{"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {"1767225600"}, "Webhook-Signature": {"v1,c2ln"}},
		Body:    []byte(`{"to":"15552223333"}`),
		Timeout: patience,
	}
}

// receiver is a TCP server on loopback that counts connections.
type receiver struct {
	net.Listener
	port     int
	accepted atomic.Int64
	wg       sync.WaitGroup
}

// listen starts a receiver whose connections are handled and then closed. It
// ends with the test; a handler that waits for t.Context() ends with it too.
func listen(t testing.TB, address string, handle func(net.Conn)) *receiver {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{Listener: listener, port: listener.Addr().(*net.TCPAddr).Port}
	r.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.accepted.Add(1)
			r.wg.Go(func() {
				stop := context.AfterFunc(t.Context(), func() { conn.Close() })
				defer stop()
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		r.wg.Wait()
	})
	return r
}

func (r *receiver) url(host string) string {
	return "http://" + net.JoinHostPort(host, strconv.Itoa(r.port))
}

// count answers how many connections were accepted before this call. The
// kernel queues in order, so one more connection tells that all others were seen.
func (r *receiver) count(t testing.TB) int {
	t.Helper()
	fence, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer fence.Close()
	if _, err := io.WriteString(fence, "GET / HTTP/1.1\r\nHost: fence\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(fence).ReadByte(); err != nil {
		t.Fatal(err)
	}
	return int(r.accepted.Load()) - 1
}

// takeRequest reads one request, body included, and returns its bytes.
func takeRequest(conn io.Reader) (raw string, body string) {
	var head strings.Builder
	lines := bufio.NewReader(conn)
	length := 0
	for {
		line, err := lines.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			break
		}
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "content-length") {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	rest := make([]byte, length)
	n, _ := io.ReadFull(lines, rest)
	return head.String(), string(rest[:n])
}

// answers reads requests and answers each with the same text, keeping the connection.
func answers(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for {
			if raw, _ := takeRequest(conn); raw == "" {
				return
			}
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// names is a name server on loopback. A name it does not know does not exist.
func names(t testing.TB, known map[string][]string) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := resolve(buf[:n], known); err == nil {
				_, _ = socket.WriteTo(reply, from)
			}
		}
	})
	t.Cleanup(func() {
		socket.Close()
		wg.Wait()
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

func resolve(query []byte, known map[string][]string) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil || len(message.Questions) != 1 {
		return nil, fmt.Errorf("not a question: %w", err)
	}
	question := message.Questions[0]
	message.Response, message.Authoritative, message.RecursionAvailable = true, true, true
	message.Additionals = nil
	addresses, found := known[strings.TrimSuffix(question.Name.String(), ".")]
	if !found {
		message.RCode = dnsmessage.RCodeNameError
	}
	for _, text := range addresses {
		addr := netip.MustParseAddr(text)
		header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 1}
		switch {
		case addr.Is4() && question.Type == dnsmessage.TypeA:
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		case addr.Is6() && question.Type == dnsmessage.TypeAAAA:
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	return message.Pack()
}
