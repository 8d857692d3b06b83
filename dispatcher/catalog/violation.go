package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// first returns the violation whose path comes first: the validator finds them
// in no order, and the same payload must always get the same answer. path
// writes an instance location.
func first(e *jsonschema.ValidationError, path func([]string) string) *webhook.FieldError {
	var all []webhook.FieldError
	for _, leaf := range leaves(e, nil) {
		location := leaf.InstanceLocation
		if _, ok := leaf.ErrorKind.(*kind.PropertyNames); ok {
			location = nil // the validator has overwritten it by now
		}
		all = append(all, violations(leaf, path(location))...)
	}
	lowest := slices.MinFunc(all, func(a, b webhook.FieldError) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Rule, b.Rule))
	})
	return &lowest
}

// leaves appends the errors that say what is wrong. What failed inside anyOf,
// oneOf, contains and not is no violation by itself.
func leaves(e *jsonschema.ValidationError, to []*jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, cause := range e.Causes {
			to = leaves(cause, to)
		}
		if len(e.Causes) > 0 {
			return to
		}
	}
	return append(to, e)
}

// violations words one error, by its kind only: the library's own text and most
// of its kinds hold values.
func violations(e *jsonschema.ValidationError, field string) []webhook.FieldError {
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		missing := make([]webhook.FieldError, 0, len(k.Missing))
		for _, name := range k.Missing {
			missing = append(missing, webhook.FieldError{Field: field + "." + name, Rule: "is required"})
		}
		return missing
	case *kind.Type:
		return []webhook.FieldError{{Field: field, Rule: "must be " + strings.Join(k.Want, " or ")}}
	case *kind.FalseSchema:
		return []webhook.FieldError{{Field: field, Rule: "is not allowed"}}
	case *kind.PropertyNames:
		_, where, _ := strings.Cut(e.SchemaURL, "#")
		return []webhook.FieldError{{Field: field, Rule: "has a field whose name does not fit #" + where + " of the schema"}}
	case nil:
		return []webhook.FieldError{{Field: field, Rule: "must fit the schema"}}
	}
	rule := "must fit the schema"
	if keyword := e.ErrorKind.KeywordPath(); len(keyword) > 0 {
		rule += ", keyword " + keyword[0]
	}
	return []webhook.FieldError{{Field: field, Rule: rule}}
}

// path writes where in doc a violation is: ".rcs.buttons[2].*". A name that the
// schema does not have is written as *, since it may be anything, such as a
// phone number.
func (s *schema) path(doc any, location []string) string {
	var b strings.Builder
	for _, token := range location {
		switch node := doc.(type) {
		case []any:
			b.WriteString("[" + token + "]")
			doc = item(node, token)
		case map[string]any:
			doc = node[token]
			if !s.names[token] {
				token = "*"
			}
			b.WriteString("." + token)
		}
	}
	return b.String()
}

func item(list []any, index string) any {
	if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(list) {
		return list[i]
	}
	return nil
}

// pointer writes a location in a schema, the root as "#".
func pointer(location []string) string {
	return strings.Join(slices.Concat([]string{"#"}, location), "/")
}
