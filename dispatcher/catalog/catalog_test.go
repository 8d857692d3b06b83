package catalog_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestTypesAreThoseOfTheContract(t *testing.T) {
	type row struct{ Name, Group, Source string }
	want := []row{
		{"message.delivered", "status", ""},
		{"message.read", "status", ""},
		{"message.failed", "status", ""},
		{"interaction.sms.reply", "interaction", "EXTERNAL"},
		{"interaction.rcs.button_click", "interaction", "EXTERNAL"},
		{"interaction.rcs.text_reply", "interaction", "EXTERNAL"},
		{"workflow.sms.matched_text", "workflow", "INTERNAL"},
		{"workflow.rcs.button_click", "workflow", "INTERNAL"},
		{"workflow.rcs.matched_text", "workflow", "INTERNAL"},
		{"endpoint.disabled", "operational", ""},
		{"endpoint.recovered", "operational", ""},
		{"delivery.dead", "operational", ""},
	}
	var got []row
	for _, typ := range open(t, catalog.Config{}).Types() {
		r := row{Name: typ.Name, Group: typ.Group}
		if typ.MessageSource != nil {
			r.Source = *typ.MessageSource
		}
		got = append(got, r)
		if typ.Description == "" {
			t.Errorf("%s has no description", typ.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryExampleFitsItsSchema(t *testing.T) {
	c := open(t, catalog.Config{Validation: catalog.ValidationEnforce})
	for _, typ := range c.Types() {
		t.Run(typ.Name, func(t *testing.T) {
			e := webhook.Event{Brand: "acme", Type: typ.Name, Payload: typ.Example}
			if err := e.Validate(256 << 10); err != nil {
				t.Error(err)
			}
			warning, err := c.CheckEvent(typ.Name, typ.Example)
			if warning != nil || err != nil {
				t.Error(warning, err)
			}
			if typ.MessageSource != nil && !strings.Contains(string(typ.Example), `"messageSource":"`+*typ.MessageSource+`"`) {
				t.Error("the example does not carry the type's messageSource")
			}
		})
	}
}

func TestInventedObjectsAreMarkedAsSamples(t *testing.T) {
	for _, typ := range open(t, catalog.Config{}).Types() {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(typ.Example, &members); err != nil {
			t.Fatal(err)
		}
		for name, value := range members {
			if value[0] == '{' && !strings.HasPrefix(string(value), `{"sample":true,`) {
				t.Errorf("%s: %s is not marked", typ.Name, name)
			}
		}
	}
}

func TestDocumentedExampleIsVerbatim(t *testing.T) {
	const documented = `{"smobiMessageId":"123e4567-e89b-12d3-a456-426614174000","clientRef":"client-ref-123","to":"15552223333","from":"Smobi-Dev","status":"DELIVERED","channel":"RCS","timestamp":"2024-01-15T10:30:00Z"}`
	typ, ok := open(t, catalog.Config{}).Lookup("message.delivered")
	if !ok || string(typ.Example) != documented {
		t.Errorf("got %s", typ.Example)
	}
}

func TestTypeAsJSON(t *testing.T) {
	c := open(t, catalog.Config{Types: []catalog.Type{{Name: "order.placed", Description: "An order was placed."}}})
	typ, _ := c.Lookup("order.placed")
	got, err := json.Marshal(typ)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"order.placed","group":"additional","messageSource":null,"description":"An order was placed.","schema":{"type":"object"},"example":{}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTypesBelongToTheCaller(t *testing.T) {
	mine := []catalog.Type{{Name: "order.placed", Schema: []byte(`{"type":"object"}`)}}
	c := open(t, catalog.Config{Types: mine})
	want := c.Types()
	for _, typ := range append(c.Types(), mine...) {
		clear(typ.Schema)
		clear(typ.Example)
		if typ.MessageSource != nil {
			*typ.MessageSource = "changed"
		}
	}
	if diff := cmp.Diff(want, c.Types()); diff != "" {
		t.Error(diff)
	}
}

func TestLookupOfNothing(t *testing.T) {
	if typ, ok := open(t, catalog.Config{}).Lookup("message.sent"); ok {
		t.Errorf("got %v", typ)
	}
}

func TestAdditionalTypesComeLastInTheirOrder(t *testing.T) {
	c := open(t, catalog.Config{Types: []catalog.Type{{Name: "z.z"}, {Name: "a.a", Group: catalog.GroupAdditional}}})
	var names []string
	for _, typ := range c.Types()[12:] {
		names = append(names, typ.Name)
	}
	if !slices.Equal(names, []string{"z.z", "a.a"}) {
		t.Errorf("got %q", names)
	}
}

func TestAdditionalExample(t *testing.T) {
	cases := []struct{ name, schema, example, want string }{
		{"neither", ``, ``, `{}`},
		{"no schema", ``, `{"a":1}`, `{"a":1}`},
		{"given", `{"required":["a"]}`, `{"a":1}`, `{"a":1}`},
		{"of the schema", `{"required":["a"],"examples":[{"a": 2},{}]}`, ``, `{"a": 2}`},
		{"given before that of the schema", `{"examples":[{"a":2}]}`, `{"a":1}`, `{"a":1}`},
		{"none to take", `{"required":["a"]}`, ``, `{}`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := open(t, catalog.Config{Types: []catalog.Type{{Name: "order.placed", Schema: []byte(tc.schema), Example: []byte(tc.example)}}})
			typ, _ := c.Lookup("order.placed")
			if string(typ.Example) != tc.want {
				t.Errorf("got %s, want %s", typ.Example, tc.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	const badName = "must be lower-case words with dots between them, [a-z0-9_]+(.[a-z0-9_]+)+, of at most 128 bytes"
	named := func(names ...string) []catalog.Type {
		var types []catalog.Type
		for _, n := range names {
			types = append(types, catalog.Type{Name: n})
		}
		return types
	}
	schema := func(text string) []catalog.Type {
		return []catalog.Type{{Name: "order.placed"}, {Name: "order.shipped", Schema: []byte(text)}}
	}
	const field = "catalog.types[1].schema"
	const notASchema = "is not a JSON Schema of draft 2020-12: "
	cases := []struct {
		name, field, rule string
		types             []catalog.Type
	}{
		{"one word", "catalog.types[0].name", badName, named("placed")},
		{"no name", "catalog.types[0].name", badName, named("")},
		{"upper case", "catalog.types[1].name", badName, named("order.placed", "Order.shipped")},
		{"a dash", "catalog.types[0].name", badName, named("order-placed.x")},
		{"a wildcard", "catalog.types[0].name", badName, named("order.*")},
		{"a line end", "catalog.types[0].name", badName, named("order.placed\n")},
		{"a dot at the end", "catalog.types[0].name", badName, named("order.")},
		{"129 bytes", "catalog.types[0].name", badName, named("o." + strings.Repeat("x", 127))},
		{"a built-in name", "catalog.types[0].name", "there is an event type of this name already", named("message.read")},
		{"twice", "catalog.types[1].name", "there is an event type of this name already", named("a.b", "a.b")},
		{"a group", "catalog.types[0].group", "must be empty: it is always additional", []catalog.Type{{Name: "a.b", Group: "operational"}}},
		{"a source", "catalog.types[0].messageSource", "must be absent: only the platform's types have one", []catalog.Type{{Name: "a.b", MessageSource: new("EXTERNAL")}}},
		{"an example that is no object", "catalog.types[0].example", "must be a JSON object", []catalog.Type{{Name: "a.b", Example: []byte(`[]`)}}},
		{"an example that breaks the schema", "catalog.types[0].example.n", "is required", []catalog.Type{{Name: "a.b", Example: []byte(`{}`), Schema: []byte(`{"required":["n"]}`)}}},
		{"an example of the schema that breaks it", "catalog.types[0].schema.examples[0].n", "is required", []catalog.Type{{Name: "a.b", Schema: []byte(`{"required":["n"],"examples":[{}]}`)}}},

		{"no JSON", field, "must be a JSON object", schema(`{"type":`)},
		{"two documents", field, "must be a JSON object", schema(`{}{}`)},
		{"a boolean schema", field, "must be a JSON object", schema(`true`)},
		{"unknown type", field, notASchema + "#/properties/n/type must fit the schema, keyword anyOf", schema(`{"properties":{"n":{"type":"text"}}}`)},
		{"required is no list", field, notASchema + "#/required must be array", schema(`{"required":"n"}`)},
		{"bad expression", field, notASchema + "#/pattern must fit the schema, keyword format", schema(`{"pattern":"("}`)},
		{"bad expression as a name", field, notASchema + "# has a field whose name does not fit #/properties/patternProperties/propertyNames of the schema", schema(`{"patternProperties":{"(":{}}}`)},
		{"a length out of this world", field, notASchema + "#/minLength must fit the schema, keyword minimum", schema(`{"minLength":-1e9999999}`)},
		{"dangling $ref", field, notASchema + `json-pointer in "schema:///order.shipped#/$defs/n" not found`, schema(`{"$ref":"#/$defs/n"}`)},
		{"remote $ref", field, "must not refer to another document, as to https://example.com/n.json", schema(`{"properties":{"n":{"$ref":"https://example.com/n.json#/a"}}}`)},
		{"file $ref", field, "must not refer to another document, as to file:///etc/hosts", schema(`{"$ref":"file:///etc/hosts"}`)},
		{"relative $ref", field, "must not refer to another document, as to schema:///order.placed", schema(`{"$ref":"order.placed"}`)},
		{"$ref relative to a remote $id", field, "must not refer to another document, as to https://example.com/b", schema(`{"$id":"https://example.com/a","$ref":"b"}`)},
		{"remote $dynamicRef", field, "must not refer to another document, as to https://example.com/n.json", schema(`{"$dynamicRef":"https://example.com/n.json#n"}`)},
		{"another draft", field, "$schema must be https://json-schema.org/draft/2020-12/schema, or absent", schema(`{"$schema":"http://json-schema.org/draft-07/schema#"}`)},
		{"a dialect of one's own", field, "$schema must be https://json-schema.org/draft/2020-12/schema, or absent", schema(`{"$schema":"https://example.com/dialect"}`)},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, err := catalog.New(catalog.Config{Types: tc.types})
			wantField(t, err, tc.field, tc.rule)
		})
	}
}

// TestNoFileIsRead refers to a file that would do as a schema.
func TestNoFileIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "n.json")
	if err := os.WriteFile(file, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := catalog.New(catalog.Config{Types: []catalog.Type{{Name: "a.b", Schema: []byte(`{"$ref":"file://` + file + `"}`)}}})
	wantField(t, err, "catalog.types[0].schema", "must not refer to another document, as to file://"+file)
}

func TestNewRefusesValidation(t *testing.T) {
	_, err := catalog.New(catalog.Config{Validation: "strict"})
	wantField(t, err, "catalog.validation", "must be off, warn or enforce")
}

func TestNewAccepts(t *testing.T) {
	for name, typ := range map[string]catalog.Type{
		"128 bytes":        {Name: "o." + strings.Repeat("x", 126)},
		"digits":           {Name: "3ds_2.ok_1"},
		"beside a group":   {Name: "message.sent"},
		"own reference":    {Name: "a.b", Schema: []byte(`{"$ref":"#/$defs/n","$defs":{"n":{"type":"object"}}}`)},
		"names its draft":  {Name: "a.b", Schema: []byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema#"}`)},
		"has an id":        {Name: "a.b", Schema: []byte(`{"$id":"https://example.com/a","$ref":"#/$defs/n","$defs":{"n":{}}}`)},
		"recursive":        {Name: "a.b", Schema: []byte(`{"properties":{"child":{"$ref":"#"}}}`)},
		"with huge limits": {Name: "a.b", Schema: []byte(`{"properties":{"n":{"maximum":1e9999999,"minimum":-1e9999999}}}`)},
	} {
		t.Run(name, func(t *testing.T) { open(t, catalog.Config{Types: []catalog.Type{typ}}) })
	}
}
