package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// pageLimit is more than any list of the suite holds.
const pageLimit = 100

var listTests = map[string]func(*T){
	"Events/newest first, as they were published": func(t *T) {
		t.endpoint("a")
		first, second := t.event("e1"), t.event("e2")
		second.Type, second.ExpiresAt, second.PublishedAt = "message.read", t.now().Add(time.Hour), t.now().Add(-time.Minute)
		t.admit(first, "a", "other")
		t.admit(second)
		want := []webhook.Fanout{{Event: second}, {Event: first, Endpoints: []string{"a", "other"}}}
		if diff := cmp.Diff(want, t.events(webhook.EventQuery{})); diff != "" {
			t.Fatal(diff)
		}
		wantList(t, eventID, t.events(webhook.EventQuery{Brand: "another"}))
	},
	"Events/whose fan-out is not finished are not listed": func(t *T) {
		t.admitOnly(t.event("e1"))
		wantList(t, eventID, t.events(webhook.EventQuery{}))
	},
	"Events/by type and time": func(t *T) {
		for i := range 6 { // finished long after it was published, as by the reconciler
			e := t.event(fmt.Sprint("e", i))
			e.PublishedAt = t.now().Add(time.Duration(i-100) * time.Minute)
			if i%2 == 0 {
				e.Type = "message.read"
			}
			t.admit(e)
		}
		ago := func(minutes int) time.Time { return t.now().Add(-time.Duration(minutes) * time.Minute) }
		for _, tt := range []struct {
			query webhook.EventQuery
			want  string
		}{
			{webhook.EventQuery{Type: "message.read"}, "e4 e2 e0"},
			{webhook.EventQuery{Type: "message"}, ""},
			{webhook.EventQuery{Span: webhook.Span{Since: ago(97)}}, "e5 e4 e3"},
			{webhook.EventQuery{Span: webhook.Span{Until: ago(97)}}, "e2 e1 e0"},
			{webhook.EventQuery{Span: webhook.Span{Since: ago(99), Until: ago(96)}, Type: "message.delivered"}, "e3 e1"},
			{webhook.EventQuery{Span: webhook.Span{Since: ago(96), Until: ago(99)}}, ""},
			{webhook.EventQuery{Span: webhook.Span{Since: time.Unix(-1, 0), Until: time.Unix(-1, 0)}}, ""},
			{webhook.EventQuery{Span: webhook.Span{Since: t.now().Add(time.Hour)}}, ""},
		} {
			wantEveryLimit(t, eventID, 7, func(s webhook.Slice) (webhook.Page[webhook.Fanout], error) {
				tt.query.Brand, tt.query.Slice = t.brand, s
				return t.Store.Events(t.Context(), tt.query)
			}, strings.Fields(tt.want)...)
		}
	},
	"Events/finished twice are listed once": func(t *T) {
		t.admit(t.event("e1"))
		twice := t.event("e2")
		t.admit(twice)
		t.must(t.Finish(t.Context(), []webhook.Event{twice}))
		t.admit(t.event("e3"))
		wantEveryLimit(t, eventID, 4, t.eventPage(webhook.EventQuery{}), "e3", "e2", "e1")
	},
	"Events/pages stay as they are while new ones arrive": func(t *T) {
		for i := range 5 {
			t.admit(t.event(fmt.Sprint("e", i)))
		}
		page := t.eventPage(webhook.EventQuery{})
		got := everyPage(t, 2, func(s webhook.Slice) (webhook.Page[webhook.Fanout], error) {
			defer t.admit(t.event(webhook.NewID(webhook.EventPrefix)))
			return page(s)
		})
		wantList(t, eventID, got, "e4", "e3", "e2", "e1", "e0")
	},
	"Lists/know that clocks differ a little": func(t *T) {
		t.endpoint("a")
		e := t.event("e1")
		e.PublishedAt = t.now().Add(3 * time.Second)
		run := t.admit(e, "a").Runs()[0]
		a := t.attempt(run, delivered())
		a.StartedAt = e.PublishedAt
		t.record(a, run, delivered())
		span := webhook.Span{Since: t.now().Add(2 * time.Second), Until: t.now().Add(4 * time.Second)}
		wantList(t, eventID, t.events(webhook.EventQuery{Span: span}), "e1")
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{Span: span}), a.ID)
	},
	"Lists/a place that is none is an invalid cursor": func(t *T) {
		t.endpoint("a")
		t.settle(t.runOf("e1", "a"), dead(webhook.DeathMaxAttempts))
		for _, after := range nonsense {
			for _, err := range t.listErrors(after) {
				if wrong, ok := errors.AsType[*webhook.FieldError](err); !ok || wrong.Field != "cursor" {
					t.Errorf("after %q: %v, want an invalid cursor", after, err)
				}
			}
		}
	},
	"Lists/are empty where nothing was": func(t *T) {
		for _, err := range t.listErrors("") {
			t.must(err)
		}
		wantList(t, eventID, t.events(webhook.EventQuery{}))
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{}))
		wantList(t, letterID, t.deadLetters(webhook.DeadLetterQuery{}))
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{EventID: "none"}))
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{EndpointID: "none", EventID: "none"}))
		wantList(t, letterID, t.deadLetters(webhook.DeadLetterQuery{EndpointID: "none"}))
	},
}

// nonsense is no place in any list.
var nonsense = []string{
	"x", ":", "-", "+", "1", "1-1", "1-1:", "1:a", "-1-1:a", "1--1:a", "+1-1:a", "01-1:a", "1-1:a:b:c", "1-1:a b", "1-1:a\x00",
	"1-1:\xff", "99999999999999999999-1:a", "1-99999999999999999999:a", "1-1:" + strings.Repeat("a", 65), "1 -1:a", "1-1-1:a", "$", "*", "(1-1:a",
}

// listErrors asks every list for what comes after a place.
func (t *T) listErrors(after string) []error {
	slice := webhook.Slice{Limit: 1, After: after}
	_, events := t.Store.Events(t.Context(), webhook.EventQuery{Brand: t.brand, Slice: slice})
	_, attempts := t.AttemptLog(t.Context(), webhook.AttemptQuery{Brand: t.brand, Slice: slice})
	_, ofEvent := t.AttemptLog(t.Context(), webhook.AttemptQuery{Brand: t.brand, EventID: "e1", Slice: slice})
	_, letters := t.DeadLetters(t.Context(), webhook.DeadLetterQuery{Brand: t.brand, Slice: slice})
	return []error{events, attempts, ofEvent, letters}
}

func eventID(f webhook.Fanout) string { return f.Event.ID }

// events lists all that the query asks for, of the test's brand if it names none.
func (t *T) events(q webhook.EventQuery) []webhook.Fanout {
	t.Helper()
	return everyPage(t, pageLimit, t.eventPage(q))
}

func (t *T) eventPage(q webhook.EventQuery) func(webhook.Slice) (webhook.Page[webhook.Fanout], error) {
	if q.Brand == "" {
		q.Brand = t.brand
	}
	return func(s webhook.Slice) (webhook.Page[webhook.Fanout], error) {
		q.Slice = s
		return t.Store.Events(t.Context(), q)
	}
}

// everyPage reads a list from its beginning to its end.
func everyPage[I any](t *T, limit int, page func(webhook.Slice) (webhook.Page[I], error)) []I {
	t.Helper()
	var all []I
	slice := webhook.Slice{Limit: limit}
	for range 1000 {
		p, err := page(slice)
		t.must(err)
		if len(p.Items) > limit {
			t.Fatalf("a page of %d holds %d", limit, len(p.Items))
		}
		all = append(all, p.Items...)
		if slice.After = p.Next; p.Next == "" {
			return all
		}
	}
	t.Fatalf("the list has no end; its last place is %q", slice.After)
	return nil
}

// wantEveryLimit reads a list in pages of 1, of 2, up to most, and compares the ids.
func wantEveryLimit[I any](t *T, id func(I) string, most int, page func(webhook.Slice) (webhook.Page[I], error), want ...string) {
	t.Helper()
	for limit := range most {
		wantList(t, id, everyPage(t, limit+1, page), want...)
	}
}

func wantList[I any](t *T, id func(I) string, items []I, want ...string) {
	t.Helper()
	got := []string{}
	for _, item := range items {
		got = append(got, id(item))
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Fatalf("the list differs (-want +got):\n%s", diff)
	}
}

// tick waits until the store's own clock, which orders what is recorded, shows another time.
func (t *T) tick() {
	t.Helper()
	first, err := t.Ping(t.Context())
	t.must(err)
	for skew := first; skew-first < 2*time.Millisecond; {
		skew, err = t.Ping(t.Context())
		t.must(err)
	}
}
