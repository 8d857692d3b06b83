package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const introduction = "Publishes events and looks after their webhooks. Paths are relative to where this document is served."

func newAPI(mux *http.ServeMux) huma.API {
	return humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "outhook", Version: "1", Description: introduction},
			Tags:    tags(),
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{"key": {
					Type: "http", Scheme: "bearer", Description: "An API key, in the Authorization header only. That of a brand sees this brand and nothing else.",
				}},
			},
			Security: []map[string][]string{{"key": {}}},
		},
		Formats:       map[string]huma.Format{jsonType: huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: jsonType,
		Transformers:  []huma.Transformer{ownProblem},
	})
}

// tags are the nouns of the API.
func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "events", Description: "What happened, published once for every endpoint that wants it."},
		{Name: "endpoints", Description: "Where a brand wants its events."},
		{Name: "attempts", Description: "Every POST to an endpoint, and what came of it."},
		{Name: "dead-letters", Description: "Deliveries that were given up."},
		{Name: "jobs", Description: "Work on many deliveries, which goes on by itself and accounts for every one."},
		{Name: "brands", Description: "A brand as a whole."},
		{Name: "event-types", Description: "The catalogue of what can be published."},
		{Name: "keys", Description: "Keys of this API. For admins only."},
	}
}

// describe completes what huma knows of an operation.
func (s *server) describe(r route) {
	op := s.operation(r)
	first, _, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
	noun := cmp.Or(r.noun, first)
	op.Tags, op.Summary, op.Description = []string{noun}, r.summary, r.note
	for _, p := range op.Parameters {
		if p.Name == "id" {
			p.Example = exampleID(noun)
		}
	}
	op.RequestBody = s.describeBody(r)
	op.Responses = s.describeProblems(r)
	for _, a := range r.answers {
		op.Responses[strconv.Itoa(a.status)] = s.describeAnswer(a)
	}
}

func exampleID(noun string) string {
	switch noun {
	case "events":
		return exampleEventID
	case "keys":
		return exampleKey().ID
	case "jobs":
		return exampleJob().ID
	}
	return exampleEndpointID
}

func (s *server) operation(r route) *huma.Operation {
	item := s.api.OpenAPI().Paths[r.fullPath()]
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[r.method]
}

func (s *server) describeBody(r route) *huma.RequestBody {
	if r.request == nil {
		return nil
	}
	body := &huma.RequestBody{Required: !r.optional, Content: map[string]*huma.MediaType{}}
	for _, kind := range append([]string{jsonType}, r.accepts...) {
		body.Content[kind] = &huma.MediaType{Schema: s.schema(r.request), Example: r.example}
	}
	return body
}

func (s *server) describeAnswer(a routeAnswer) *huma.Response {
	described := &huma.Response{Description: a.note}
	if a.note == "" {
		described.Description = http.StatusText(a.status)
	}
	if a.body != nil {
		described.Content = map[string]*huma.MediaType{jsonType: {Schema: s.schema(a.body), Example: a.example}}
	}
	return described
}

func (s *server) schema(t reflect.Type) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

// document returns the OpenAPI document of all routes, with a webhook for each type.
func (s *server) document(types []webhook.EventType) ([]byte, error) {
	api := s.api.OpenAPI()
	for _, replaced := range []string{"ErrorModel", "ErrorDetail"} { // by Problem
		delete(api.Components.Schemas.Map(), replaced)
	}
	document, err := json.Marshal(api)
	if err != nil {
		return nil, fmt.Errorf("encode openapi document: %w", err)
	}
	hooks, err := describeWebhooks(types)
	if err != nil {
		return nil, err
	}
	return unescaped(withMember(document, "webhooks", hooks)), nil
}

// Document returns the OpenAPI 3.1 document that a server of these event types
// serves as /openapi.json.
func Document(types []webhook.EventType) ([]byte, error) {
	return newServer(Config{}.WithDefaults()).document(types)
}

// unescaped returns JSON with <, > and & as they are: huma's encoder escapes them
// for a page that would take the document for HTML.
func unescaped(document []byte) []byte {
	out := make([]byte, 0, len(document))
	for i := 0; i < len(document); i++ {
		if document[i] != '\\' {
			out = append(out, document[i])
			continue
		}
		switch escape := document[i:min(i+6, len(document))]; string(escape) {
		case `\u003c`, `\u003e`, `\u0026`:
			out = append(out, unquote(slices.Concat([]byte{'"'}, escape, []byte{'"'}))...)
			i += 5
		default:
			out = append(out, document[i], document[i+1])
			i++
		}
	}
	return out
}

// withMember returns a JSON object with one more member, put at its beginning.
func withMember(object []byte, name string, value []byte) []byte {
	at := skipSpace(object, 0) + 1
	comma := ","
	if starts(object, skipSpace(object, at), '}') {
		comma = ""
	}
	return fmt.Appendf(nil, "%s%q:%s%s%s", object[:at], name, value, comma, object[at:])
}
