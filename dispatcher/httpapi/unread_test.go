package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// pipes is a listener of connections in memory, which hold nothing that is not read, and whose deadlines go by the clock of a bubble.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	quit  chan struct{}
}

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

// asks sends a request of which nobody reads the answer.
func (l *pipes) asks(t *testing.T, path, key string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	l.conns <- server
	t.Cleanup(func() { client.Close() })
	if _, err := fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer %s\r\n\r\n", path, key); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return client
}

// statusOn reads that of the answer, and no more.
func statusOn(t *testing.T, conn net.Conn) int {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// serveInMemory serves the API in the bubble of the test.
func serveInMemory(t *testing.T, service *fakeService, change func(*httpapi.Config)) *pipes {
	t.Helper()
	c := httpapi.Config{Service: service, Identify: identify}
	change(&c)
	handler, err := httpapi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l := &pipes{conns: make(chan net.Conn), quit: make(chan struct{})}
	s := &http.Server{Handler: handler, WriteTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
		time.Sleep(time.Second) // the pause before net/http closes a connection, which nothing ends
	})
	return l
}

// Answers that nobody reads are held, and are on the account of their brand for as long as they are.
func TestUnreadAnswersTakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newFake()
		large := func(c *httpapi.Config) { c.PayloadBytes = 4 << 20 }
		payload := []byte(`"` + strings.Repeat("x", 4<<20-2) + `"`)
		for i := range 3 {
			ref := webhook.EventRef{Brand: "acme", ID: fmt.Sprint("e", i)}
			service.events[ref] = webhook.Event{Brand: "acme", ID: ref.ID, Type: "message.read", Payload: payload}
		}
		l := serveInMemory(t, service, large)
		// A list of 12 MiB: twice, as what it holds is known when it is there.
		unread := []net.Conn{l.asks(t, "/v1/brands/acme/events", "brand-acme"), l.asks(t, "/v1/brands/acme/events", "brand-acme")}
		unread = append(unread, l.asks(t, "/v1/brands/acme/events/e1", "brand-acme"))
		for _, path := range []string{"/v1/brands/acme/events/e1", "/v1/brands/acme/events", "/v1/brands/acme/attempts", "/v1/event-types"} {
			if got := statusOn(t, l.asks(t, path, "brand-acme")); got != http.StatusTooManyRequests {
				t.Errorf("%s: %d", path, got)
			}
		}
		if got := statusOn(t, l.asks(t, "/v1/brands/other/events", "brand-other")); got != 200 {
			t.Errorf("another brand: %d", got)
		}
		for _, conn := range unread {
			conn.Close()
		}
		synctest.Wait()
		if got := statusOn(t, l.asks(t, "/v1/brands/acme/events", "brand-acme")); got != 200 {
			t.Errorf("afterwards: %d", got)
		}
	})
}

// What turns out to be small holds little while it is read, however much it might have been.
func TestSmallAnswersHoldLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := serveInMemory(t, newFake(), func(*httpapi.Config) {})
		for i := range 60 {
			l.asks(t, "/v1/brands/acme/events", "brand-acme")
			if i%10 == 0 {
				if got := statusOn(t, l.asks(t, "/v1/brands/acme/attempts", "brand-acme")); got != 200 {
					t.Fatalf("after %d: %d", i, got)
				}
			}
		}
	})
}

// What needs no key is not kept for long for whom does not read it.
func TestWhoReadsNothingIsNotWaitedForLong(t *testing.T) {
	for path, key := range map[string]string{"/docs": "", "/openapi.json": "", "/v1/event-types": "wrong"} {
		synctest.Test(t, func(t *testing.T) {
			l := serveInMemory(t, newFake(), func(*httpapi.Config) {})
			conn := l.asks(t, path, key)
			time.Sleep(7 * time.Second) // of the server's minute
			synctest.Wait()
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
				t.Errorf("%s: it is written still: %d bytes, %v", path, len(rest), err)
			}
		})
	}
}

// Only a request of which it is known who asks, and for which there is room, is admitted.
func TestWhoIsAdmitted(t *testing.T) {
	var mu sync.Mutex
	var admitted []string
	a := start(t, func(c *httpapi.Config) {
		c.RequestsAtOnce = 4
		c.Admitted = func(r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			admitted = append(admitted, r.URL.Path)
		}
	})
	a.fill(t, "full", 10)
	for _, c := range []struct{ path, key string }{
		{"/docs", adminKey}, {"/openapi.json", ""}, {"/v1/event-types", "wrong"}, {"/v1/nothing", adminKey}, {"/v1/keys", "brand-acme"},
		{"/v1/brands/other/endpoints", "brand-acme"}, {"/v1/brands/full/endpoints", "brand-full"}, {"/v1/event-types", "brand-acme"},
	} {
		a.send(t, "GET", c.path, "", "Authorization", "Bearer "+c.key)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(admitted, " "); got != "/v1/brands/full/events /v1/brands/full/events /v1/event-types" {
		t.Errorf("admitted: %s", got)
	}
}
