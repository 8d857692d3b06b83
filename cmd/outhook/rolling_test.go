package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

// rolling is a deployment: some API processes and workers, each of which is replaced in its turn.
type rolling struct {
	*testing.T
	store string

	mu sync.Mutex
	// apis are those that are ready, as a balancer knows them; nil for one that is not.
	apis []*httpapi.Client
	next int
	// received counts the 2xx of each event, published those that were accepted.
	received  map[string]int
	published []string
	// elsewhere counts the publishes that were made anew, as nobody listened where they went first.
	elsewhere int
	refused   []error
}

// begin starts a process, which is ready when it returns. program is empty for this one.
func (r *rolling) begin(program string, args ...string) *child {
	r.Helper()
	cmd := serveCommand(program, append(args, "--shutdown-delay=500ms")...)
	c := startChild(r.T, r.store, cmd)
	c.awaitReady(r.T, 200, "ok\n")
	return c
}

// end terminates a process, which must drain. An API process, the i-th, gets no more requests once it is not ready.
func (r *rolling) end(i int, c *child) {
	r.Helper()
	c.terminate(r.T)
	if c.api != "" {
		c.awaitReady(r.T, 503, "shutting down\n")
		r.balance(i, nil)
	}
	if code := c.exit(); code != exitDone || len(c.logged("drained")) != 1 {
		r.Errorf("%v: exit code %d", c.cmd.Args[1:], code)
	}
}

// balance makes an API process the i-th; nil, that there is none.
func (r *rolling) balance(i int, c *child) {
	r.Helper()
	var client *httpapi.Client
	if c != nil {
		var err error
		if client, err = httpapi.NewClient(c.api, testKey, nil); err != nil {
			r.Fatal(err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apis[i] = client
}

func (r *rolling) api() *httpapi.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		r.next++
		if client := r.apis[r.next%len(r.apis)]; client != nil {
			return client
		}
	}
}

// publish goes to each API process in turn, and to the next when nobody listens there. Any other error is one.
func (r *rolling) publish(ctx context.Context, id string) {
	for range 100 {
		_, err := r.api().Publish(ctx, "acme", httpapi.PublishRequest{ID: id, Type: "message.read", Payload: []byte(`{}`)})
		dial, ok := errors.AsType[*net.OpError](err)
		r.mu.Lock()
		switch {
		case err == nil:
			r.published = append(r.published, id)
		case ok && dial.Op == "dial":
			r.elsewhere++
		default:
			r.refused = append(r.refused, fmt.Errorf("%s: %w", id, err))
		}
		r.mu.Unlock()
		if !ok || dial.Op != "dial" {
			return
		}
	}
	r.Errorf("%s: nobody listens anywhere", id)
}

// load publishes perSecond events a second until ctx ends.
func (r *rolling) load(ctx context.Context, perSecond int) {
	var open sync.WaitGroup
	defer open.Wait()
	pace := time.NewTicker(time.Second / time.Duration(perSecond))
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
			open.Go(func() { r.publish(r.Context(), fmt.Sprintf("e%06d", i)) })
		}
	}
}

// receive registers an endpoint that takes a moment for each event, and now and then longer than a process may be replaced in.
func (r *rolling) receive() {
	r.Helper()
	secret := signer.NewSecret()
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		served++
		slow := served%100 == 0
		r.mu.Unlock()
		pause := 30 * time.Millisecond
		if slow {
			pause = 3 * time.Second
		}
		time.Sleep(pause)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.received[q.Header.Get(signer.HeaderID)]++
	}))
	r.Cleanup(server.Close)
	_, _, err := r.api().CreateEndpoint(r.Context(), "acme", httpapi.EndpointRequest{
		URL: server.URL + "/hook", Purpose: webhook.PurposeStatus, Secret: secret.Reveal(),
	})
	if err != nil {
		r.Fatal(err)
	}
}

// check waits until everything that was accepted is received, and holds what was against what is promised.
func (r *rolling) check() {
	r.Helper()
	missing := func() (lost int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, id := range r.published {
			if r.received[id] == 0 {
				lost++
			}
		}
		return lost
	}
	for deadline := time.Now().Add(dispatchertest.Patience); missing() > 0 && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	lost, duplicates := 0, 0
	for _, id := range r.published {
		if r.received[id] == 0 {
			lost++
		}
	}
	for _, n := range r.received {
		duplicates += n - 1
	}
	r.Logf("%d events accepted, %d of them after another try to connect; lost %d, duplicates %d, publish errors %d",
		len(r.published), r.elsewhere, lost, duplicates, len(r.refused))
	if lost+duplicates+len(r.refused) > 0 {
		r.Errorf("lost %d, duplicates %d, publish errors %d: %v", lost, duplicates, len(r.refused), errors.Join(r.refused...))
	}
}

// deploy begins apis and workers, and replaces each of them so many times while events come in. program names what the n-th of
// all processes runs.
func deploy(t *testing.T, apis, workers, times, perSecond int, program func(n int) string) {
	t.Helper()
	r := &rolling{T: t, store: redistest.Start(t, "--appendonly", "yes").Addr(), apis: make([]*httpapi.Client, apis), received: map[string]int{}}
	processes, n := make([]*child, apis+workers), 0
	replace := func(i int) {
		t.Helper()
		kind := "--role=worker"
		if i < apis {
			kind = "--role=api"
		}
		if processes[i] != nil {
			r.end(i, processes[i])
		}
		if processes[i] = r.begin(program(n), kind); i < apis {
			r.balance(i, processes[i])
		}
		n++
	}
	for i := range processes {
		replace(i)
	}
	r.receive()
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { r.load(ctx, perSecond) })
	for range times {
		for i := range processes {
			replace(i)
		}
	}
	stop()
	load.Wait()
	r.check()
}

// TestRollingRestart replaces every process of a deployment, one after the other, while events come in: nothing is lost,
// nothing is sent twice, and nobody who publishes sees an error, if he connects anew where nobody listens.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	this := func(int) string { return "" }
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		deploy(t, 2, 1, 1, 20, this)
		return
	}
	deploy(t, 2, 3, 5, 100, this)
}

// TestTwoVersionsSideBySide does so with processes of the version before and of this one by turns.
func TestTwoVersionsSideBySide(t *testing.T) {
	t.Parallel()
	before := os.Getenv("OUTHOOK_TEST_BEFORE")
	if before == "" {
		t.Skip("set OUTHOOK_TEST_BEFORE to the program of the version before")
	}
	deploy(t, 2, 3, 3, 100, func(n int) string {
		if n%2 == 0 {
			return before
		}
		return ""
	})
}
