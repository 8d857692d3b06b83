package dispatcher_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func long(t *testing.T) {
	t.Helper()
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		t.Skip("takes long: set OUTHOOK_TEST_LONG=1")
	}
}

// onServer runs a dispatcher on a real server, with the children's keys.
func onServer(t *testing.T, server *redistest.Server) *dispatchertest.Dispatcher {
	t.Helper()
	return dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Redis, c.Secrets = server.Client(t), sharedKeys()
	})
}

// TestPublisherKilled kills a publisher at every point of a fan-out to three
// endpoints. Every event ends at all three or at none: repeated by its caller
// it reaches all at once, and without that the reconciler completes it.
func TestPublisherKilled(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes")
	d := onServer(t, server)
	var receivers []*dispatchertest.Receiver
	for range 3 {
		receivers = append(receivers, d.Receiver(t, "acme", webhook.PurposeStatus))
	}
	if _, err := d.Publish(t.Context(), event("first")); err != nil { // the scripts are loaded now
		t.Fatal(err)
	}
	d.WaitDelivered(t, "acme", "first")

	points := []string{"1/1", "1/2", "1/3", "1/4", "2/0", "2/1", "2/2", "2/3", "2/4"} // pipeline / commands of it
	for i, point := range points {
		for _, repeat := range []bool{true, false} {
			id := fmt.Sprintf("killed-%d-%v", i, repeat)
			err := child(t, "publish", server.Addr(), childEvent+"="+id, childPoint+"="+point).Wait()
			if !wasKilled(err) {
				t.Fatalf("the publisher was not killed at %s: %v", point, err)
			}
			if repeat {
				receipt, err := d.Publish(t.Context(), event(id))
				if err != nil || len(receipt.Endpoints) != 3 || !receipt.Duplicate {
					t.Fatalf("killed at %s, published again: %+v, %v", point, receipt, err)
				}
			}
		}
	}
	nothing := "killed-nothing"
	if err := child(t, "publish", server.Addr(), childEvent+"="+nothing, childPoint+"=1/0").Wait(); !wasKilled(err) {
		t.Fatal(err)
	}
	for i := range points {
		for _, repeat := range []bool{true, false} {
			id := fmt.Sprintf("killed-%d-%v", i, repeat)
			if status := d.WaitDelivered(t, "acme", id); len(status.Deliveries) != 3 {
				t.Fatalf("%s has %d deliveries", id, len(status.Deliveries))
			}
		}
	}
	for _, r := range receivers {
		times := map[string]int{}
		for _, one := range r.Received() {
			times[one.ID()]++
		}
		if len(times) != 1+2*len(points) || times[nothing] != 0 {
			t.Errorf("an endpoint got %d events, want %d", len(times), 1+2*len(points))
		}
		for id, n := range times {
			if n > 1 {
				t.Logf("%s arrived %d times", id, n)
			}
		}
	}
}

// TestWorkerKilled kills a worker in the middle of a POST. The event comes
// again under the same id, and no attempt of the budget is used.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	long(t)
	server := redistest.Start(t, "--appendonly", "yes")
	publisher := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Redis, c.Secrets = server.Client(t), sharedKeys()
		c.Serve = []string{"bulk-0"} // takes no live delivery, and reconciles
		c.Retry.MaxAttempts = 1
	})
	r := publisher.Receiver(t, "acme", webhook.PurposeStatus)
	held := make(chan struct{})
	r.Answer(func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-held:
		case <-req.Context().Done():
		}
	})
	worker := child(t, "work", server.Addr())
	if _, err := publisher.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	r.Wait(t, 1)
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); !wasKilled(err) {
		t.Fatal(err)
	}
	close(held)
	child(t, "work", server.Addr())
	got := r.Wait(t, 2) // a lease of Asynq and a period of the reconciler
	if got[0].ID() != "e1" || got[1].ID() != "e1" || got[1].Header.Get("smobi-attempt") != "1" {
		t.Fatalf("received %v and %v", got[0].Header, got[1].Header)
	}
	t.Logf("redelivered %s after the first POST", got[1].At.Sub(got[0].At))
	status := publisher.WaitDelivered(t, "acme", "e1")
	if status.Deliveries[0].Attempts != 1 {
		t.Fatalf("%d attempts counted", status.Deliveries[0].Attempts)
	}
}

// TestStopWaitsForTheAttempt stops a worker in the middle of a POST.
func TestStopWaitsForTheAttempt(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
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
	stopped := make(chan struct{})
	go func() {
		d.Stop()
		close(stopped)
	}()
	if _, err := d.Publish(t.Context(), event("e2")); err != nil { // publishing goes on
		t.Fatal(err)
	}
	close(answer)
	<-stopped
	status, err := d.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: "e1"})
	if err != nil || status.Deliveries[0].State != webhook.StateDelivered || len(r.Received()) > 2 {
		t.Fatalf("after the stop: %+v, %v", status.Deliveries, err)
	}
}
