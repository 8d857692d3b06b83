package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) deadLetterRoutes() {
	register(s, route{
		id: "listDeadLetters", method: http.MethodGet, path: "/dead-letters", summary: "List dead letters, the last to die first",
		note: "Without endpointId, those of deleted endpoints are left out. " + notePages,
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[List[DeadLetter]](),
			example: List[DeadLetter]{Items: []DeadLetter{exampleDeadLetter()}},
		}},
	}, s.deadLetters)
	s.deadLetterJobRoutes()
}

type deadLettersInput struct {
	Brand      string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
	EndpointID string `query:"endpointId" doc:"Only what was for this endpoint"`
	Since      string `query:"since" doc:"Only what died then or later, as in RFC 3339" example:"2025-01-31T12:00:00Z"`
	Until      string `query:"until" doc:"Only what died before, as in RFC 3339" example:"2025-02-01T12:00:00Z"`
	Page
}

func (s *server) deadLetters(ctx context.Context, in *deadLettersInput) (*reply, error) {
	if err := checkIDFilter("endpointId", in.EndpointID); err != nil {
		return nil, err
	}
	span, err := spanFilter(in.Since, in.Until)
	if err != nil {
		return nil, err
	}
	l := listing{operation: "listDeadLetters", brand: in.Brand, filters: []string{in.EndpointID, in.Since, in.Until}}
	list, err := pageOfStore(l, in.Page, func(slice webhook.Slice) (webhook.Page[webhook.DeadLetter], error) {
		return s.Service.DeadLetters(ctx, webhook.DeadLetterQuery{Brand: in.Brand, EndpointID: in.EndpointID, Span: span, Slice: slice})
	}, deadLetterOf)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, list)
}
