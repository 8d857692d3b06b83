package dispatcher_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func failing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

func TestGone(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	if _, err := d.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	status := d.WaitState(t, "acme", "e1", webhook.StateDead)
	if status.Deliveries[0].DeathReason != webhook.DeathGone {
		t.Fatalf("%+v", status.Deliveries)
	}
	e, err := d.Endpoint(t.Context(), r.Endpoint.Ref())
	if err != nil || e.DisabledReason != webhook.DisabledGone {
		t.Fatalf("endpoint %+v, %v", e, err)
	}
	if _, err := d.Publish(t.Context(), event("e2")); err != nil {
		t.Fatal(err)
	}
	d.WaitState(t, "acme", "e2", webhook.StateNotSent)
}

func TestMaxAttempts(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Retry.MaxAttempts = 2 })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(failing)
	if _, err := d.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	status := d.WaitState(t, "acme", "e1", webhook.StateDead)
	if got := status.Deliveries[0]; got.DeathReason != webhook.DeathMaxAttempts || got.Attempts != 2 || len(r.Received()) != 2 {
		t.Fatalf("%+v after %d webhooks", got, len(r.Received()))
	}
}

// TestReceiversThatMisbehave runs each fault beside a healthy endpoint of another
// brand: an attempt with its reason, by the deadline, and the worker lives.
func TestReceiversThatMisbehave(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Retry.MaxAttempts = 1 })
	healthy := d.Receiver(t, "healthy", webhook.PurposeStatus)
	for name, c := range map[string]struct {
		serve  func(net.Conn)
		reason webhook.Reason
	}{
		"hangs":   {func(c net.Conn) { io.Copy(io.Discard, c) }, webhook.ReasonTimeout},
		"resets":  {func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }, webhook.ReasonReset},
		"garbage": {func(c net.Conn) { answerRaw(c, "not HTTP at all\r\n\r\n") }, webhook.ReasonProtocol},
		"endless": {endless, webhook.ReasonHTTPStatus},
		"redirect": {func(c net.Conn) {
			answerRaw(c, "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
		}, webhook.ReasonHTTPStatus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brand := "brand-" + name
			url := rawServer(t, c.serve)
			_, _, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "ep", Brand: brand, URL: url, Purpose: webhook.PurposeStatus, Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			e := event("e1")
			e.Brand = brand
			if _, err := d.Publish(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			e.Brand, e.ID = "healthy", name
			if _, err := d.Publish(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			d.WaitDelivered(t, "healthy", name)
			d.WaitState(t, brand, "e1", webhook.StateDead)
			attempts, err := attemptsOf(t, d, brand, "e1")
			if err != nil || len(attempts) != 1 || attempts[0].Reason != c.reason {
				t.Fatalf("attempts %+v, %v; want reason %s", attempts, err, c.reason)
			}
		})
	}
	t.Cleanup(func() {
		if n := len(healthy.Received()); n != 5 {
			t.Errorf("the healthy endpoint got %d webhooks", n)
		}
	})
}

func answerRaw(c net.Conn, text string) {
	if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		io.WriteString(c, text)
	}
	c.Close()
}

func endless(c net.Conn) {
	defer c.Close()
	if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
		return
	}
	fmt.Fprint(c, "HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\n")
	for {
		if _, err := c.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
			return
		}
	}
}

// rawServer serves every connection until the test ends, and returns its URL.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String() + "/"
}

// TestNothingLeaks looks for the payload, the secret, header values and the
// URL's query in every log line and in what is kept of attempts.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var logged bytes.Buffer
	d := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&lockedWriter{&mu, &logged}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Retry.MaxAttempts = 2
	})
	r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) {
		e.URL += "?token=query-canary"
		e.Headers = map[string]string{"X-Api-Key": "header-canary"}
	})
	r.Answer(failing)
	e := event("e1")
	e.Payload = []byte(`{"to":"15552223333","text":"payload-canary"}`)
	if _, err := d.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	d.WaitState(t, "acme", "e1", webhook.StateDead)
	if got := r.Received(); got[0].Header.Get("X-Api-Key") != "header-canary" {
		t.Fatalf("headers %v", got[0].Header)
	}
	attempts, err := attemptsOf(t, d, "acme", "e1")
	if err != nil || len(attempts) != 2 {
		t.Fatalf("attempts %v, %v", attempts, err)
	}
	d.Stop()
	mu.Lock()
	defer mu.Unlock()
	seen := logged.String() + fmt.Sprintf("%+v", attempts)
	if !strings.Contains(seen, "msg=attempt") {
		t.Fatal("no attempt was logged at debug")
	}
	for _, canary := range []string{"15552223333", "payload-canary", "query-canary", "header-canary", r.Endpoint.Secrets[0].HMAC.Reveal()} {
		if strings.Contains(seen, canary) {
			t.Errorf("%q leaked", canary)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
