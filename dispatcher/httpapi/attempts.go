package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) attemptRoutes() {
	register(s, route{
		id: "listAttempts", method: http.MethodGet, path: "/attempts", summary: "List attempts, newest first",
		note: "Attempts of tests are among them. With neither eventId nor endpointId, those of deleted endpoints are not. " + notePages,
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[List[Attempt]](),
			example: List[Attempt]{Items: []Attempt{exampleAttempt()}},
		}},
	}, s.attempts)
}

type attemptsInput struct {
	Brand      string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
	EndpointID string `query:"endpointId" doc:"Only attempts for this endpoint"`
	EventID    string `query:"eventId" doc:"Only attempts of this event"`
	Outcome    string `query:"outcome" enum:"delivered,retrying,dead" doc:"Only attempts that led to this"`
	Since      string `query:"since" doc:"Only what started then or later, as in RFC 3339" example:"2025-01-31T12:00:00Z"`
	Until      string `query:"until" doc:"Only what started before, as in RFC 3339" example:"2025-02-01T12:00:00Z"`
	Page
}

func (in *attemptsInput) query() (webhook.AttemptQuery, error) {
	q := webhook.AttemptQuery{Brand: in.Brand, EndpointID: in.EndpointID, EventID: in.EventID, Outcome: webhook.Outcome(in.Outcome)}
	if err := checkIDFilter("endpointId", in.EndpointID); err != nil {
		return q, err
	}
	if err := checkIDFilter("eventId", in.EventID); err != nil {
		return q, err
	}
	var err error
	q.Span, err = spanFilter(in.Since, in.Until)
	return q, err
}

func (s *server) attempts(ctx context.Context, in *attemptsInput) (*reply, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	l := listing{operation: "listAttempts", brand: in.Brand, filters: []string{in.EndpointID, in.EventID, in.Outcome, in.Since, in.Until}}
	list, err := pageOfStore(l, in.Page, func(slice webhook.Slice) (webhook.Page[webhook.Attempt], error) {
		q.Slice = slice
		return s.Service.Attempts(ctx, q)
	}, attemptOf)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, list)
}
