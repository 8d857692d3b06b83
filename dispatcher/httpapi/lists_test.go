package httpapi_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// stageMany has events e-0 to e-6 and others' between them, each with an attempt
// at ep-0 or ep-1 and a dead letter, a minute apart.
func stageMany(f *fakeService) {
	for i := range 7 {
		for _, brand := range []string{"acme", "other"} {
			id, at := fmt.Sprintf("e-%d", i), epoch.Add(time.Duration(i)*time.Minute)
			ref := webhook.DeliveryRef{Brand: brand, EventID: id, EndpointID: fmt.Sprintf("ep-%d", i%2)}
			e := webhook.Event{
				ID: id, Brand: brand, Type: []string{"message.read", "message.failed", "message.delivered"}[i%3],
				PublishedAt: at, Payload: fmt.Appendf(nil, "{ \"n\" :\t%d.0 , \"n\":\"<>\" }", i),
			}
			a := webhook.Attempt{
				ID: "att-" + id, Ref: ref, Type: e.Type, Number: 1, StartedAt: at,
				Outcome: []webhook.Outcome{webhook.OutcomeDelivered, webhook.OutcomeRetrying, webhook.OutcomeDead}[i%3],
			}
			d := webhook.Delivery{Ref: ref, State: webhook.StateDead, DeathReason: webhook.DeathMaxAge, Attempts: 1, UpdatedAt: at}
			f.events[e.Ref()], f.attempts[e.Ref()], f.states[e.Ref()] = e, []webhook.Attempt{a}, []webhook.Delivery{d}
			f.deadLetters = append(f.deadLetters, webhook.DeadLetter{Delivery: d, Type: e.Type, LastAttempt: &a})
		}
	}
}

// all follows the cursors of a list.
func all[T any](t *testing.T, ask func(cursor string) (httpapi.List[T], error), id func(T) string) []string {
	t.Helper()
	seen := []string{}
	for cursor := ""; ; {
		list := must[httpapi.List[T]](t)(ask(cursor))
		for _, item := range list.Items {
			seen = append(seen, id(item))
		}
		if list.NextCursor == nil {
			return seen
		}
		cursor = *list.NextCursor
	}
}

func (a api) listEvents(t *testing.T, q httpapi.EventQuery) []string {
	t.Helper()
	return all(t, func(cursor string) (httpapi.List[httpapi.Event], error) {
		q.Cursor = cursor
		return a.Events(t.Context(), "acme", q)
	}, func(e httpapi.Event) string { return e.ID })
}

func (a api) listAttempts(t *testing.T, q httpapi.AttemptQuery) []string {
	t.Helper()
	return all(t, func(cursor string) (httpapi.List[httpapi.Attempt], error) {
		q.Cursor = cursor
		return a.Attempts(t.Context(), "acme", q)
	}, func(x httpapi.Attempt) string { return x.EventID })
}

func (a api) listDeadLetters(t *testing.T, q httpapi.DeadLetterQuery) []string {
	t.Helper()
	return all(t, func(cursor string) (httpapi.List[httpapi.DeadLetter], error) {
		q.Cursor = cursor
		return a.DeadLetters(t.Context(), "acme", q)
	}, func(d httpapi.DeadLetter) string { return d.EventID })
}

func TestListsComeNewestFirstInPages(t *testing.T) {
	a := start(t)
	stageMany(a.service)
	want := []string{"e-6", "e-5", "e-4", "e-3", "e-2", "e-1", "e-0"}
	for _, limit := range []int{0, 1, 3, 7, 200} {
		p := httpapi.Page{Limit: limit}
		for name, got := range map[string][]string{
			"events":       a.listEvents(t, httpapi.EventQuery{Page: p}),
			"attempts":     a.listAttempts(t, httpapi.AttemptQuery{Page: p}),
			"dead letters": a.listDeadLetters(t, httpapi.DeadLetterQuery{Page: p}),
		} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s by %d: %s", name, limit, diff)
			}
		}
	}
}

func TestFilters(t *testing.T) {
	a := start(t)
	stageMany(a.service)
	span := httpapi.Span{Since: epoch.Add(time.Minute), Until: epoch.Add(4 * time.Minute)}
	two := httpapi.Page{Limit: 2}
	for name, c := range map[string]struct{ got, want []string }{
		"events by time":     {a.listEvents(t, httpapi.EventQuery{Span: span, Page: two}), []string{"e-3", "e-2", "e-1"}},
		"events since":       {a.listEvents(t, httpapi.EventQuery{Span: httpapi.Span{Since: epoch.Add(5 * time.Minute)}}), []string{"e-6", "e-5"}},
		"events until":       {a.listEvents(t, httpapi.EventQuery{Span: httpapi.Span{Until: epoch.Add(time.Minute)}}), []string{"e-0"}},
		"events by type":     {a.listEvents(t, httpapi.EventQuery{Type: "message.read", Page: two}), []string{"e-6", "e-3", "e-0"}},
		"events by both":     {a.listEvents(t, httpapi.EventQuery{Type: "message.read", Span: span}), []string{"e-3"}},
		"attempts by time":   {a.listAttempts(t, httpapi.AttemptQuery{Span: span, Page: two}), []string{"e-3", "e-2", "e-1"}},
		"attempts by ep":     {a.listAttempts(t, httpapi.AttemptQuery{EndpointID: "ep-1", Page: two}), []string{"e-5", "e-3", "e-1"}},
		"attempts by event":  {a.listAttempts(t, httpapi.AttemptQuery{EventID: "e-2"}), []string{"e-2"}},
		"attempts by result": {a.listAttempts(t, httpapi.AttemptQuery{Outcome: "retrying", Page: two}), []string{"e-4", "e-1"}},
		"attempts by all":    {a.listAttempts(t, httpapi.AttemptQuery{EndpointID: "ep-0", EventID: "e-2", Outcome: "dead", Span: span}), []string{"e-2"}},
		"attempts of none":   {a.listAttempts(t, httpapi.AttemptQuery{EndpointID: "ep-0", EventID: "e-1"}), []string{}},
		"dead by time":       {a.listDeadLetters(t, httpapi.DeadLetterQuery{Span: span, Page: two}), []string{"e-3", "e-2", "e-1"}},
		"dead by ep":         {a.listDeadLetters(t, httpapi.DeadLetterQuery{EndpointID: "ep-0", Page: two}), []string{"e-6", "e-4", "e-2", "e-0"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func TestTimesOfFiltersAreUnderstood(t *testing.T) {
	a := start(t)
	for text, want := range map[string]time.Time{
		"2025-01-31T12:00:00Z":           time.Date(2025, 1, 31, 12, 0, 0, 0, time.UTC),
		"2025-01-31T12:00:00.123456789Z": epoch,
		"2025-01-31T13:00:00%2B01:00":    time.Date(2025, 1, 31, 12, 0, 0, 0, time.UTC),
	} {
		got := a.send(t, "GET", "/v1/brands/acme/events?since="+text, "")
		q, _ := a.service.lastAsked().(webhook.EventQuery)
		if (got.status == 200) == want.IsZero() || (got.status == 200 && !q.Since.Equal(want)) {
			t.Errorf("%s: %d, since %s", text, got.status, q.Since)
		}
	}
}

func TestListedEventsAreWholeAndTheirPayloadsUntouched(t *testing.T) {
	a := start(t)
	for name, payload := range oddPayloads {
		e := status(payload)
		e.ID = fmt.Sprintf("%x", name)
		must[httpapi.Receipt](t)(a.Publish(t.Context(), "acme", e))
	}
	stageHistory(a.service)
	gone := webhook.Event{ID: "gone", Brand: "acme", Type: "message.read", PublishedAt: epoch}
	a.service.events[gone.Ref()] = gone
	list := must[httpapi.List[httpapi.Event]](t)(a.Events(t.Context(), "acme", httpapi.EventQuery{}))
	if len(list.Items) != len(oddPayloads)+2 {
		t.Fatalf("%d events", len(list.Items))
	}
	for _, got := range list.Items {
		want := must[httpapi.Event](t)(a.Event(t.Context(), "acme", got.ID))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", got.ID, diff)
		}
		if stored := a.service.event("acme", got.ID).Payload; got.ID != "gone" && string(stored) != string(got.Payload) {
			t.Errorf("%s: payload %q, want %q", got.ID, got.Payload, stored)
		}
	}
}

func TestListsAreStableWhileNewItemsArrive(t *testing.T) {
	a := start(t)
	stageMany(a.service)
	q := httpapi.EventQuery{Page: httpapi.Page{Limit: 3}}
	first := must[httpapi.List[httpapi.Event]](t)(a.Events(t.Context(), "acme", q))
	e := webhook.Event{ID: "e-7", Brand: "acme", Type: "message.read", PublishedAt: epoch.Add(time.Hour), Payload: []byte("{}")}
	a.service.events[e.Ref()] = e
	q.Cursor = *first.NextCursor
	second := must[httpapi.List[httpapi.Event]](t)(a.Events(t.Context(), "acme", q))
	if first.Items[2].ID != "e-4" || second.Items[0].ID != "e-3" {
		t.Errorf("%s is followed by %s", first.Items[2].ID, second.Items[0].ID)
	}
}

func TestDeadLettersAreDeliveriesAndMore(t *testing.T) {
	a := start(t)
	stageMany(a.service)
	list := must[httpapi.List[httpapi.DeadLetter]](t)(a.DeadLetters(t.Context(), "acme", httpapi.DeadLetterQuery{Page: httpapi.Page{Limit: 1}}))
	event := must[httpapi.Event](t)(a.Event(t.Context(), "acme", "e-6"))
	attempts := must[httpapi.List[httpapi.Attempt]](t)(a.Attempts(t.Context(), "acme", httpapi.AttemptQuery{EventID: "e-6"}))
	want := []httpapi.DeadLetter{{Delivery: event.Deliveries[0], Type: event.Type, LastAttempt: &attempts.Items[0]}}
	if diff := cmp.Diff(want, list.Items); diff != "" {
		t.Error(diff)
	}
}

func TestExplain(t *testing.T) {
	a := start(t)
	stageHistory(a.service)
	stageExplanation(a.service)
	got := must[httpapi.Explanation](t)(a.Explain(t.Context(), "acme", "evt-1"))
	event := must[httpapi.Event](t)(a.Event(t.Context(), "acme", "evt-1"))
	attempts := must[httpapi.List[httpapi.Attempt]](t)(a.Attempts(t.Context(), "acme", httpapi.AttemptQuery{EventID: "evt-1", EndpointID: "ep-4"}))
	want := httpapi.Explanation{
		EventID: "evt-1", Type: "message.failed", PublishedAt: event.PublishedAt, ExpiresAt: event.ExpiresAt,
		Items: []httpapi.Explained{
			{EndpointID: "ep-0", Explanation: "does not want <message.failed>"},
			{EndpointID: "ep-4", Matched: true, Explanation: "was delivered", Delivery: &event.Deliveries[3], LastAttempt: &attempts.Items[0]},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func stageExplanation(f *fakeService) {
	ref := webhook.EventRef{Brand: "acme", ID: "evt-1"}
	f.explained[ref] = []webhook.Explained{
		{EndpointID: "ep-0", Text: "does not want <message.failed>"},
		{EndpointID: "ep-4", Matched: true, Text: "was delivered", Delivery: &f.states[ref][3], LastAttempt: &f.attempts[ref][2]},
	}
}

func TestExplanationOfABrandWithoutEndpoints(t *testing.T) {
	a := start(t)
	must[httpapi.Receipt](t)(a.Publish(t.Context(), "acme", httpapi.PublishRequest{ID: "e", Type: "message.read", Payload: []byte("{}")}))
	got := must[httpapi.Explanation](t)(a.Explain(t.Context(), "acme", "e"))
	if got.Items == nil || len(got.Items) != 0 || got.NextCursor != nil {
		t.Errorf("explanation %+v", got)
	}
}
