package dispatcher_test

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// tripCounter counts what a client waits for: a command, or a pipeline of any length.
type tripCounter struct{ trips, commands atomic.Int64 }

func (c *tripCounter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *tripCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.trips.Add(1)
		c.commands.Add(1)
		return next(ctx, cmd)
	}
}

func (c *tripCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.trips.Add(1)
		c.commands.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

// A batch of 500 events through the API costs as many round trips as a single
// one; the first of a second reads the endpoints, two more.
func TestABatchIsAHandfulOfRoundTrips(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t)
	cfg := dispatchertest.Config()
	cfg.Redis = rdb
	d, err := dispatcher.New(cfg) // not run: nobody else sends commands
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		e := webhook.Endpoint{ID: id, Brand: "acme", URL: "https://example.com/" + id, Purpose: webhook.PurposeStatus}
		if _, _, err := d.CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	handler, err := httpapi.New(httpapi.Config{Service: d, Identify: httpapi.NewAuthenticator(
		func(context.Context, string) (webhook.Identity, error) { return webhook.Identity{}, nil }).Identify})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, body string) {
		t.Helper()
		r := httptest.NewRequest("POST", "/v1/brands/acme"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer key")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 202 || strings.Contains(w.Body.String(), `"error"`) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	events := make([]string, 500)
	for i := range events {
		events[i] = fmt.Sprintf(`{"id":"e%d","type":"message.read","payload":{"n":%d}}`, i, i)
	}
	post("/events", `{"type":"message.read","payload":{}}`) // loads the scripts
	counter := &tripCounter{}
	rdb.AddHook(counter)
	post("/events", `{"type":"message.read","payload":{}}`)
	single := counter.trips.Swap(0)
	counter.commands.Store(0)
	post("/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`)
	batch, commands := counter.trips.Load(), counter.commands.Load()
	t.Logf("one event: %d round trips; 500 events for 2 endpoints: %d with %d commands", single, batch, commands)
	if single > 2 || batch > 2 || commands < 10 { // a hundred deliveries a script
		t.Errorf("one event: %d round trips; 500 events: %d with %d commands", single, batch, commands)
	}
}
