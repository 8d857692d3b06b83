package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) explainRoutes() {
	register(s, route{
		id: "explainEvent", method: http.MethodGet, path: "/events/{id}/deliveries", summary: "Explain why an event has or has not arrived",
		note: "Every endpoint of the brand is named, those that did not match included.",
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[Explanation](), example: exampleExplanation(),
		}},
	}, s.explain)
}

func (s *server) explain(ctx context.Context, in *itemInput) (*reply, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	explanation, err := s.Service.Explain(ctx, webhook.EventRef{Brand: in.Brand, ID: in.ID})
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, explanationOf(explanation))
}
