package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) eventTypeRoutes() {
	register(s, route{
		id: "listEventTypes", method: http.MethodGet, path: "/event-types", scope: keyScope, summary: "List event types",
		note: "Each with the JSON Schema of its payload and an example.",
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[List[EventType]](), example: List[EventType]{Items: []EventType{exampleEventType()}},
		}},
	}, s.eventTypes)
}

// eventTypes lists the catalogue in its own order.
func (s *server) eventTypes(_ context.Context, in *pageInput) (*reply, error) {
	type placed struct {
		EventType
		place string
	}
	var all []placed
	for i, t := range s.Service.EventTypes() {
		all = append(all, placed{t, fmt.Sprintf("%06d", i)})
	}
	list, err := pageOfAll(listing{operation: "listEventTypes"}, in.Page, all,
		func(p placed) string { return p.place },
		func(p placed) webhook.EventType { return p.EventType })
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, list)
}
