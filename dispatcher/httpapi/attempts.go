package httpapi

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) attemptRoutes() {
	register(s, route{
		id: "listAttempts", method: http.MethodGet, path: "/attempts", summary: "List attempts, newest first",
		answers: []routeAnswer{{http.StatusOK, reflect.TypeFor[List[Attempt]]()}},
	}, s.attempts)
}

type attemptsInput struct {
	Brand      string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$"`
	EventID    string `query:"eventId" doc:"Required for now: only the attempts of one event can be listed"`
	EndpointID string `query:"endpointId" doc:"Only attempts for this endpoint"`
	Limit      int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items on a page"`
	Cursor     string `query:"cursor" doc:"nextCursor of the page before"`
}

func (in *attemptsInput) check() error {
	switch {
	case in.EventID == "":
		return broken("query.eventId", "is required: only the attempts of one event can be listed for now")
	case webhook.CheckID("eventId", in.EventID) != nil:
		return broken("query.eventId", webhook.IDRule)
	case in.EndpointID != "" && webhook.CheckID("endpointId", in.EndpointID) != nil:
		return broken("query.endpointId", webhook.IDRule)
	}
	return nil
}

func (s *server) attempts(ctx context.Context, in *attemptsInput) (*reply, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	all, err := s.Service.Attempts(ctx, webhook.EventRef{Brand: in.Brand, ID: in.EventID}, in.EndpointID)
	if err != nil {
		return nil, err
	}
	list, err := page(all, Page{in.Limit, in.Cursor}, newestFirst, attemptOf)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, list)
}

// newestFirst sorts later attempts before earlier ones.
func newestFirst(a webhook.Attempt) string {
	return fmt.Sprintf("%016x%s", math.MaxInt64-a.StartedAt.UnixMilli(), a.ID)
}
