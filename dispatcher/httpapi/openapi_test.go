package httpapi_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// ownTypes are the catalogue's and two whose schemas refer to themselves.
func ownTypes(t *testing.T) []webhook.EventType {
	t.Helper()
	c := must[*catalog.Catalog](t)(catalog.New(catalog.Config{Types: []webhook.EventType{
		{
			Name:    "order.paid",
			Schema:  []byte(`{"type":"object","required":["total"],"properties":{"total":{"$ref":"#/$defs/money"},"parts":{"type":"array","items":{"$ref":"#"}}},"$defs":{"money":{"type":"integer"}}}`),
			Example: []byte(`{"total":5,"parts":[{"total":2},{"total":3}]}`),
		},
		{
			Name: "order.sent", Description: `<script>alert("x")</script> & 'more'`,
			Schema:  []byte(`{"$id":"https://example.com/sent","type":"object","properties":{"a":{"$ref":"https://example.com/sent#/$defs/b"}},"$defs":{"b":{"const":"\\u003c<"}}}`),
			Example: []byte(`{"a":"\\u003c<"}`),
		},
	}}))
	return c.Types()
}

// schemas compiles what is in a document.
type schemas struct{ *jsonschema.Compiler }

const documentURL = "https://example.com/openapi.json"

func schemasOf(t *testing.T, text []byte) schemas {
	t.Helper()
	doc := must[any](t)(jsonschema.UnmarshalJSON(bytes.NewReader(text)))
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(documentURL, doc); err != nil {
		t.Fatal(err)
	}
	return schemas{c}
}

func (s schemas) at(t *testing.T, path ...string) *jsonschema.Schema {
	t.Helper()
	pointer := ""
	for _, part := range path {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(part)
	}
	compiled, err := s.Compile(documentURL + "#" + pointer)
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	return compiled
}

// checkContent validates the example of each media type against its schema, and
// returns how many there are.
func (s schemas) checkContent(t *testing.T, b body, path ...string) (examples int) {
	t.Helper()
	for kind, content := range b.Content {
		schema := s.at(t, append(slices.Clone(path), "content", kind, "schema")...)
		if len(content.Example) == 0 {
			t.Errorf("%v %s: no example", path, kind)
			continue
		}
		example := must[any](t)(jsonschema.UnmarshalJSON(bytes.NewReader(content.Example)))
		if err := schema.Validate(example); err != nil {
			t.Errorf("%v %s: %v", path, kind, err)
		}
		examples++
	}
	return examples
}

func TestEveryExampleIsValid(t *testing.T) {
	text := must[[]byte](t)(httpapi.Document(ownTypes(t)))
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	s := schemasOf(t, text)
	for section, paths := range map[string]map[string]map[string]documented{"paths": d.Paths, "webhooks": d.Webhooks} {
		for path, item := range paths {
			for method, op := range item {
				if op.RequestBody != nil && s.checkContent(t, *op.RequestBody, section, path, method, "requestBody") == 0 {
					t.Errorf("%s %s: no example of its body", method, path)
				}
				for status, response := range op.Responses {
					s.checkContent(t, response, section, path, method, "responses", status)
				}
			}
		}
	}
	var all struct {
		Components struct {
			Responses map[string]body
			Schemas   map[string]any
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for name, response := range all.Components.Responses {
		s.checkContent(t, response, "components", "responses", name)
	}
	for name := range all.Components.Schemas {
		s.at(t, "components", "schemas", name)
	}
}

// TestBrokenExamplesAreNoticed shows that the test above can fail.
func TestBrokenExamplesAreNoticed(t *testing.T) {
	s := schemasOf(t, must[[]byte](t)(httpapi.Document(ownTypes(t))))
	for name, bad := range map[string]map[string]any{
		"order.paid":   {"total": "much"},
		"order.sent":   {"a": "b"},
		"message.read": {"to": 1},
	} {
		if err := s.at(t, "webhooks", name, "post", "requestBody", "content", "application/json", "schema").Validate(bad); err == nil {
			t.Errorf("%s: %v is valid", name, bad)
		}
	}
}

func TestOpenAPIDocument(t *testing.T) {
	a := start(t)
	d := a.document(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("version %q", d.OpenAPI)
	}
	if _, ok := d.Components.Schemas["ErrorModel"]; ok {
		t.Error("the schema of another kind of error is documented")
	}
	for _, op := range a.operations(t) {
		if op.Summary == "" || len(op.Tags) != 1 || op.Tags[0] == "" {
			t.Errorf("%s: summary %q, tags %v", op.id, op.Summary, op.Tags)
		}
		for _, p := range op.Parameters {
			if p.Description == "" {
				t.Errorf("%s: parameter %s is not described", op.id, p.Name)
			}
		}
		for _, status := range []string{"401", "422", "429", "503", "default"} {
			if _, ok := op.Responses[status]; !ok {
				t.Errorf("%s: %s is not documented", op.id, status)
			}
		}
		if _, ok := op.Responses["413"]; ok != (op.RequestBody != nil) {
			t.Errorf("%s: 413 documented is %v", op.id, ok)
		}
	}
	text, _ := json.Marshal(d)
	for name := range d.Components.Schemas {
		if !bytes.Contains(text, []byte(`"#/components/schemas/`+name+`"`)) {
			t.Errorf("schema %s is not used", name)
		}
	}
}

func TestWebhooksAreTheEventTypes(t *testing.T) {
	a := start(t)
	served := a.send(t, "GET", "/openapi.json", "", "Authorization", "")
	types := a.service.EventTypes()
	if text := must[[]byte](t)(httpapi.Document(types)); served.body != string(text) || served.status != http.StatusOK {
		t.Error("the document that is served is another one")
	}
	var want []string
	for _, e := range types {
		want = append(want, e.Name)
	}
	d := a.document(t)
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(maps.Keys(d.Webhooks))); diff != "" {
		t.Error(diff)
	}
	for name, item := range d.Webhooks {
		var headers []string
		for _, p := range item["post"].Parameters {
			headers = append(headers, p.Name)
			if p.In != "header" || p.Description == "" || p.Example == "" {
				t.Errorf("%s: %+v", name, p)
			}
		}
		want := []string{"content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature", "smobi-event-type", "smobi-attempt"}
		if diff := cmp.Diff(want, headers); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]string{"2XX", "410", "default"}, slices.Sorted(maps.Keys(item["post"].Responses))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestDocumentOfNoTypes(t *testing.T) {
	text := must[[]byte](t)(httpapi.Document(nil))
	var d document
	if err := json.Unmarshal(text, &d); err != nil || len(d.Webhooks) != 0 || len(d.Paths) == 0 {
		t.Errorf("%v: %s", err, text)
	}
}
