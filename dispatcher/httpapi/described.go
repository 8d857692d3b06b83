package httpapi

import (
	"cmp"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// refusal is a problem that many operations can answer.
type refusal struct {
	// name is that of the response in the document's components.
	name, description string
	status            int
	example           *Problem
	// header, when not empty, is one that comes with it.
	header, headerNote string
}

// refusals are the problems that an operation does not explain itself, by status.
func refusals() []refusal {
	const wait = "Seconds to wait before trying again"
	return []refusal{
		{name: "Malformed", status: http.StatusBadRequest, description: "The body is no JSON, or ended early",
			example: malformed("malformed JSON at byte 8: invalid character '}' after object key")},
		{name: "Unauthorized", status: http.StatusUnauthorized, description: "No key, or one that is not or no longer valid",
			example: problem(http.StatusUnauthorized, detailNoKey), header: "WWW-Authenticate", headerNote: "RFC 6750, section 3"},
		{name: "NotFound", status: http.StatusNotFound, description: "There is no such thing, or the key does not see it",
			example: problem(http.StatusNotFound, detailNotFound)},
		{name: "TooSlow", status: http.StatusRequestTimeout, description: "The body came too slowly",
			example: problem(http.StatusRequestTimeout, "the body came too slowly")},
		{name: "TooLarge", status: http.StatusRequestEntityTooLarge, description: "The body is too large",
			example: problem(http.StatusRequestEntityTooLarge, "the body must be at most 262144 bytes")},
		{name: "UnsupportedMedia", status: http.StatusUnsupportedMediaType, description: "The Content-Type is another one, or there is a Content-Encoding",
			example: problem(http.StatusUnsupportedMediaType, "the Content-Type must be application/json")},
		{name: "Invalid", status: http.StatusUnprocessableEntity, description: "A field or parameter breaks a rule: errors says which, and the rule",
			example: broken("query.limit", "expected number <= 200")},
		{name: "Busy", status: http.StatusTooManyRequests, description: "Too much at the same time for one brand, or too many wrong keys from this address",
			example: problem(http.StatusTooManyRequests, detailBusy), header: "Retry-After", headerNote: wait},
		{name: "Unavailable", status: http.StatusServiceUnavailable, description: "The store did not answer, or the server has too much to do. Nothing is known to be done; repeating with the same id is safe",
			example: problem(http.StatusServiceUnavailable, detailUnavailable), header: "Retry-After", headerNote: wait},
	}
}

// describeProblems returns what an operation may answer beside its answers.
func (s *server) describeProblems(r route) map[string]*huma.Response {
	described := map[string]*huma.Response{"default": s.describeProblem("Anything else that went wrong", problem(http.StatusInternalServerError, ""))}
	for _, f := range refusals() {
		if r.refuses(f.status) {
			described[strconv.Itoa(f.status)] = &huma.Response{Ref: "#/components/responses/" + f.name}
		}
	}
	if r.conflicts != "" {
		described[strconv.Itoa(http.StatusConflict)] = s.describeProblem(r.conflicts, problem(http.StatusConflict, cmp.Or(r.conflict, detailConflict)))
	}
	return described
}

// refuses tells whether an operation can answer a status of refusals.
func (r route) refuses(status int) bool {
	switch status {
	case http.StatusNotFound:
		return r.scope != keyScope
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return r.request != nil
	}
	return true
}

// describeRefusals returns the document's components that describeProblems refers to.
func (s *server) describeRefusals() map[string]*huma.Response {
	described := map[string]*huma.Response{}
	for _, f := range refusals() {
		response := s.describeProblem(f.description, f.example)
		if f.header != "" {
			response.Headers = map[string]*huma.Param{f.header: {Description: f.headerNote, Schema: &huma.Schema{Type: huma.TypeString}}}
		}
		described[f.name] = response
	}
	return described
}

func (s *server) describeProblem(description string, example *Problem) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		problemType: {Schema: s.schema(reflect.TypeFor[Problem]()), Example: example},
	}}
}

// describePayloads says of payloads what their type, raw JSON, does not.
func (s *server) describePayloads() {
	schemas := s.api.OpenAPI().Components.Schemas.Map()
	schemas["PublishRequest"].Properties["payload"].Type = huma.TypeObject
	kept := schemas["Event"].Properties["payload"]
	kept.Type, kept.Nullable, kept.Description = huma.TypeObject, true, "Byte for byte what was published; null when it is no longer kept"
}
