package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) tryRoutes() {
	register(s, route{
		id: "testEndpoint", method: http.MethodPost, path: "/endpoints/{id}/test", summary: "Send an endpoint a sample now",
		holds:   ofFields,
		note:    "Signed and sent as a delivery is, but beside the queue. Takes as long as an attempt may. The answer tells how it went, whatever its outcome.",
		request: reflect.TypeFor[TestRequest](), optional: true, example: TestRequest{Type: "message.delivered"},
		answers: []routeAnswer{{status: http.StatusOK, body: reflect.TypeFor[Attempt](), example: exampleTest()}},
	}, s.testEndpoint)
	register(s, route{
		id: "checkURL", method: http.MethodPost, path: "/endpoints/check", summary: "Look at a URL without sending an event",
		holds:   ofFields,
		note:    "Policy, DNS, connect, TLS and one HEAD, as a delivery would go. Any HTTP answer counts as reachable.",
		request: reflect.TypeFor[CheckRequest](), example: CheckRequest{URL: "https://example.com/webhooks"},
		answers: []routeAnswer{{status: http.StatusOK, body: reflect.TypeFor[Check](), example: exampleCheck()}},
	}, s.checkURL)
}

func (s *server) testEndpoint(ctx context.Context, in *itemWriteInput) (*reply, error) {
	ref, eventType, err := readFor(s, in, decodeOnly("type"))
	if err != nil {
		return nil, err
	}
	attempt, err := s.Service.TestEndpoint(ctx, ref, eventType)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, attemptOf(attempt))
}

func (s *server) checkURL(ctx context.Context, in *writeInput) (*reply, error) {
	body, err := in.readJSON(s.settingsBytes())
	if err != nil {
		return nil, err
	}
	address, err := decodeOnly("url")(body)
	if err != nil {
		return nil, err
	}
	if address == "" {
		return nil, webhook.Invalid("url", "is required")
	}
	found, err := s.Service.CheckURL(ctx, in.Brand, address)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, checkOf(found))
}

// decodeOnly reads the only field, a string, that an object may have.
func decodeOnly(field string) func(raw []byte) (string, error) {
	return func(raw []byte) (string, error) {
		var text string
		err := eachMember(raw, inUTF8(func(name string, value []byte) error {
			if name != field {
				return webhook.Invalid(shown(name), ruleUnknown)
			}
			return decodeString(name, value, &text)
		}))
		return text, err
	}
}
