package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// route is what the OpenAPI document says of an operation. Bodies are not read
// or written by huma, so their types are told here.
type route struct {
	id, method, path, summary string
	// request is the type of the body; nil without one.
	request reflect.Type
	// answers are the types of the answers by status; the first is the usual one.
	answers []routeAnswer
}

type routeAnswer struct {
	status int
	body   reflect.Type
}

func (s *server) routes() {
	s.eventRoutes()
	s.endpointRoutes()
	s.attemptRoutes()
}

// register adds an operation under /v1/brands/{brand}. I holds its parameters.
func register[I any](s *server, r route, handle func(context.Context, *I) (*reply, error)) {
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: "/v1/brands/{brand}" + r.path, Summary: r.summary,
		DefaultStatus: r.answers[0].status, Responses: s.describe(r.answers),
	}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*reply, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return s.refuse(ctx, r.id, err, "body").reply(), nil
		}
		return out, nil
	})
	if r.request != nil {
		// After Register: from a documented body huma concludes that it is to read it.
		s.operation(r).RequestBody = s.describeBody(r.request)
	}
}

// refuse turns an error into its problem. What the asker is not told is logged.
func (s *server) refuse(ctx context.Context, operation string, err error, at string) *Problem {
	p := problemOf(err, at)
	if p.Status == http.StatusInternalServerError {
		s.Logger.ErrorContext(ctx, "request failed", "operation", operation, "error", err)
	}
	return p
}

// rawRequest gives a handler the request itself, whose body huma has not read.
type rawRequest struct {
	w http.ResponseWriter
	r *http.Request
}

// Resolve implements [huma.Resolver].
func (q *rawRequest) Resolve(ctx huma.Context) []error {
	q.r, q.w = humago.Unwrap(ctx)
	return nil
}

// writeInput is the input of every operation that reads a body.
type writeInput struct {
	rawRequest
	Brand string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$"`
}

// itemInput is the input of every operation on one event or endpoint.
type itemInput struct {
	Brand string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$"`
	ID    string `path:"id"`
}

// check lets no id through that cannot exist.
func (in *itemInput) check() error {
	if webhook.CheckID("id", in.ID) != nil {
		return webhook.ErrNotFound
	}
	return nil
}

// describe returns the documentation of answers, the default one included.
func (s *server) describe(answers []routeAnswer) map[string]*huma.Response {
	described := map[string]*huma.Response{
		"default": {Description: "Refused", Content: map[string]*huma.MediaType{
			problemType: {Schema: s.schema(reflect.TypeFor[Problem]())},
		}},
	}
	for _, a := range answers {
		described[strconv.Itoa(a.status)] = &huma.Response{
			Description: http.StatusText(a.status),
			Content:     map[string]*huma.MediaType{jsonType: {Schema: s.schema(a.body)}},
		}
	}
	return described
}

func (s *server) describeBody(t reflect.Type) *huma.RequestBody {
	return &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{jsonType: {Schema: s.schema(t)}},
	}
}

func (s *server) schema(t reflect.Type) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

func (s *server) operation(r route) *huma.Operation {
	item := s.api.OpenAPI().Paths["/v1/brands/{brand}"+r.path]
	if r.method == http.MethodPost {
		return item.Post
	}
	return item.Get
}
