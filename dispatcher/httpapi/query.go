package httpapi

import (
	"maps"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// checkQuery runs before huma reads the parameters of a query, which would take
// the first of two, and an empty one for none.
func (s *server) checkQuery(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	if found := queryErrors(ctx.Operation(), r.URL.RawQuery); len(found) > 0 {
		brokenAll(found).reply().write(w)
		return
	}
	next(ctx)
}

func queryErrors(op *huma.Operation, raw string) []ProblemError {
	if raw == "" {
		return nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return []ProblemError{{Location: "query", Message: "must be percent-encoded, with & between parameters"}}
	}
	var found []ProblemError
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if rule := parameterRule(op, name, query[name]); rule != "" {
			found = append(found, ProblemError{Location: location("query", shown(name)), Message: rule})
		}
	}
	return found
}

// parameterRule returns the rule that a parameter breaks, or nothing.
func parameterRule(op *huma.Operation, name string, values []string) string {
	known := func(p *huma.Param) bool { return p.In == "query" && p.Name == name }
	switch {
	case !slices.ContainsFunc(op.Parameters, known):
		return "is not a parameter of this request"
	case len(values) > 1:
		return "is given twice"
	case values[0] == "": // whose variable was empty did not mean everything
		return "must not be empty: leave it out"
	}
	return ""
}

// ownProblem gives the errors that huma finds in parameters the shape of all
// others; huma's own repeats the value. (Its constructor of errors could be
// replaced instead, but is shared by all users of huma in a process.)
func ownProblem(_ huma.Context, _ string, v any) (any, error) {
	theirs, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	found := make([]ProblemError, len(theirs.Errors))
	for i, e := range theirs.Errors {
		found[i] = ProblemError{Location: e.Location, Message: e.Message}
	}
	if len(found) == 0 {
		return problem(theirs.Status, theirs.Detail), nil
	}
	return brokenAll(found), nil
}
