package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) eventRoutes() {
	register(s, route{
		id: "publish", method: http.MethodPost, path: "/events", summary: "Publish an event",
		request: reflect.TypeFor[PublishRequest](),
		answers: []routeAnswer{{http.StatusAccepted, reflect.TypeFor[Receipt]()}},
	}, s.publish)
	register(s, route{
		id: "publishBatch", method: http.MethodPost, path: "/events/batch", summary: "Publish several events",
		request: reflect.TypeFor[BatchRequest](),
		answers: []routeAnswer{{http.StatusAccepted, reflect.TypeFor[BatchResponse]()}},
	}, s.publishBatch)
	register(s, route{
		id: "getEvent", method: http.MethodGet, path: "/events/{id}", summary: "Get an event and its deliveries",
		answers: []routeAnswer{{http.StatusOK, reflect.TypeFor[Event]()}},
	}, s.event)
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
	body, err := encodeWith(eventOf(status), status.Event.Payload)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return &reply{Status: http.StatusOK, ContentType: jsonType, Body: body}, nil
}
