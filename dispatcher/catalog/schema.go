package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const draft = "https://json-schema.org/draft/2020-12/schema"

// schema is a compiled JSON Schema (draft 2020-12).
type schema struct {
	compiled *jsonschema.Schema
	// names are the property names in the schema: all that an error may repeat.
	names map[string]bool
}

// compile reads a schema. Errors are [webhook.FieldError]s of "schema".
func compile(name string, text []byte) (*schema, error) {
	doc, err := decodeObject("schema", text)
	if err != nil {
		return nil, err
	}
	if d, ok := doc["$schema"].(string); ok && strings.TrimSuffix(d, "#") != draft {
		return nil, webhook.Invalid("schema", "$schema must be %s, or absent", draft)
	}
	// An absolute base with a path, so that a relative $ref leads elsewhere and
	// not to the schema itself; no loader, so that elsewhere is nowhere.
	base := "schema:///" + name
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(nil)
	if err := compiler.AddResource(base, doc); err != nil {
		return nil, schemaError(err)
	}
	compiled, err := compiler.Compile(base)
	if err != nil {
		return nil, schemaError(err)
	}
	s := &schema{compiled: compiled, names: map[string]bool{}}
	s.collect(doc)
	return s, nil
}

// schemaError says why a schema was refused. A schema is configuration, no
// payload: its text may be repeated.
func schemaError(err error) error {
	if e, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		return webhook.Invalid("schema", "must not refer to another document, as to %s", e.URL)
	}
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if e, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			b := first(e, pointer)
			return webhook.Invalid("schema", "is not a JSON Schema of draft 2020-12: %s %s", b.Field, b.Rule)
		}
	}
	return webhook.Invalid("schema", "is not a JSON Schema of draft 2020-12: %v", err)
}

// collect notes the names that "properties" and "required" mention anywhere.
func (s *schema) collect(node any) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			s.collect(child)
		}
	case map[string]any:
		s.collectNames(node)
		for _, child := range node {
			s.collect(child)
		}
	}
}

func (s *schema) collectNames(node map[string]any) {
	properties, _ := node["properties"].(map[string]any)
	for name := range properties {
		s.names[name] = true
	}
	required, _ := node["required"].([]any)
	for _, item := range required {
		if name, ok := item.(string); ok {
			s.names[name] = true
		}
	}
}

// example returns the first of the schema's "examples"; nil when it has none.
func (s *schema) example(text []byte) json.RawMessage {
	var annotations struct {
		Examples []json.RawMessage `json:"examples"`
	}
	if err := json.Unmarshal(text, &annotations); err != nil || len(annotations.Examples) == 0 {
		return nil
	}
	return bytes.TrimSpace(annotations.Examples[0])
}

// check returns a [webhook.FieldError] of field, or of a field within it, unless
// text is a JSON object that the schema accepts.
func (s *schema) check(field string, text []byte) error {
	doc, err := decodeObject(field, text)
	if err != nil {
		return err
	}
	return s.violation(field, doc)
}

// violation returns the first field that breaks the schema as a
// [webhook.FieldError], its path beginning with field; nil when none does.
func (s *schema) violation(field string, doc map[string]any) error {
	err := s.compiled.Validate(doc)
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return webhook.Invalid(field, "must fit the schema") // the cause may hold values
	}
	return first(e, func(location []string) string { return field + s.path(doc, location) })
}
