package dispatcher_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// TestManyDeadLetters lists more of them than Asynq would keep, each once.
func TestManyDeadLetters(t *testing.T) {
	t.Parallel()
	long(t)
	const many = 12_000
	server := redistest.Start(t)
	d := onServer(t, server, func(c *dispatcher.Config) { c.Retry.MaxAttempts = 1 })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	publishMany(t, d, "acme", many)
	listed := map[string]bool{}
	dispatchertest.Eventually(t, func() bool { return len(r.Received()) >= many })
	dispatchertest.Eventually(t, func() bool {
		clear(listed)
		for q := (webhook.DeadLetterQuery{Brand: "acme", Slice: webhook.Slice{Limit: 200}}); ; {
			page, err := d.DeadLetters(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, letter := range page.Items {
				if listed[letter.Delivery.Ref.EventID] {
					t.Fatalf("%s is listed twice", letter.Delivery.Ref.EventID)
				}
				listed[letter.Delivery.Ref.EventID] = true
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		return len(listed) == many
	})
	t.Logf("%d dead letters listed by pages", len(listed))
}

// waitingBytes is the bar of Redis memory for a delivery that waits, all told.
const waitingBytes = 900

// TestMemoryOfWaiting measures what 50,000 deliveries take that nobody works.
func TestMemoryOfWaiting(t *testing.T) {
	t.Parallel()
	long(t)
	redistest.OneServer(t, "about the memory of one")
	const many = 50_000
	for _, endpoints := range []int{1, 1000} {
		t.Run(fmt.Sprint(endpoints, " endpoints"), func(t *testing.T) {
			server := redistest.Start(t)
			d := onServer(t, server, idle)
			for i := range endpoints {
				e := webhook.Endpoint{Brand: fmt.Sprint("b", i), URL: "http://127.0.0.1:9/hook", Purpose: webhook.PurposeStatus}
				if _, _, err := d.CreateEndpoint(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			publishMany(t, d, "warm", 1) // scripts and pools
			before := memoryUsed(t, server.Admin(t))
			for i := range endpoints {
				publishMany(t, d, fmt.Sprint("b", i), many/endpoints)
			}
			each := (memoryUsed(t, server.Admin(t)) - before) / many
			t.Logf("%d waiting on %d endpoints: %d bytes each", many, endpoints, each)
			if each > waitingBytes {
				t.Errorf("%d bytes each, bar %d", each, waitingBytes)
			}
		})
	}
}

// publishMany publishes n events of 350 bytes to the brand.
func publishMany(t *testing.T, d *dispatchertest.Dispatcher, brand string, n int) {
	t.Helper()
	payload := fmt.Appendf(nil, `{"filler":%q}`, bytes.Repeat([]byte("x"), 350-len(`{"filler":""}`)))
	for n > 0 {
		batch := make([]webhook.Event, min(n, 500))
		for i := range batch {
			batch[i] = webhook.Event{Brand: brand, Type: "message.delivered", Payload: payload}
		}
		results, err := d.PublishBatch(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range results {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
		}
		n -= len(batch)
	}
}

func memoryUsed(t *testing.T, rdb redis.UniversalClient) int {
	t.Helper()
	info, err := rdb.InfoMap(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	used, err := strconv.Atoi(info["Memory"]["used_memory"])
	if err != nil {
		t.Fatal(err)
	}
	return used
}
