package httpapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) resendRoutes() {
	asked, answered := reflect.TypeFor[DeliveriesRequest](), reflect.TypeFor[Deliveries]()
	register(s, route{
		id: "resendEvent", method: http.MethodPost, path: "/events/{id}/resend", summary: "Send an event once more",
		holds: ofPayload,
		note: "To every endpoint that it went to, or to the one that is named, also if it never went there. " +
			"A delivery that is open is due now instead: there is never a second copy. The webhook-id is that of the first time.",
		request: asked, optional: true, example: DeliveriesRequest{EndpointID: exampleEndpointID},
		answers:   []routeAnswer{{status: http.StatusAccepted, body: answered, example: exampleResent()}},
		conflicts: "The event's payload is no longer kept", conflict: detailNoPayload,
	}, s.resend)
	register(s, route{
		id: "cancelEvent", method: http.MethodPost, path: "/events/{id}/cancel", summary: "Cancel what is open of an event",
		holds:   ofPayload,
		note:    "An attempt in flight ends, and is kept. What was delivered or given up stays so.",
		request: asked, optional: true, example: DeliveriesRequest{EndpointID: exampleEndpointID},
		answers: []routeAnswer{{status: http.StatusOK, body: answered, example: exampleCancelled()}},
	}, s.cancel)
	register(s, route{
		id: "getSignedRequest", method: http.MethodGet, path: "/events/{id}/request", summary: "Get a delivery's request, freshly signed",
		holds: ofText,
		note: "The POST as it would be made now; nothing is sent. " +
			"It shows the values of the endpoint's headers, which may be secrets, and its signature is good for as long as the receiver takes it.",
		answers: []routeAnswer{{status: http.StatusOK, body: reflect.TypeFor[SignedRequest](), example: exampleSignedRequest()}},
	}, s.signedRequest)
}

func (s *server) resend(ctx context.Context, in *itemWriteInput) (*reply, error) {
	found, err := s.deliveries(ctx, in, s.Service.Resend)
	if errors.Is(err, webhook.ErrConflict) {
		return nil, problem(http.StatusConflict, detailNoPayload)
	}
	if err != nil {
		return nil, err
	}
	return answer(http.StatusAccepted, found)
}

func (s *server) cancel(ctx context.Context, in *itemWriteInput) (*reply, error) {
	found, err := s.deliveries(ctx, in, s.Service.Cancel)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, found)
}

// deliveries has something done to those that a request means.
func (s *server) deliveries(
	ctx context.Context, in *itemWriteInput, do func(context.Context, webhook.EventRef, string) ([]webhook.Delivery, error),
) (Deliveries, error) {
	item, endpointID, err := readFor(s, in, decodeEndpointID)
	if err != nil {
		return Deliveries{}, err
	}
	found, err := do(ctx, webhook.EventRef(item), endpointID)
	return Deliveries{Deliveries: deliveriesOf(found)}, err
}

func decodeEndpointID(raw []byte) (string, error) {
	var id string
	err := eachMember(raw, inUTF8(func(name string, value []byte) error {
		if name != "endpointId" {
			return webhook.Invalid(shown(name), ruleUnknown)
		}
		return decodeNarrowing(name, value, &id)
	}))
	return id, err
}

// decodeNarrowing reads the id of what is meant of many. Neither null nor "" stand
// for an absent one: a caller whose variable was empty did not mean all of them.
func decodeNarrowing(name string, value []byte, id *string) error {
	if isNull(value) || string(value) == `""` {
		return webhook.Invalid(name, ruleNarrowing)
	}
	if err := decodeString(name, value, id); err != nil {
		return err
	}
	return webhook.CheckID(name, *id)
}

type requestInput struct {
	Brand      string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
	ID         string `path:"id" doc:"The id, as given or as made"`
	EndpointID string `query:"endpointId" required:"true" doc:"The endpoint that the event would go to" example:"crm-status"`
}

func (s *server) signedRequest(ctx context.Context, in *requestInput) (*reply, error) {
	if err := checkExists(in.ID); err != nil {
		return nil, err
	}
	if err := checkIDFilter("endpointId", in.EndpointID); err != nil {
		return nil, err
	}
	found, err := s.Service.SignedRequest(ctx, webhook.DeliveryRef{Brand: in.Brand, EventID: in.ID, EndpointID: in.EndpointID})
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, signedRequestOf(found))
}

func signedRequestOf(r webhook.Request) SignedRequest {
	return SignedRequest{Method: http.MethodPost, URL: r.URL, Headers: joined(r.Header), Body: string(r.Body)}
}
