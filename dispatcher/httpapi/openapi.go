package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

func newAPI(mux *http.ServeMux) huma.API {
	return humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "outhook", Version: "1", Description: "Publishes events and looks after their webhooks."},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer"}},
			},
			Security: []map[string][]string{{"key": {}}},
		},
		Formats:                      map[string]huma.Format{jsonType: huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                jsonType,
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ownProblem},
	})
}

// ownProblem gives the errors that huma finds in parameters the shape of all
// others; huma's own repeats the value. (Its constructor of errors could be
// replaced instead, but is shared by all users of huma in a process.)
func ownProblem(_ huma.Context, _ string, v any) (any, error) {
	theirs, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	ours := problem(theirs.Status, theirs.Detail)
	for _, e := range theirs.Errors[:min(len(theirs.Errors), shownErrors)] {
		ours.Errors = append(ours.Errors, ProblemError{Location: e.Location, Message: e.Message})
	}
	return ours, nil
}

// openAPI returns a handler that serves the document as it is now: huma would
// make it at the first request, unguarded against a second one.
func (s *server) openAPI() (http.HandlerFunc, error) {
	api := s.api.OpenAPI()
	for _, replaced := range []string{"ErrorModel", "ErrorDetail"} { // by Problem
		delete(api.Components.Schemas.Map(), replaced)
	}
	document, err := json.Marshal(api)
	if err != nil {
		return nil, fmt.Errorf("encode openapi document: %w", err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		(&reply{Status: http.StatusOK, ContentType: "application/openapi+json", Body: document}).write(w)
	}, nil
}
