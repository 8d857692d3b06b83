package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) endpointRoutes() {
	endpoint := reflect.TypeFor[Endpoint]()
	register(s, route{
		id: "createEndpoint", method: http.MethodPost, path: "/endpoints", summary: "Create an endpoint",
		request: reflect.TypeFor[EndpointRequest](),
		answers: []routeAnswer{{http.StatusCreated, endpoint}, {http.StatusOK, endpoint}},
	}, s.createEndpoint)
	register(s, route{
		id: "listEndpoints", method: http.MethodGet, path: "/endpoints", summary: "List endpoints by id",
		answers: []routeAnswer{{http.StatusOK, reflect.TypeFor[List[Endpoint]]()}},
	}, s.endpoints)
	register(s, route{
		id: "getEndpoint", method: http.MethodGet, path: "/endpoints/{id}", summary: "Get an endpoint",
		answers: []routeAnswer{{http.StatusOK, endpoint}},
	}, s.endpoint)
}

func (s *server) createEndpoint(ctx context.Context, in *writeInput) (*reply, error) {
	body, err := in.readJSON(min(settingsBytes, s.RequestBytes))
	if err != nil {
		return nil, err
	}
	e, err := decodeEndpoint(in.Brand, body)
	if err != nil {
		return nil, err
	}
	stored, created, err := s.Service.CreateEndpoint(ctx, e)
	switch {
	case err != nil:
		return nil, err
	case created:
		return answer(http.StatusCreated, revealed(stored))
	}
	return answer(http.StatusOK, endpointOf(stored))
}

type endpointsInput struct {
	Brand  string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items on a page"`
	Cursor string `query:"cursor" doc:"nextCursor of the page before"`
}

func (s *server) endpoints(ctx context.Context, in *endpointsInput) (*reply, error) {
	all, err := s.Service.Endpoints(ctx, in.Brand)
	if err != nil {
		return nil, err
	}
	position := func(e webhook.Endpoint) string { return e.ID }
	list, err := page(all, Page{in.Limit, in.Cursor}, position, endpointOf)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, list)
}

func (s *server) endpoint(ctx context.Context, in *itemInput) (*reply, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	e, err := s.Service.Endpoint(ctx, webhook.EndpointRef{Brand: in.Brand, ID: in.ID})
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, endpointOf(e))
}
