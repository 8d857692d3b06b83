package dispatcher_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// info has a dispatcher log to a diary what an operator sees.
func (l *diary) info(c *dispatcher.Config) { c.Logger = slog.New(slog.NewJSONHandler(l, nil)) }

// lines are what it has, from a level on.
func (l *diary) lines(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []map[string]any
	for text := range strings.Lines(l.text.String()) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// Whatever becomes of an endpoint is one line, with the attempt that did it; what is delivered is none.
func TestEveryChangeIsOneLine(t *testing.T) {
	t.Parallel()
	var log diary
	d := onServer(t, redistest.Start(t), log.info, func(c *dispatcher.Config) {
		c.Breaker = webhook.Breaker{Failures: 2, OpenFor: 300 * time.Millisecond, MaxOpenFor: 300 * time.Millisecond}
	})
	r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.ID = "a" })
	ref := r.Endpoint.Ref()
	publish(t, d, event("well"))
	d.WaitDelivered(t, "acme", "well")
	r.Answer(answering(http.StatusInternalServerError))
	publishAll(t, d, "e", 2)
	dispatchertest.Eventually(t, func() bool { return log.count(`"breaker still open"`) == 1 })
	r.Answer(nil)
	for i := range 2 {
		d.WaitDelivered(t, "acme", fmt.Sprint("e", i))
	}
	update(t, d, ref, func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually })
	update(t, d, ref, enabled)
	r.Answer(answering(http.StatusGone))
	publish(t, d, event("gone"))
	d.WaitState(t, "acme", "gone", webhook.StateDead)
	if err := d.DeleteEndpoint(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	d.Stop()

	attempts, err := d.Attempts(t.Context(), webhook.AttemptQuery{Brand: "acme", EndpointID: "a", Slice: webhook.Slice{Limit: 200}})
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	for _, a := range attempts.Items {
		made[a.ID] = a.Ref.EventID
	}
	var said []string
	for _, line := range log.lines(t) {
		if line["endpoint"] != "a" {
			continue
		}
		said = append(said, line["msg"].(string))
		if line["brand"] != "acme" {
			t.Errorf("no brand: %v", line)
		}
		if id, ok := line["attempt"]; ok && made[id.(string)] != line["event"] {
			t.Errorf("the attempt is of %s: %v", made[id.(string)], line)
		} else if !ok && strings.HasPrefix(line["msg"].(string), "breaker") {
			t.Errorf("no attempt: %v", line)
		}
		if line["until"] == "0001-01-01T00:00:00Z" {
			t.Errorf("open until never: %v", line)
		}
	}
	want := []string{
		"endpoint created", "breaker open", "breaker still open", "breaker closed", "endpoint disabled", "endpoint enabled",
		"attempt", "endpoint disabled", "endpoint deleted",
	}
	said = slices.Compact(said) // the breaker may still be open more than once
	if !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// While Redis is away, what is in flight does not all say so.
func TestNoFloodWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	long(t)
	redistest.OneServer(t, "it is killed and started again")
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	var log diary
	d := onServer(t, server, log.info)
	const endpoints = 20
	arrived, away := make(chan struct{}, 1000), make(chan struct{})
	answer := sync.OnceFunc(func() { close(away) })
	t.Cleanup(answer)
	for range endpoints {
		d.Receiver(t, "acme", webhook.PurposeStatus).Answer(func(http.ResponseWriter, *http.Request) {
			arrived <- struct{}{}
			<-away
		})
	}
	publishAll(t, d, "e", 10)
	for range 4 * endpoints { // as many as an endpoint begins with
		<-arrived
	}
	before := len(log.lines(t))
	server.Kill()
	answer()
	dispatchertest.Eventually(t, func() bool { return log.count("tasks come again") > 0 })
	time.Sleep(5 * time.Second) // all give up at about the same time
	server.Restart(t)
	for i := range 10 {
		d.WaitDelivered(t, "acme", fmt.Sprint("e", i))
	}
	kinds := map[string]int{}
	for _, line := range log.lines(t)[before:] {
		kinds[fmt.Sprint(line["msg"])]++
	}
	if n := kinds["redis was away, tasks come again; said once a minute"]; n != 1 {
		t.Errorf("said %d times: %v", n, kinds)
	}
	delete(kinds, "delivery re-driven") // one for each that was in flight, and it is so
	others := 0
	for _, n := range kinds {
		others += n
	}
	if others > 2*endpoints {
		t.Errorf("%d lines: %v", others, kinds)
	}
}
