package dispatcher_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// inUse is how much memory a server uses, in bytes.
func inUse(t *testing.T, admin redis.UniversalClient) (bytes int) {
	t.Helper()
	_, rest, _ := strings.Cut(admin.Info(t.Context(), "memory").Val(), "used_memory:")
	fmt.Sscan(rest, &bytes)
	return bytes
}

// TestRedisFillsUp: from the watermark on publishing is refused, what was accepted is delivered, and all is well once there is
// room.
func TestRedisFillsUp(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "about the memory of one")
	var log diary
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	d := onServer(t, server, log.keep)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	answer := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(goOn)
	r.Answer(func(http.ResponseWriter, *http.Request) { <-answer })
	for i := range 20 {
		if _, err := d.Publish(t.Context(), event(fmt.Sprint("before-", i))); err != nil {
			t.Fatal(err)
		}
	}
	admin := server.Admin(t)
	if err := admin.Set(t.Context(), "ballast", strings.Repeat("x", 30<<20), 0).Err(); err != nil { // beside which all else counts little
		t.Fatal(err)
	}
	var refused error
	dispatchertest.Eventually(t, func() bool {
		set(t, server, "maxmemory", fmt.Sprint(inUse(t, admin)*100/90)) // what the ballast came in is given back after a while
		_, refused = d.Publish(t.Context(), event("refused"))
		return refused != nil
	})
	if !errors.Is(refused, webhook.ErrFull) || !errors.Is(refused, webhook.ErrUnavailable) {
		t.Fatalf("refused with %v", refused)
	}
	if _, err := d.PublishBatch(t.Context(), []webhook.Event{event("batch")}); !errors.Is(err, webhook.ErrFull) {
		t.Errorf("batch: %v", err)
	}
	if _, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobResend, Brand: "acme"}); !errors.Is(err, webhook.ErrFull) {
		t.Errorf("job that sends: %v", err)
	}
	if _, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobDelete, Brand: "acme"}); err != nil {
		t.Errorf("job that deletes: %v", err)
	}
	if err := d.Ready(t.Context()); err != nil {
		t.Errorf("not ready to deliver: %v", err)
	}
	goOn()
	for i := range 20 {
		d.WaitDelivered(t, "acme", fmt.Sprint("before-", i))
	}
	if _, err := d.Explain(t.Context(), webhook.EventRef{Brand: "acme", ID: "batch"}); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("of what was refused something is stored: %v", err)
	}
	if n := log.count("redis is nearly full"); n != 1 {
		t.Errorf("said %d times that it is full", n)
	}
	if err := admin.Del(t.Context(), "ballast").Err(); err != nil {
		t.Fatal(err)
	}
	dispatchertest.Eventually(t, func() bool {
		_, err := d.Publish(t.Context(), event("after"))
		return err == nil
	})
	d.WaitDelivered(t, "acme", "after")
}

// TestPublishersLookOnceASecond how full Redis is, however many they are.
func TestPublishersLookOnceASecond(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "what one server was asked is counted")
	server := redistest.Start(t)
	d := notRun(t, server.Client(t), asIs)
	admin := server.Admin(t)
	if err := admin.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var publishers sync.WaitGroup
	for p := range 4 {
		publishers.Go(func() {
			for i := range 100 {
				if _, err := d.Publish(t.Context(), event(fmt.Sprint(p, "-", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	most := int(time.Since(began)/time.Second) + 1
	_, asked, _ := strings.Cut(admin.Info(t.Context(), "commandstats").Val(), "cmdstat_info:calls=")
	n := 0
	fmt.Sscan(asked, &n)
	if n < 1 || n > most {
		t.Errorf("asked %d times in %s", n, time.Since(began))
	}
}

// TestDurablePublish freezes the replica: a publish is refused in time, and accepted when it is repeated; what is delivered
// meanwhile waits for nobody.
func TestDurablePublish(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "its replica is frozen")
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	d := onServer(t, primary, func(c *dispatcher.Config) { c.Durable.Replicas, c.Durable.Timeout = 1, 500*time.Millisecond })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	if _, err := d.Publish(t.Context(), event("before")); err != nil {
		t.Fatal(err)
	}
	d.WaitDelivered(t, "acme", "before")
	replica.Stop(t)
	began := time.Now()
	_, err := d.Publish(t.Context(), event("during"))
	took := time.Since(began)
	t.Logf("refused after %s", took.Round(time.Millisecond))
	if !errors.Is(err, webhook.ErrUnavailable) || errors.Is(err, webhook.ErrFull) || took > answeredWithin {
		t.Fatalf("with a frozen replica: %v after %s", err, took)
	}
	if _, err := d.Publish(t.Context(), event("during")); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("repeated: %v", err)
	}
	d.WaitDelivered(t, "acme", "during") // it was stored: the reconciler finishes it, and does not wait
	if _, err := d.Publish(t.Context(), event("during")); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("repeated after its delivery: %v", err)
	}
	replica.Continue(t)
	dispatchertest.Eventually(t, func() bool {
		receipt, err := d.Publish(t.Context(), event("during"))
		return err == nil && receipt.Duplicate
	})
	if n := len(r.Received()); n != 2 {
		t.Errorf("%d webhooks, want 2", n)
	}
}
