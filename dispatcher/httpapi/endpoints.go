package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) endpointRoutes() {
	endpoint := reflect.TypeFor[Endpoint]()
	register(s, route{
		id: "createEndpoint", method: http.MethodPost, path: "/endpoints", summary: "Create an endpoint",
		holds:   ofFields,
		note:    "With an id it is safe to repeat: the same settings again answer the endpoint as it stands.",
		request: reflect.TypeFor[EndpointRequest](), example: exampleEndpointRequest(),
		answers: []routeAnswer{
			{status: http.StatusCreated, body: endpoint, example: exampleCreated(), note: "Created; the secret is given once"},
			{status: http.StatusOK, body: endpoint, example: exampleSettings(), note: "There already, with the same settings; without the secret"},
		},
		conflicts: "The id is taken by an endpoint with other settings or by one that was deleted, or the brand has as many endpoints as it may have",
	}, s.createEndpoint)
	register(s, route{
		id: "listEndpoints", method: http.MethodGet, path: "/endpoints", summary: "List endpoints by id",
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[List[Endpoint]](),
			example: List[Endpoint]{Items: []Endpoint{exampleEndpoint()}},
		}},
	}, s.endpoints)
	register(s, route{
		id: "getEndpoint", method: http.MethodGet, path: "/endpoints/{id}", summary: "Get an endpoint",
		holds:   ofFields,
		answers: []routeAnswer{{status: http.StatusOK, body: endpoint, example: exampleEndpoint()}},
	}, s.endpoint)
	s.changeRoutes(endpoint)
	s.secretRoutes()
	s.tryRoutes()
	s.recoverRoutes()
}

func (s *server) changeRoutes(endpoint reflect.Type) {
	changed := []routeAnswer{{status: http.StatusOK, body: endpoint, example: exampleSettings()}}
	register(s, route{
		id: "updateEndpoint", method: http.MethodPatch, path: "/endpoints/{id}", summary: "Change an endpoint",
		holds: ofFields,
		note: "A JSON Merge Patch (RFC 7396): null takes a field, a header or an entry of metadata away. Header names that differ in case only are the same. " +
			"In force within a second, also for deliveries that wait already.",
		request: reflect.TypeFor[EndpointPatch](), accepts: []string{mergePatchType}, example: examplePatch(),
		answers: changed,
	}, s.updateEndpoint)
	register(s, route{
		id: "deleteEndpoint", method: http.MethodDelete, path: "/endpoints/{id}", summary: "Delete an endpoint",
		holds:   ofFields,
		note:    "What is open for it is cancelled. Its id stays taken.",
		answers: []routeAnswer{{status: http.StatusNoContent}},
	}, s.deleteEndpoint)
	register(s, route{
		id: "enableEndpoint", method: http.MethodPost, path: "/endpoints/{id}/enable", summary: "Enable an endpoint",
		holds:   ofFields,
		note:    "What waits for it is sent; what came while it was disabled is not.",
		answers: changed,
	}, s.changeEndpoint(enable))
	register(s, route{
		id: "disableEndpoint", method: http.MethodPost, path: "/endpoints/{id}/disable", summary: "Disable an endpoint",
		holds:   ofFields,
		note:    "Nothing new is sent to it, and what waits keeps waiting.",
		answers: changed,
	}, s.changeEndpoint(disable))
}

func (s *server) createEndpoint(ctx context.Context, in *writeInput) (*reply, error) {
	body, err := in.readJSON(s.settingsBytes())
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

// settingsBytes bounds a body without a payload.
func (s *server) settingsBytes() int { return min(settingsBytes, s.RequestBytes) }

type endpointsInput struct {
	Brand string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
	Page
}

func (s *server) endpoints(ctx context.Context, in *endpointsInput) (*reply, error) {
	l := listing{operation: "listEndpoints", brand: in.Brand}
	if _, err := l.place(in.Cursor); err != nil { // before all are read
		return nil, err
	}
	all, err := s.Service.Endpoints(ctx, in.Brand)
	if err != nil {
		return nil, err
	}
	position := func(e webhook.Endpoint) string { return e.ID }
	list, err := pageOfAll(l, in.Page, all, position, endpointOf)
	if err != nil {
		return nil, err
	}
	if err := s.addHealth(ctx, in.Brand, list.Items); err != nil {
		return nil, err
	}
	return answer(http.StatusOK, list)
}

// addHealth asks for all at once.
func (s *server) addHealth(ctx context.Context, brand string, endpoints []Endpoint) error {
	if len(endpoints) == 0 {
		return nil
	}
	refs := make([]webhook.EndpointRef, len(endpoints))
	for i, e := range endpoints {
		refs[i] = webhook.EndpointRef{Brand: brand, ID: e.ID}
	}
	healths, err := s.Service.Health(ctx, refs)
	switch {
	case err != nil:
		return err
	case len(healths) != len(endpoints):
		return fmt.Errorf("health: %d answers for %d endpoints", len(healths), len(endpoints))
	}
	for i, h := range healths {
		endpoints[i].Health = healthOf(h)
	}
	return nil
}

func (s *server) endpoint(ctx context.Context, in *itemInput) (*reply, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	e, err := s.Service.Endpoint(ctx, webhook.EndpointRef{Brand: in.Brand, ID: in.ID})
	if err != nil {
		return nil, err
	}
	one := []Endpoint{endpointOf(e)}
	if err := s.addHealth(ctx, in.Brand, one); err != nil {
		return nil, err
	}
	return answer(http.StatusOK, one[0])
}

func (s *server) updateEndpoint(ctx context.Context, in *itemWriteInput) (*reply, error) {
	ref, p, err := readFor(s, in, decodePatch)
	if err != nil {
		return nil, err
	}
	e, err := s.Service.UpdateEndpoint(ctx, ref, p.apply)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, endpointOf(e))
}

// changeEndpoint handles a change that needs no body.
func (s *server) changeEndpoint(change func(*webhook.Endpoint)) func(context.Context, *itemInput) (*reply, error) {
	return func(ctx context.Context, in *itemInput) (*reply, error) {
		if err := in.check(); err != nil {
			return nil, err
		}
		e, err := s.Service.UpdateEndpoint(ctx, webhook.EndpointRef{Brand: in.Brand, ID: in.ID}, patch{change}.apply)
		if err != nil {
			return nil, err
		}
		return answer(http.StatusOK, endpointOf(e))
	}
}

func (s *server) deleteEndpoint(ctx context.Context, in *itemInput) (*reply, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := s.Service.DeleteEndpoint(ctx, webhook.EndpointRef{Brand: in.Brand, ID: in.ID}); err != nil {
		return nil, err
	}
	return &reply{Status: http.StatusNoContent}, nil
}
