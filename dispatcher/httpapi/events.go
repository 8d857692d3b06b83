package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) eventRoutes() {
	register(s, route{
		id: "publish", method: http.MethodPost, path: "/events", summary: "Publish an event",
		holds:   ofFields,
		note:    "With an id it is safe to repeat: the same type and payload again send nothing twice.",
		request: reflect.TypeFor[PublishRequest](), example: examplePublish(),
		answers:   []routeAnswer{{status: http.StatusAccepted, body: reflect.TypeFor[Receipt](), example: exampleReceipt()}},
		conflicts: "The id is taken by an event of another type or payload",
	}, s.publish)
	register(s, route{
		id: "publishBatch", method: http.MethodPost, path: "/events/batch", summary: "Publish several events",
		holds: ofFields,
		note: "Each event has its own answer, in order, also when every one is refused. " +
			"A 503 speaks for the whole batch: repeating it with the same ids is safe.",
		request: reflect.TypeFor[BatchRequest](), example: exampleBatchRequest(),
		answers: []routeAnswer{{status: http.StatusAccepted, body: reflect.TypeFor[BatchResponse](), example: exampleBatch()}},
	}, s.publishBatch)
	register(s, route{
		id: "listEvents", method: http.MethodGet, path: "/events", summary: "List events, newest first",
		note: "An event stands in the list a moment after it was accepted. " + notePages,
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[List[Event]](), example: List[Event]{Items: []Event{exampleEvent()}},
		}},
	}, s.events)
	register(s, route{
		id: "getEvent", method: http.MethodGet, path: "/events/{id}", summary: "Get an event and its deliveries",
		holds:   ofPayload,
		answers: []routeAnswer{{status: http.StatusOK, body: reflect.TypeFor[Event](), example: exampleEvent()}},
	}, s.event)
	s.explainRoutes()
	s.resendRoutes()
}

func (s *server) publish(ctx context.Context, in *writeInput) (*reply, error) {
	body, err := in.readJSON(s.RequestBytes)
	if err != nil {
		return nil, err
	}
	e, err := s.decodeEvent(in.Brand, body)
	if err != nil {
		return nil, err
	}
	receipt, err := s.Service.Publish(ctx, e)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusAccepted, receiptOf(receipt))
}

func (s *server) publishBatch(ctx context.Context, in *writeInput) (*reply, error) {
	body, err := in.readJSON(s.RequestBytes)
	if err != nil {
		return nil, err
	}
	entries, err := s.decodeBatch(body)
	if err != nil {
		return nil, err
	}
	results, err := s.publishEntries(ctx, in.Brand, entries)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusAccepted, s.batchOf(ctx, results))
}

// publishEntries publishes the entries that can be read, and answers all in order.
func (s *server) publishEntries(ctx context.Context, brand string, entries [][]byte) ([]webhook.Result, error) {
	results := make([]webhook.Result, len(entries))
	events := make([]webhook.Event, 0, len(entries))
	places := make([]int, 0, len(entries))
	for i, entry := range entries {
		e, err := s.decodeEvent(brand, entry)
		if err != nil {
			results[i].Err = err
			continue
		}
		events, places = append(events, e), append(places, i)
	}
	if len(events) == 0 {
		return results, nil
	}
	published, err := s.Service.PublishBatch(ctx, events)
	if err != nil {
		return nil, err
	}
	if len(published) != len(events) {
		return nil, fmt.Errorf("publish batch: %d results for %d events", len(published), len(events))
	}
	for i, result := range published {
		results[places[i]] = result
	}
	return results, nil
}

func (s *server) batchOf(ctx context.Context, results []webhook.Result) BatchResponse {
	out := BatchResponse{Results: make([]BatchResult, len(results))}
	for i, result := range results {
		if result.Err != nil {
			at := fmt.Sprintf("body.events[%d]", i)
			out.Results[i].Error = s.refuse(ctx, "publishBatch", result.Err, at)
			continue
		}
		out.Results[i].Receipt = receiptOf(result.Receipt)
	}
	return out
}

func (s *server) event(ctx context.Context, in *itemInput) (*reply, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	status, err := s.Service.Event(ctx, webhook.EventRef{Brand: in.Brand, ID: in.ID})
	if err != nil {
		return nil, err
	}
	body, err := encodeEvent(status)
	if err != nil {
		return nil, err
	}
	return &reply{Status: http.StatusOK, ContentType: jsonType, Body: body}, nil
}

func encodeEvent(status webhook.EventStatus) ([]byte, error) {
	body, err := encodeWith(eventOf(status), status.Event.Payload)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return body, nil
}

type eventsInput struct {
	Brand string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
	Type  string `query:"type" doc:"Only events of this type" example:"message.delivered"`
	Since string `query:"since" doc:"Only what was published then or later, as in RFC 3339" example:"2025-01-31T12:00:00Z"`
	Until string `query:"until" doc:"Only what was published before, as in RFC 3339" example:"2025-02-01T12:00:00Z"`
	Page
}

func (s *server) events(ctx context.Context, in *eventsInput) (*reply, error) {
	if err := s.checkTypeFilter(in.Type); err != nil {
		return nil, err
	}
	span, err := spanFilter(in.Since, in.Until)
	if err != nil {
		return nil, err
	}
	l := listing{operation: "listEvents", brand: in.Brand, filters: []string{in.Type, in.Since, in.Until}}
	list, err := pageOfStore(l, in.Page, func(slice webhook.Slice) (webhook.Page[webhook.EventStatus], error) {
		return s.Service.Events(ctx, webhook.EventQuery{Brand: in.Brand, Type: in.Type, Span: span, Slice: slice})
	}, func(e webhook.EventStatus) webhook.EventStatus { return e })
	if err != nil {
		return nil, err
	}
	return answerEvents(list)
}

// answerEvents joins what is encoded already: encoding/json would compact payloads.
func answerEvents(list List[webhook.EventStatus]) (*reply, error) {
	items := make([][]byte, len(list.Items))
	for i, status := range list.Items {
		item, err := encodeEvent(status)
		if err != nil {
			return nil, err
		}
		items[i] = bytes.TrimSpace(item)
	}
	next, err := encode(list.NextCursor)
	if err != nil {
		return nil, fmt.Errorf("encode cursor: %w", err)
	}
	body := slices.Concat([]byte(`{"items":[`), bytes.Join(items, []byte(",")), []byte(`],"nextCursor":`), bytes.TrimSpace(next), []byte("}\n"))
	return &reply{Status: http.StatusOK, ContentType: jsonType, Body: body}, nil
}
