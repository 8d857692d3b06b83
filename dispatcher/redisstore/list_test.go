package redisstore_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// testOf is the attempt of a test.
func testOf(endpoint string, at time.Time) webhook.Attempt {
	ref := webhook.DeliveryRef{Brand: brand, EventID: webhook.NewID(webhook.EventPrefix), EndpointID: endpoint}
	a := *settlementOf(webhook.Run{DeliveryRef: ref}, delivered(), at).Attempt
	a.Trigger = webhook.TriggerTest
	return a
}

// pagesOf reads a list from its beginning to its end, page by page.
func pagesOf[I any](w *world, limit int, page func(webhook.Slice) (webhook.Page[I], error)) []webhook.Page[I] {
	w.Helper()
	var all []webhook.Page[I]
	for after := ""; ; after = all[len(all)-1].Next {
		p, err := page(webhook.Slice{Limit: limit, After: after})
		w.must(err)
		if all = append(all, p); p.Next == "" {
			return all
		}
		if p.Next == after || len(all) > 1000 {
			w.Fatalf("the list does not go on after %q", after)
		}
	}
}

func itemsOf[I any](pages []webhook.Page[I]) []I {
	var items []I
	for _, p := range pages {
		items = append(items, p.Items...)
	}
	return items
}

func (w *world) events(q webhook.EventQuery) func(webhook.Slice) (webhook.Page[webhook.Fanout], error) {
	return func(s webhook.Slice) (webhook.Page[webhook.Fanout], error) {
		q.Brand, q.Slice = brand, s
		return w.Events(w.Context(), q)
	}
}

func (w *world) attemptLog(q webhook.AttemptQuery) func(webhook.Slice) (webhook.Page[webhook.Attempt], error) {
	return func(s webhook.Slice) (webhook.Page[webhook.Attempt], error) {
		q.Brand, q.Slice = brand, s
		return w.AttemptLog(w.Context(), q)
	}
}

func (w *world) deadLetters(q webhook.DeadLetterQuery) func(webhook.Slice) (webhook.Page[webhook.DeadLetter], error) {
	return func(s webhook.Slice) (webhook.Page[webhook.DeadLetter], error) {
		q.Brand, q.Slice = brand, s
		return w.DeadLetters(w.Context(), q)
	}
}

// What a page costs in round trips, at the most: whatever stands in Redis.
func TestRoundTripsOfLists(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxInFlight: 10_000})
	w.crowd()
	died, err := w.deadLetters(webhook.DeadLetterQuery{})(webhook.Slice{Limit: 1})
	w.must(err)
	event := died.Items[0].Delivery.Ref.EventID
	page := webhook.Slice{Limit: 100}
	day := webhook.Span{Since: w.clock.Now().Add(-24 * time.Hour), Until: w.clock.Now().Add(-time.Hour)}
	calls := []struct {
		name string
		want trips
		call func() error
	}{
		{"Events", trips{pipelines: 3}, func() error { return discard(w.events(webhook.EventQuery{})(page)) }},
		{"Events, none of the type", trips{pipelines: 4}, func() error {
			return discard(w.events(webhook.EventQuery{Type: "message.read"})(page))
		}},
		{"Events, none of the time", trips{pipelines: 8}, func() error { return discard(w.events(webhook.EventQuery{Span: day})(page)) }},
		{"AttemptLog", trips{commands: 1, pipelines: 1}, func() error { return discard(w.attemptLog(webhook.AttemptQuery{})(page)) }},
		{"AttemptLog of an endpoint", trips{pipelines: 1}, func() error {
			return discard(w.attemptLog(webhook.AttemptQuery{EndpointID: "a"})(page))
		}},
		{"AttemptLog, none of the outcome", trips{commands: 1, pipelines: 4}, func() error {
			return discard(w.attemptLog(webhook.AttemptQuery{Outcome: webhook.OutcomeRetrying})(page))
		}},
		{"AttemptLog of an event", trips{pipelines: 3}, func() error {
			return discard(w.attemptLog(webhook.AttemptQuery{EventID: event})(page))
		}},
		{"AttemptLog of an event at an endpoint", trips{pipelines: 2}, func() error {
			return discard(w.attemptLog(webhook.AttemptQuery{EventID: event, EndpointID: "a"})(page))
		}},
		{"DeadLetters", trips{commands: 1, pipelines: 5}, func() error {
			return discard(w.deadLetters(webhook.DeadLetterQuery{})(page))
		}},
		{"RecordTest", trips{pipelines: 1}, func() error { return w.RecordTest(t.Context(), testOf("a", w.clock.Now())) }},
	}
	w.must(w.RecordTest(t.Context(), testOf("a", w.clock.Now())))
	count := &trips{}
	w.client.AddHook(count)
	for _, c := range calls {
		*count = trips{}
		w.must(c.call())
		if *count != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, *count, c.want)
		}
	}
}

// crowd publishes 2,500 events to two endpoints, each of which has as many
// attempts, and 100 dead letters that died at the same time.
func (w *world) crowd() {
	w.Helper()
	for _, id := range []string{"a", "b"} {
		w.endpoint(id)
	}
	fanouts, events := fanoutsOf(w, 2500, "a", "b")
	answers, err := w.Admit(w.Context(), fanouts)
	w.must(err)
	w.must(w.Finish(w.Context(), events))
	var runs []webhook.Run
	for _, a := range answers {
		runs = append(runs, a.Runs()...)
	}
	for settled := range 200 {
		runs = append(runs, w.settle(runs[settled], dead())...)
	}
	_, err = w.rdb.Pipelined(w.Context(), func(p redis.Pipeliner) error {
		for _, key := range keysOf(w, w.rdb, "a") {
			for range 2400 {
				test := testOf("a", w.clock.Now())
				packed, _, err := redisstore.PackAttempt(&test)
				w.must(err)
				p.XAdd(w.Context(), &redis.XAddArgs{Stream: key, Values: []string{"a", packed}})
			}
		}
		return nil
	})
	w.must(err)
}

// A page looks at so many entries and no more; what is looked for is found all the same.
func TestOneAmongThousandsIsFound(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxInFlight: 10_000})
	w.endpoint("c")
	rare := w.event("rare")
	rare.Type = "message.read"
	w.settle(w.admit(rare, "c").Runs()[0], retryAt(w.clock.Now()))
	w.crowd()

	events := pagesOf(w, 1, w.events(webhook.EventQuery{Type: "message.read"}))
	if found := itemsOf(events); len(found) != 1 || found[0].Event.ID != "rare" {
		t.Errorf("events %v, want the rare one", found)
	}
	attempts := pagesOf(w, 1, w.attemptLog(webhook.AttemptQuery{Outcome: webhook.OutcomeRetrying}))
	if found := itemsOf(attempts); len(found) != 1 || found[0].Ref.EventID != "rare" {
		t.Errorf("attempts %v, want the rare one", found)
	}
	if len(events) < 2 || len(attempts) < 3 { // 2,501 events and 5,001 attempts were looked at
		t.Errorf("found after %d and %d pages", len(events), len(attempts))
	}
}

func TestEveryEntryOfACrowdIsListedOnce(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxInFlight: 10_000})
	w.crowd()
	var events, attempts, letters []string
	for _, f := range itemsOf(pagesOf(w, 199, w.events(webhook.EventQuery{}))) {
		events = append(events, f.Event.ID)
	}
	for _, a := range itemsOf(pagesOf(w, 199, w.attemptLog(webhook.AttemptQuery{}))) {
		attempts = append(attempts, a.ID)
	}
	for _, l := range itemsOf(pagesOf(w, 1, w.deadLetters(webhook.DeadLetterQuery{}))) { // all died at the same time
		letters = append(letters, l.Delivery.Ref.EventID+l.Delivery.Ref.EndpointID)
	}
	for name, got := range map[string]struct {
		ids  []string
		want int
	}{"events": {events, 2500}, "attempts": {attempts, 5000}, "dead letters": {letters, 200}} {
		slices.Sort(got.ids)
		if once := len(slices.Compact(slices.Clone(got.ids))); len(got.ids) != got.want || once != got.want {
			t.Errorf("%s: %d listed, %d different, want %d", name, len(got.ids), once, got.want)
		}
	}
}

// Whoever got everything need not ask for one page more.
func TestTheLastPageIsKnownAsSuch(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	for i := range 3 {
		w.settle(w.run(fmt.Sprint("e", i), "a"), dead())
	}
	for name, pages := range map[string]int{
		"events":                len(pagesOf(w, 3, w.events(webhook.EventQuery{}))),
		"attempts":              len(pagesOf(w, 3, w.attemptLog(webhook.AttemptQuery{}))),
		"attempts of the event": len(pagesOf(w, 1, w.attemptLog(webhook.AttemptQuery{EventID: "e1"}))),
		"dead letters":          len(pagesOf(w, 3, w.deadLetters(webhook.DeadLetterQuery{}))),
	} {
		if pages != 1 {
			t.Errorf("%s: %d pages, want 1", name, pages)
		}
	}
}

func TestAPageOfLargeEventsEndsEarly(t *testing.T) {
	const size, most = 256 << 10, 4 << 20
	w := newWorld(t, redisstore.Config{})
	for i := range 40 {
		e := w.event(fmt.Sprint("e", i))
		e.Payload = fmt.Appendf(nil, `{"filler":%q}`, bytes.Repeat([]byte("x"), size-100))
		w.admit(e)
	}
	pages := pagesOf(w, 100, w.events(webhook.EventQuery{}))
	if n := len(itemsOf(pages)); n != 40 {
		t.Fatalf("%d events listed, want 40", n)
	}
	for i, p := range pages {
		bytes := 0
		for _, f := range p.Items {
			bytes += len(f.Event.Payload)
		}
		if bytes > most || len(p.Items) == 0 {
			t.Errorf("page %d: %d events of %d bytes", i, len(p.Items), bytes)
		}
	}
}

func TestATestLivesAsLongAsAttempts(t *testing.T) {
	w := newWorld(t, redisstore.Config{RetainAttempts: 5 * time.Hour})
	w.must(w.RecordTest(t.Context(), testOf("a", w.clock.Now())))
	for _, kind := range []string{"a", "d"} {
		w.wantTTL(kind, 5*time.Hour-time.Minute, 5*time.Hour)
	}
}
