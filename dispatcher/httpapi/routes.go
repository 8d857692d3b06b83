package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// scope says where a route is, and who may use it.
type scope int

const (
	// brandScope is under /v1/brands/{brand}, for those who see the brand.
	brandScope scope = iota
	// keyScope is under /v1, for everybody with a key.
	keyScope
	// ownScope is under /v1, for everybody with a key, of whom each sees its own
	// there: what is another's does not exist. Its handlers see to that.
	ownScope
	// adminScope is under /v1, for admins; to all others it does not exist.
	adminScope
	// brandAdminScope is under /v1/brands/{brand}, for admins; as adminScope.
	brandAdminScope
)

// mergePatchType is the media type of a JSON Merge Patch (RFC 7396, section 4).
const mergePatchType = "application/merge-patch+json"

// route is what the OpenAPI document says of an operation. Bodies are not read
// or written by huma, so their types are told here.
type route struct {
	// id names the operation; path is under that of the scope.
	id, method, path, summary string
	scope                     scope
	// noun is what the operation is listed under; the path's first element when empty.
	noun string
	// note says what the summary cannot, in sentences; optional.
	note string
	// request is the type of the body; nil without one.
	request reflect.Type
	// optional says that an empty body stands for {}.
	optional bool
	// accepts are media types of the body beside application/json.
	accepts []string
	// example is a body, as a value that encodes to JSON.
	example any
	// answers are those of a request that is done; the first is the usual one.
	answers []routeAnswer
	// holds is how much the answer may be.
	holds answerSize
	// conflicts says what a 409 means here; empty when there is none. conflict is
	// the detail of one, detailConflict when empty.
	conflicts, conflict string
}

type routeAnswer struct {
	status int
	// body is the type of the answer; nil for none.
	body reflect.Type
	// example is an answer, as a value that encodes to JSON.
	example any
	// note says when this is the answer; optional.
	note string
}

// fullPath is the pattern of the route's path on the mux.
func (r route) fullPath() string {
	if r.scope == brandScope || r.scope == brandAdminScope {
		return "/v1/brands/{brand}" + r.path
	}
	return "/v1" + r.path
}

func (s *server) routes() {
	s.eventRoutes()
	s.endpointRoutes()
	s.attemptRoutes()
	s.deadLetterRoutes()
	s.jobRoutes()
	s.brandRoutes()
	s.eventTypeRoutes()
	s.keyRoutes()
}

// register adds an operation. I holds its parameters: those of the path and the
// query, and a [rawRequest] when it reads a body.
func register[I any](s *server, r route, handle func(context.Context, *I) (*reply, error)) {
	s.scopes[r.method+" "+r.fullPath()] = r.scope
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.fullPath(), DefaultStatus: r.answers[0].status,
		Middlewares: huma.Middlewares{s.admit(r), s.checkQuery},
	}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*reply, error) {
		out, err := handle(ctx, in)
		if err != nil {
			out = s.refuse(ctx, r.id, err, "body").reply()
		}
		settle(ctx, out)
		return out, nil
	})
	// After Register: from a documented body huma concludes that it is to read it.
	s.describe(r)
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
	// body is what the route says of it; nil without one.
	body *huma.RequestBody
}

// Resolve implements [huma.Resolver].
func (q *rawRequest) Resolve(ctx huma.Context) []error {
	q.r, q.w = humago.Unwrap(ctx)
	q.body = ctx.Operation().RequestBody
	return nil
}

// writeInput is the input of every operation of a brand that reads a body and has no id.
type writeInput struct {
	rawRequest
	Brand string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
}

// brandInput is the input of an operation on a brand as a whole that reads no body.
type brandInput struct {
	Brand string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
}

// itemInput is the input of every operation on one event or endpoint.
type itemInput struct {
	Brand string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
	ID    string `path:"id" doc:"The id, as given or as made"`
}

// check lets no id through that cannot exist.
func (in *itemInput) check() error { return checkExists(in.ID) }

func checkExists(id string) error {
	if webhook.CheckID("id", id) != nil {
		return webhook.ErrNotFound
	}
	return nil
}

// itemWriteInput is the input of every operation on one event or endpoint that reads a body.
type itemWriteInput struct {
	rawRequest
	Brand string `path:"brand" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The brand, which needs no registration" example:"acme"`
	ID    string `path:"id" doc:"The id, as given or as made"`
}

// ref is the endpoint that is meant; no id that cannot exist gets through.
func (in *itemWriteInput) ref() (webhook.EndpointRef, error) {
	return webhook.EndpointRef{Brand: in.Brand, ID: in.ID}, checkExists(in.ID)
}

// readFor reads which endpoint a request is about, and its body.
func readFor[T any](s *server, in *itemWriteInput, decode func(raw []byte) (T, error)) (ref webhook.EndpointRef, body T, err error) {
	if ref, err = in.ref(); err != nil {
		return ref, body, err
	}
	raw, err := in.readJSON(s.settingsBytes())
	if err != nil {
		return ref, body, err
	}
	body, err = decode(raw)
	return ref, body, err
}
