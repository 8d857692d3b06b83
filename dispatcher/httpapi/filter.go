package httpapi

import (
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// notePages is said of every list that the store keeps.
const notePages = "A page may hold fewer items than asked for, none even, and not be the last: nextCursor tells."

// The functions in this file check what a list is narrowed down to. Errors are
// [Problem]s that name the parameter; an empty value is no filter.

func checkIDFilter(name, id string) error {
	if id != "" && webhook.CheckID(name, id) != nil {
		return broken("query."+name, webhook.IDRule)
	}
	return nil
}

func (s *server) checkTypeFilter(name string) error {
	known := func(t webhook.EventType) bool { return t.Name == name }
	if name != "" && !slices.ContainsFunc(s.Service.EventTypes(), known) {
		return broken("query.type", "is not in the catalogue: GET /v1/event-types lists it")
	}
	return nil
}

func spanFilter(since, until string) (webhook.Span, error) {
	var span webhook.Span
	var err error
	if span.Since, err = timeFilter("query.since", since); err != nil {
		return span, err
	}
	if span.Until, err = timeFilter("query.until", until); err != nil {
		return span, err
	}
	if !span.Until.IsZero() && !span.Until.After(span.Since) {
		return span, broken("query.until", "must be after since")
	}
	return span, nil
}

func timeFilter(location, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, broken(location, ruleTime)
	}
	return at.UTC(), nil
}
