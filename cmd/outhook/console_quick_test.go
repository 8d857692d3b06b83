package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// What pages take with a brand of 50 endpoints and 100,000 attempts, and 10,000 endpoints of 200 brands: measured, for the
// README, and held only to being pages that do not show everything.
func TestConsoleWithMuchInIt(t *testing.T) {
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		t.Skip("takes minutes: set OUTHOOK_TEST_LONG=1")
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	d := startServe(t, redistest.Start(t, "--appendonly", "yes").Addr())
	api := d.client(t)
	crowdOf(t, 10_000, func(i int) error {
		_, _, err := api.CreateEndpoint(t.Context(), fmt.Sprintf("brand-%03d", i/50), httpapi.EndpointRequest{ID: fmt.Sprintf("ep-%02d", i%50), URL: receiver.URL, Purpose: "status"})
		return err
	})
	const brand = "brand-042"
	var last string
	for range 20 {
		batch := make([]httpapi.PublishRequest, 100)
		for i := range batch {
			batch[i] = httpapi.PublishRequest{Type: "message.delivered", Payload: []byte(`{"clientRef":"order-4711"}`)}
		}
		results, err := api.PublishBatch(t.Context(), brand, batch)
		if err != nil {
			t.Fatal(err)
		}
		last = results[99].ID
	}
	dispatchertest.Eventually(t, func() bool {
		h, err := api.BrandHealth(t.Context(), brand)
		return err == nil && h.LastHour.Attempts == 100_000
	})
	c := newConsoleClient(t, d.api)
	c.signIn(testKey)
	home := "/brands/" + brand
	for _, page := range []string{
		"/", "/?by=oldest&page=3", "/jobs", home + "/", home + "/endpoints/ep-07", home + "/attempts", home + "/attempts?endpoint=ep-07&outcome=delivered",
		home + "/attempts?outcome=dead", home + "/events", home + "/events/" + last, home + "/dead-letters", home + "/jobs",
	} {
		var took []time.Duration
		size := 0
		for range 9 {
			begun := time.Now()
			answer, body := c.send(http.MethodGet, page, nil)
			took, size = append(took, time.Since(begun)), len(body)
			if answer.StatusCode != http.StatusOK || len(body) > 200<<10 {
				t.Errorf("%s: %d, %d bytes", page, answer.StatusCode, len(body))
			}
		}
		slices.Sort(took)
		t.Logf("%-60s median %4d ms, longest %4d ms, %3d KiB", page, took[4].Milliseconds(), took[8].Milliseconds(), size>>10)
	}
	if _, body := c.send(http.MethodGet, "/", nil); strings.Count(body, "<tr>") != brandsShown+1 {
		t.Errorf("%d rows", strings.Count(body, "<tr>"))
	}
}

// brandsShown is a page of the operator's.
const brandsShown = 50

// crowdOf does something n times, eight at a time.
func crowdOf(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < n; i += 8 {
				if err := do(i); err != nil {
					t.Errorf("%d: %v", i, err)
					return
				}
			}
		})
	}
	group.Wait()
}
