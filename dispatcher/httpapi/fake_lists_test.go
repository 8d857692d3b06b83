package httpapi_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// fakePage answers a slice of what is found, latest first. A place in the list
// is the time and the key of the last item that was given.
func fakePage[T any](found []T, s webhook.Slice, at func(T) time.Time, key func(T) string) (webhook.Page[T], error) {
	place := func(item T) string { return fmt.Sprintf("%020d.%s", at(item).UnixNano(), key(item)) }
	slices.SortFunc(found, func(a, b T) int { return cmp.Compare(place(b), place(a)) })
	if s.After != "" {
		if len(s.After) < 20 {
			return webhook.Page[T]{}, webhook.Invalid("cursor", "is no place in the list")
		}
		if _, err := strconv.ParseInt(s.After[:20], 10, 64); err != nil {
			return webhook.Page[T]{}, webhook.Invalid("cursor", "is no place in the list")
		}
		found = slices.DeleteFunc(found, func(item T) bool { return place(item) >= s.After })
	}
	page := webhook.Page[T]{Items: found[:min(s.Limit, len(found))]}
	if len(found) > s.Limit {
		page.Next = place(page.Items[s.Limit-1])
	}
	return page, nil
}

func (f *fakeService) Events(_ context.Context, q webhook.EventQuery) (webhook.Page[webhook.EventStatus], error) {
	err := f.enter(q)
	defer f.mu.Unlock()
	if err != nil {
		return webhook.Page[webhook.EventStatus]{}, err
	}
	var found []webhook.EventStatus
	for ref, e := range f.events {
		if ref.Brand == q.Brand && (q.Type == "" || q.Type == e.Type) && q.Contains(e.PublishedAt) {
			found = append(found, webhook.EventStatus{Event: e, Deliveries: f.states[ref]})
		}
	}
	return fakePage(found, q.Slice,
		func(s webhook.EventStatus) time.Time { return s.Event.PublishedAt },
		func(s webhook.EventStatus) string { return s.Event.ID })
}

func (f *fakeService) Explain(_ context.Context, ref webhook.EventRef) (webhook.Explanation, error) {
	err := f.enter()
	defer f.mu.Unlock()
	e, ok := f.events[ref]
	if err == nil && !ok {
		err = fmt.Errorf("explain %s: %w", ref, webhook.ErrNotFound)
	}
	return webhook.Explanation{Event: e, Endpoints: f.explained[ref]}, err
}

func (f *fakeService) Attempts(_ context.Context, q webhook.AttemptQuery) (webhook.Page[webhook.Attempt], error) {
	err := f.enter(q)
	defer f.mu.Unlock()
	if err != nil {
		return webhook.Page[webhook.Attempt]{}, err
	}
	var found []webhook.Attempt
	for _, attempts := range f.attempts {
		for _, a := range attempts {
			if a.Ref.Brand == q.Brand && (q.EventID == "" || q.EventID == a.Ref.EventID) &&
				(q.EndpointID == "" || q.EndpointID == a.Ref.EndpointID) &&
				(q.Outcome == "" || q.Outcome == a.Outcome) && q.Contains(a.StartedAt) {
				found = append(found, a)
			}
		}
	}
	return fakePage(found, q.Slice,
		func(a webhook.Attempt) time.Time { return a.StartedAt },
		func(a webhook.Attempt) string { return a.ID })
}

func (f *fakeService) DeadLetters(_ context.Context, q webhook.DeadLetterQuery) (webhook.Page[webhook.DeadLetter], error) {
	err := f.enter(q)
	defer f.mu.Unlock()
	if err != nil {
		return webhook.Page[webhook.DeadLetter]{}, err
	}
	var found []webhook.DeadLetter
	for _, d := range f.deadLetters {
		if d.Delivery.Ref.Brand == q.Brand && (q.EndpointID == "" || q.EndpointID == d.Delivery.Ref.EndpointID) && q.Contains(d.Delivery.UpdatedAt) {
			found = append(found, d)
		}
	}
	return fakePage(found, q.Slice,
		func(d webhook.DeadLetter) time.Time { return d.Delivery.UpdatedAt },
		func(d webhook.DeadLetter) string { return d.Delivery.Ref.EventID + d.Delivery.Ref.EndpointID })
}
