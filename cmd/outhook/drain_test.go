package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// A worker that drains takes nothing more: what comes then is another's.
func TestServeTakesNothingWhileItDrains(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	api := startServe(t, store.Addr(), "--role=api")
	old := startServe(t, store.Addr(), "--role=worker", "--log-level=debug")
	answer := make(chan struct{})
	to := newTarget(t, api.client(t), answer)
	release := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(release)
	publish := func(id string) {
		t.Helper()
		if got := api.publish(t, "--type=message.read", "--id="+id, "--data={}"); got.code != exitDone {
			t.Fatalf("publish: %+v", got)
		}
	}
	publish("e1")
	to.expect(t, "e1", "{}")
	old.terminate(t)
	old.awaitLog(t, "draining")
	publish("e2")
	next := startServe(t, store.Addr(), "--role=worker", "--log-level=debug")
	to.expect(t, "e2", "{}") // and the first is still in flight
	release()
	if code := old.exit(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	for id, worker := range map[string]*child{"e1": old, "e2": next} {
		if e := awaitState(t, api.client(t), id, webhook.StateDelivered); e.Deliveries[0].Attempts != 1 {
			t.Errorf("%s: %+v", id, e.Deliveries)
		}
		if made := worker.logged("attempt"); len(made) != 1 || made[0]["event"] != id {
			t.Errorf("%s: attempts %v", id, made)
		}
	}
}

// Who signals again while attempts are in flight does not want to wait for them. The POST is another's then.
func TestServeQuitsNowWhenAskedTwice(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startServe(t, redistest.Start(t).Addr())
			answer := make(chan struct{})
			to := newTarget(t, c.client(t), answer)
			t.Cleanup(func() { close(answer) }) // not before the process has ended
			if got := c.publish(t, "--type=message.read", "--id=e1", "--data={}"); got.code != exitDone {
				t.Fatalf("publish: %+v", got)
			}
			to.expect(t, "e1", "{}")
			for _, message := range []string{"shutting down: serving on", ""} {
				if err := c.cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				if message != "" {
					c.awaitLog(t, message)
				}
			}
			if code := c.exit(); code != exitFailed || len(c.logged("drained")) != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// Redis is silent, and an attempt cannot be recorded: the process ends all the same before it is killed, and says that there is
// something that comes again. The attempt is made again, and recorded, by the next.
func TestServeEndsWithinItsGrace(t *testing.T) {
	t.Parallel()
	long(t)
	const grace = 40 * time.Second
	store := redistest.Start(t)
	c := startServe(t, store.Addr(), "--shutdown-grace="+grace.String())
	answer := make(chan struct{})
	to := newTarget(t, c.client(t), answer)
	release := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(release)
	if got := c.publish(t, "--type=message.read", "--id=e1", "--data={}"); got.code != exitDone {
		t.Fatalf("publish: %+v", got)
	}
	to.expect(t, "e1", "{}")
	store.Stop(t)
	began := time.Now()
	c.terminate(t)
	c.awaitLog(t, "draining")
	release()
	c.exit()
	if took := time.Since(began); took > grace || len(c.logged("redis was away, tasks come again; said once a minute")) != 1 {
		t.Errorf("ended after %s", took)
	}
	store.Continue(t)
	next := startServe(t, store.Addr())
	to.expect(t, "e1", "{}")
	if e := awaitState(t, next.client(t), "e1", webhook.StateDelivered); e.Deliveries[0].Attempts != 1 {
		t.Errorf("%+v", e.Deliveries)
	}
}

// halfRequest is a publish whose handler waits for the body.
type halfRequest struct {
	net.Conn
	answer *bufio.Reader
	body   string
}

func (c *child) halfRequest(t *testing.T, id string) halfRequest {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.api, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := halfRequest{conn, bufio.NewReader(conn), `{"id":"` + id + `","type":"message.read","payload":{}}`}
	_, err = fmt.Fprintf(conn, "POST /v1/brands/acme/events HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", testKey, len(h.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} { // the handler reads
		if line, err := h.answer.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	return h
}

func (h halfRequest) finish(t *testing.T) *http.Response {
	t.Helper()
	if _, err := io.WriteString(h, h.body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(h.answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// A request that has begun is answered, and its event is delivered; there are no new ones.
func TestServeAnswersWhatHasBegun(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	api := startServe(t, store.Addr(), "--role=api")
	startServe(t, store.Addr(), "--role=worker")
	to := newTarget(t, api.client(t), atOnce())
	begun := api.halfRequest(t, "e1")
	api.terminate(t)
	api.awaitLog(t, "draining")
	dispatchertest.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(api.api, "http://"))
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	if response := begun.finish(t); response.StatusCode != http.StatusAccepted || !response.Close {
		t.Errorf("%d, closes %t", response.StatusCode, response.Close)
	}
	if code := api.exit(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	to.expect(t, "e1", "{}")
}

// While it serves on after the signal, each answer sends its client elsewhere for the next one: a connection that is closed
// only when the process ends may be closed with a request on its way.
func TestServeSendsItsClientsElsewhere(t *testing.T) {
	t.Parallel()
	c := startServe(t, redistest.Start(t).Addr(), "--shutdown-delay=1h")
	c.awaitReady(t, 200, "ok\n")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	closes := func() bool {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.api+"/v1/brands/acme/endpoints", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+testKey)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%d, %v", response.StatusCode, err)
		}
		return response.Close
	}
	if closes() {
		t.Error("a connection is not kept")
	}
	c.terminate(t)
	c.awaitLog(t, "shutting down: serving on")
	if !closes() {
		t.Error("a connection is kept by a process that ends")
	}
}
