package main

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// lostWorker kills the worker with attempts in flight, and looks at what is left and what comes for the next one.
func (a *aviary) lostWorker(t *testing.T) {
	lost := a.worker
	_ = lost.cmd.Process.Kill()
	<-lost.exited
	a.see("log of the lost worker", string(lost.log()))
	event := httpapi.PublishRequest{ID: "e9", Type: "message.read", Payload: a.payload("a waiting event", kindPayload)}
	if _, err := a.client.Publish(t.Context(), "fine", event); err != nil {
		t.Fatal(err)
	}
	a.seen = append(a.seen, everyPage(t, "api", a.api)...)
	a.worker = a.startWorker(t)
	dispatchertest.Eventually(t, func() bool {
		e, err := a.client.Event(t.Context(), "fine", "e9")
		return err == nil && e.Deliveries[0].State == string(webhook.StateDelivered)
	})
	if os.Getenv("OUTHOOK_TEST_LONG") != "" { // what the lost one had in flight comes again
		waitForArrivals(t, a.hung, "hangs", "e1", "e2")
	}
}

// frozenRedis makes everything fail that touches it, for as long as a caller waits.
func (a *aviary) frozenRedis(t *testing.T) {
	endpoint := httpapi.EndpointRequest{
		URL: "https://example.com/?" + a.new("a query that came to nothing", kindSecret), Purpose: webhook.PurposeStatus, Secret: a.secret(t, "a secret that came to nothing"),
		Headers: map[string]string{"x-canary": a.new("a header that came to nothing", kindSecret)},
	}
	event := httpapi.PublishRequest{Type: "message.read", Payload: a.payload("an event in the cold", kindPayload)}
	inFlight := httpapi.PublishRequest{ID: "e9", Type: "message.read", Payload: a.payload("an event whose attempt cannot be recorded", kindPayload)}
	if _, err := a.client.Publish(t.Context(), "tires", inFlight); err != nil {
		t.Fatal(err)
	}
	waitForArrivals(t, a.hung, "tires", "e9")
	a.store.Stop(t)
	var asked sync.WaitGroup
	var created, published error
	asked.Go(func() { _, _, created = a.client.CreateEndpoint(t.Context(), "cold", endpoint) })
	asked.Go(func() { _, published = a.client.Publish(t.Context(), "fine", event) })
	asked.Wait()
	a.store.Continue(t)
	for _, err := range []error{created, published} {
		if !errors.Is(err, webhook.ErrUnavailable) {
			t.Errorf("with a frozen redis: %v", err)
		} else {
			a.see("error with a frozen redis", err.Error())
		}
	}
	for _, c := range []*child{a.api, a.worker} {
		c.awaitReady(t, http.StatusOK, "ok\n")
	}
}

// collect ends both processes and reads everything they left.
func (a *aviary) collect(t *testing.T) {
	a.seen = append(a.seen, everyPage(t, "api", a.api)...)
	a.seen = append(a.seen, everyPage(t, "worker", a.worker)...)
	a.api.terminate(t)
	_ = a.worker.cmd.Process.Kill() // something hangs in it
	<-a.worker.exited
	if code := a.api.exit(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	a.see("log of the API", string(a.api.log()))
	a.see("log of the worker", string(a.worker.log()))
	a.seeTraces(t)
	a.seen = append(a.seen, everyKey(t, a.store)...)
	a.seen = append(a.seen, everyFile(t, a.store)...)
}

// seeTraces reads what both processes exported.
func (a *aviary) seeTraces(t *testing.T) {
	t.Helper()
	a.traces.mu.Lock()
	defer a.traces.mu.Unlock()
	a.see("traces", string(a.traces.raw))
	names := map[string]bool{}
	for _, span := range a.traces.spans {
		verb, _, _ := strings.Cut(span.Name, " ")
		names[verb] = true
	}
	if len(names) != 3 {
		t.Errorf("spans of %v, want publish, wait and deliver", names)
	}
}
