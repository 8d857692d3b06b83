package dispatcher_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// TestRedisAway takes Redis away, killed and then frozen: publishing answers
// ErrUnavailable and does not hang, and everything goes on by itself.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	d := onServer(t, server)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	faults := []struct {
		name       string
		away, back func()
	}{
		{"killed", server.Kill, func() { server.Restart(t) }},
		{"frozen", func() { server.Stop(t) }, func() { server.Continue(t) }},
	}
	for i, fault := range faults {
		before, during := fmt.Sprint("before-", i), fmt.Sprint("during-", i)
		if _, err := d.Publish(t.Context(), event(before)); err != nil {
			t.Fatal(err)
		}
		d.WaitDelivered(t, "acme", before) // what is under way may wait for its lease to end
		fault.away()
		if _, err := d.Publish(t.Context(), event(during)); !errors.Is(err, webhook.ErrUnavailable) {
			t.Fatalf("%s: Publish = %v", fault.name, err)
		}
		if err := d.Ready(t.Context()); err == nil {
			t.Fatalf("%s: ready", fault.name)
		}
		fault.back()
		dispatchertest.Eventually(t, func() bool {
			_, err := d.Publish(t.Context(), event(during)) // the same id: safe
			return err == nil
		})
		d.WaitDelivered(t, "acme", during)
	}
	times := map[string]int{}
	for _, one := range r.Received() {
		times[one.ID()]++
	}
	if len(times) != 4 {
		t.Fatalf("received %v, want four events", times)
	}
}

// TestRedisAwayWhileRecording takes Redis away in the middle of a POST: the
// attempt is recorded when it is back, and the event not sent again.
func TestRedisAwayWhileRecording(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	d := onServer(t, server)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	arrived, answer := make(chan struct{}), make(chan struct{})
	r.Answer(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-answer
	})
	if _, err := d.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	<-arrived
	server.Kill()
	close(answer)
	dispatchertest.Eventually(t, func() bool { return d.Ready(t.Context()) != nil })
	server.Restart(t)
	status := d.WaitDelivered(t, "acme", "e1")
	if n := len(r.Received()); n != 1 || status.Deliveries[0].Attempts != 1 {
		t.Fatalf("%d webhooks, %+v", n, status.Deliveries)
	}
}

// TestTwoProcesses has one dispatcher publish and another deliver.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Redis, c.Secrets, c.Serve = server.Client(t), sharedKeys(), []string{"bulk-0"}
	})
	r := publisher.Receiver(t, "acme", webhook.PurposeStatus)
	worker := onServer(t, server)
	for i := range 50 {
		if _, err := publisher.Publish(t.Context(), event(fmt.Sprint("e", i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		worker.WaitDelivered(t, "acme", fmt.Sprint("e", i))
	}
	if n := len(r.Received()); n != 50 {
		t.Fatalf("%d webhooks", n)
	}
}
