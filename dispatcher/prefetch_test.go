package dispatcher_test

import (
	"net/http"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// TestWorkerKilledWithTasksHeld kills a worker that has taken a batch of tasks
// and begun none of them. Once their leases are over the reconciler has each
// delivered: Asynq itself would wait for half a minute longer.
func TestWorkerKilledWithTasksHeld(t *testing.T) {
	t.Parallel()
	const endpoints = 40 // ten a queue, of which five are taken at first
	server := redistest.Start(t, "--appendonly", "yes")
	warm(t, server)
	d := onServer(t, server, idle)
	b := newBooks()
	for range endpoints {
		b.endpoint(t, d, "acme", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}
	if err := b.publish(t.Context(), d, eventOf("acme", "e1")); err != nil {
		t.Fatal(err)
	}
	awaitKilled(t, child(t, "work", server.URL(), childPoint+"=after dequeue 1"))
	killed := time.Now()
	held := endLeasesOf(t, redistest.Admin(t, d.Redis), 10*time.Second)
	if held < 2 && !dispatchertest.Config().Switches.NoPrefetch {
		t.Errorf("%d tasks were held", held)
	}
	survivor := onServer(t, server)
	duplicates := b.balance(t, survivor, dispatchertest.Patience)
	t.Logf("all complete %s after the kill at the latest, %d duplicates; re-driven: %v, %v",
		b.slowest(map[string]time.Time{"acme": killed}).Round(100*time.Millisecond), duplicates, d.Redriven(), survivor.Redriven())
	if n := d.Redriven()["abandoned"] + survivor.Redriven()["abandoned"]; n < held {
		t.Errorf("%d of %d re-driven as abandoned", n, held)
	}
}
