package dispatcher_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// leastFailures disable an endpoint, however short the time.
const leastFailures = 20

// despairing gives an endpoint up after a second of nothing but failures, which come quickly.
func despairing(c *dispatcher.Config) {
	c.AutoDisableAfter = time.Second
	c.Retry.InitialInterval, c.Retry.MaxInterval, c.Retry.Multiplier = 20*time.Millisecond, 20*time.Millisecond, 1
	c.Breaker.Failures = 1_000_000
}

// Nothing but failures, of whatever kind, disable an endpoint; what waits goes on once it is enabled, and the count begins anew.
func TestAnEndpointThatOnlyFailsIsDisabled(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"500": answering(http.StatusInternalServerError), "404": answering(http.StatusNotFound), "302": answering(http.StatusFound),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := onServer(t, redistest.Start(t), despairing)
			watcher := d.Receiver(t, "acme", "", wanting(catalog.TypeEndpointDisabled))
			r := d.Receiver(t, "acme", webhook.PurposeStatus)
			r.Answer(answer)
			publishAll(t, d, "e", leastFailures)
			for range 2 {
				before := len(r.Received())
				e := awaitDisabled(t, d, r)
				watcher.Wait(t, 1) // once an hour: it is told of an endpoint that is still disabled
				if e.DisabledReason != webhook.DisabledFailing || e.DisabledAnswer != name || e.DisabledAt.IsZero() {
					t.Errorf("%+v", e)
				}
				if n := len(r.Received()) - before; n < leastFailures {
					t.Errorf("disabled after %d failures", n)
				}
				update(t, d, r.Endpoint.Ref(), enabled)
			}
			if b := said(t, catalog.TypeEndpointDisabled, watcher.Wait(t, 1)[0].Body); b.DisabledReason != webhook.DisabledFailing {
				t.Errorf("told: %+v", b)
			}
			r.Answer(nil)
			for i := range leastFailures {
				d.WaitDelivered(t, "acme", fmt.Sprint("e", i))
			}
		})
	}
}

func awaitDisabled(t *testing.T, d *dispatchertest.Dispatcher, r *dispatchertest.Receiver) (e webhook.Endpoint) {
	t.Helper()
	dispatchertest.Eventually(t, func() bool {
		var err error
		e, err = d.Endpoint(t.Context(), r.Endpoint.Ref())
		return err == nil && e.DisabledReason != ""
	})
	return e
}

// One success in many keeps an endpoint, as does a configuration that gives up nobody.
func TestAnEndpointThatFailsNowAndThenIsKept(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		each   int32 // every so many an attempt succeeds; 0 never
		change func(*dispatcher.Config)
	}{
		"a success in between": {leastFailures - 1, asIs},
		"never disabled":       {0, func(c *dispatcher.Config) { c.AutoDisableAfter = -1 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := onServer(t, redistest.Start(t), despairing, tt.change)
			r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
			var n atomic.Int32
			r.Answer(func(w http.ResponseWriter, _ *http.Request) {
				if i := n.Add(1); tt.each == 0 || i%tt.each != 0 {
					w.WriteHeader(http.StatusInternalServerError)
				}
			})
			began := time.Now()
			publishAll(t, d, "e", 100)
			dispatchertest.Eventually(t, func() bool { return n.Load() > 4*leastFailures && time.Since(began) > 3*time.Second })
			if e, err := d.Endpoint(t.Context(), r.Endpoint.Ref()); err != nil || e.DisabledReason != "" {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}
