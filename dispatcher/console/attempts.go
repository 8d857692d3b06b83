package console

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// rowsOnPage bounds the rows of a list.
const rowsOnPage = 50

// listView is a part of a list and what was asked for.
type listView[T any] struct {
	Items []T
	// Next asks for the older ones, as a query; empty at the end.
	Next string
	// First: these are the newest.
	First  bool
	Filter filter
	// Endpoints are the ids to choose from, Outcomes and Types the same.
	Endpoints, Outcomes, Types []string
	// Live is where the list is sent as it grows; empty where it is not.
	Live string
}

// filter is what a list is asked for, in the words of its form.
type filter struct {
	Endpoint, Event, Outcome, Type string
	// Since and Until are minutes in UTC, as an input of the browser has them.
	Since, Until string
	span         webhook.Span
}

const minuteForm = "2006-01-02T15:04"

func readFilter(v url.Values) (f filter, err error) {
	f = filter{
		Endpoint: strings.TrimSpace(v.Get("endpoint")), Event: strings.TrimSpace(v.Get("event")), Outcome: v.Get("outcome"), Type: v.Get("type"),
		Since: v.Get("since"), Until: v.Get("until"),
	}
	for field, id := range map[string]string{"endpoint": f.Endpoint, "event": f.Event} {
		if id == "" {
			continue
		}
		if err := webhook.CheckID(field, id); err != nil {
			return f, err
		}
	}
	if f.span.Since, err = minuteOf("since", f.Since); err != nil {
		return f, err
	}
	f.span.Until, err = minuteOf("until", f.Until)
	return f, err
}

// minuteOf reads a time of a form, in UTC; zero for none.
func minuteOf(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(minuteForm, text)
	if err != nil {
		return time.Time{}, webhook.Invalid(field, "must be a date and time, as 2026-01-15T10:30, in UTC")
	}
	return at, nil
}

// query is what asks for the same again, from a place on.
func (f filter) query(after string) string {
	v := url.Values{}
	for name, text := range map[string]string{
		"endpoint": f.Endpoint, "event": f.Event, "outcome": f.Outcome, "type": f.Type, "since": f.Since, "until": f.Until, "cursor": after,
	} {
		if text != "" {
			v.Set(name, text)
		}
	}
	return "?" + v.Encode()
}

func (h *Handler) attemptRoutes() {
	h.on("GET /console/brands/{brand}/attempts", forBrand, (*visit).attempts)
	h.stream("GET /console/brands/{brand}/attempts/live", (*visit).liveAttempts)
	h.on("GET /console/brands/{brand}/events/{event}/attempts/{attempt}", forBrand, (*visit).attempt)
}

func (v *visit) attempts() error {
	f, err := readFilter(v.r.URL.Query())
	if err != nil {
		return err
	}
	after := v.r.FormValue("cursor")
	found, err := v.findAttempts(v.r.Context(), f, after)
	if err != nil {
		return err
	}
	body := listView[*attemptView]{Items: attemptViews(found.Items), First: after == "", Filter: f}
	if found.Next != "" {
		body.Next = f.query(found.Next)
	}
	if body.First && f.Until == "" {
		body.Live = v.root + v.base() + "/attempts/live" + f.query("")
	}
	if body.Endpoints, err = v.endpointIDs(); err != nil {
		return err
	}
	body.Outcomes = []string{string(webhook.OutcomeDelivered), string(webhook.OutcomeRetrying), string(webhook.OutcomeDead)}
	return v.show("attempts", view{Title: "Attempts", Tab: "attempts", Body: body})
}

func (v *visit) findAttempts(ctx context.Context, f filter, after string) (webhook.Page[webhook.Attempt], error) {
	return v.h.Service.Attempts(ctx, webhook.AttemptQuery{
		Brand: v.brand, EndpointID: f.Endpoint, EventID: f.Event, Outcome: webhook.Outcome(f.Outcome), Span: f.span,
		Slice: webhook.Slice{Limit: rowsOnPage, After: after},
	})
}

func attemptViews(found []webhook.Attempt) []*attemptView {
	views := make([]*attemptView, len(found))
	for i, a := range found {
		views[i] = attemptViewOf(a)
	}
	return views
}

func (v *visit) endpointIDs() ([]string, error) {
	endpoints, err := v.h.Service.Endpoints(v.r.Context(), v.brand)
	ids := make([]string, len(endpoints))
	for i, e := range endpoints {
		ids[i] = e.ID
	}
	slices.Sort(ids)
	return ids, err
}

// liveAttempts answers the rows of the newest attempts, as they are now.
func (v *visit) liveAttempts(ctx context.Context) ([]byte, error) {
	f, err := readFilter(v.r.URL.Query())
	if err != nil {
		return nil, err
	}
	found, err := v.findAttempts(ctx, f, "")
	if err != nil {
		return nil, err
	}
	var rows bytes.Buffer
	err = v.h.pages["attempts"].ExecuteTemplate(&rows, "rows", view{Base: v.root + v.base(), Body: listView[*attemptView]{Items: attemptViews(found.Items), Next: found.Next}})
	return rows.Bytes(), err
}

// attemptsLookedAt bounds the pages in which an attempt is looked for.
const attemptsLookedAt = 8

// attempt shows one attempt, which is found among those of its event, and of the endpoint that links to it name: of an event
// alone there may be more than are looked at.
func (v *visit) attempt() error {
	event, id := v.r.PathValue("event"), v.r.PathValue("attempt")
	f, err := readFilter(url.Values{"event": {event}, "endpoint": {v.r.URL.Query().Get("endpoint")}})
	if err != nil {
		return webhook.ErrNotFound
	}
	for after, looked := "", 0; looked < attemptsLookedAt; looked++ {
		found, err := v.findAttempts(v.r.Context(), f, after)
		if err != nil {
			return err
		}
		for _, a := range found.Items {
			if a.ID == id {
				return v.show("attempt", view{Title: "Attempt", Tab: "attempts", Body: wholeAttemptOf(a)})
			}
		}
		if after = found.Next; after == "" {
			break
		}
	}
	return webhook.ErrNotFound
}
