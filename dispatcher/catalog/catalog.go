package catalog

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// How strictly payloads are held against the schema of their type.
const (
	// ValidationOff never looks at a payload.
	ValidationOff = "off"
	// ValidationWarn accepts what breaks the schema and says so.
	ValidationWarn = "warn"
	// ValidationEnforce refuses what breaks the schema.
	ValidationEnforce = "enforce"
)

// Config says what a catalogue holds beyond the built-in types.
type Config struct {
	// Validation is ValidationOff, ValidationWarn or ValidationEnforce.
	// Defaults to ValidationWarn.
	Validation string
	// Types are listed after the built-in ones. Name is required; Description,
	// Schema and Example are optional; the catalogue sets the rest. A Schema is
	// of draft 2020-12, where "format" does not decide; it may refer to itself
	// only. Without an Example, the first of the schema's own "examples" is
	// taken, and {} when it has none.
	Types []Type
}

// Catalog knows the event types. It never changes and is safe for concurrent use.
type Catalog struct {
	validation string
	types      []Type
	byName     map[string]*known
	patterns   []string
}

// known is what is looked up for each event.
type known struct {
	Type
	// schema is nil when there is nothing to check.
	schema *schema
}

// New returns a catalogue of the built-in types and those of the config.
// Errors are [webhook.FieldError]s that name the key, such as
// "catalog.types[0].schema".
func New(config Config) (*Catalog, error) {
	c := &Catalog{validation: config.Validation, byName: map[string]*known{}}
	switch c.validation {
	case "":
		c.validation = ValidationWarn
	case ValidationOff, ValidationWarn, ValidationEnforce:
	default:
		return nil, webhook.Invalid("catalog.validation", "must be off, warn or enforce")
	}
	if err := c.addBuiltin(); err != nil {
		return nil, err
	}
	for i, t := range config.Types {
		if err := c.addMore(clone(t)); err != nil {
			return nil, inField(fmt.Sprintf("catalog.types[%d].", i), err)
		}
	}
	c.patterns = patternsOf(c.types)
	return c, nil
}

func (c *Catalog) addBuiltin() error {
	compiled := map[string]*schema{} // by file: most types share theirs
	for _, e := range table() {
		t, err := e.load()
		if err != nil {
			return err
		}
		if compiled[e.schema] == nil {
			if compiled[e.schema], err = compile(e.schema, t.Schema); err != nil {
				return fmt.Errorf("compile schema of %s: %w", t.Name, err)
			}
		}
		c.add(t, compiled[e.schema])
	}
	return nil
}

func (c *Catalog) add(t Type, s *schema) {
	c.types = append(c.types, t)
	c.byName[t.Name] = &known{Type: t, schema: s}
}

// addMore adds a type of the config. Fields of its errors are relative to the type.
func (c *Catalog) addMore(t Type) error {
	_, exists := c.byName[t.Name]
	switch {
	case !validName(t.Name):
		return webhook.Invalid("name", nameRule)
	case exists:
		return webhook.Invalid("name", "there is an event type of this name already")
	case t.Group != "" && t.Group != GroupAdditional:
		return webhook.Invalid("group", "must be empty: it is always %s", GroupAdditional)
	case t.MessageSource != nil:
		return webhook.Invalid("messageSource", "must be absent: only the platform's types have one")
	}
	t.Group = GroupAdditional
	s, err := complete(&t)
	if err != nil {
		return err
	}
	c.add(t, s)
	return nil
}

// complete gives t the schema and the example it lacks, and checks those it has.
// The schema it returns is nil when t came without one.
func complete(t *Type) (*schema, error) {
	if len(t.Schema) == 0 {
		t.Schema = json.RawMessage(`{"type":"object"}`)
		if len(t.Example) == 0 {
			t.Example = json.RawMessage(`{}`)
		}
		_, err := decodeObject("example", t.Example)
		return nil, err
	}
	s, err := compile(t.Name, t.Schema)
	if err != nil {
		return nil, err
	}
	field := "example"
	if len(t.Example) == 0 {
		if t.Example = s.example(t.Schema); t.Example == nil {
			t.Example = json.RawMessage(`{}`)
			return s, nil
		}
		field = "schema.examples[0]"
	}
	return s, s.check(field, t.Example)
}

// Types returns every type: the built-in ones in the documented order, then
// those of the config. The result belongs to the caller.
func (c *Catalog) Types() []Type {
	types := make([]Type, len(c.types))
	for i, t := range c.types {
		types[i] = clone(t)
	}
	return types
}

// Lookup returns the type of this name, and whether there is one. The result
// belongs to the caller.
func (c *Catalog) Lookup(name string) (Type, bool) {
	k, ok := c.byName[name]
	if !ok {
		return Type{}, false
	}
	return clone(k.Type), true
}

// inField puts prefix before the field of a [webhook.FieldError].
func inField(prefix string, err error) error {
	if e, ok := errors.AsType[*webhook.FieldError](err); ok {
		return &webhook.FieldError{Field: prefix + e.Field, Rule: e.Rule}
	}
	return err
}
