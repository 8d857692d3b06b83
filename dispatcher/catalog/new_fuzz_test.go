package catalog_test

import (
	"testing"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// FuzzNew: whatever a config has for a schema, the answer is a catalogue or a
// field error.
func FuzzNew(f *testing.F) {
	for _, typ := range open(f, catalog.Config{}).Types() {
		f.Add([]byte(typ.Schema), []byte(typ.Example))
	}
	f.Add([]byte(orderSchema), []byte(`{"lines":[]}`))
	f.Add([]byte(`{"$id":"https://example.com/a","$ref":"b","$defs":{"x":{"$id":"b","$anchor":"q","$dynamicAnchor":"z"}}}`), []byte(`{}`))
	f.Add([]byte(`{"$ref":"https://json-schema.org/draft/2020-12/schema","$dynamicRef":"#z","minLength":1e9999999}`), []byte(`{"type":1}`))
	f.Fuzz(func(t *testing.T, schema, example []byte) {
		_, err := catalog.New(catalog.Config{Types: []catalog.Type{{Name: "a.b", Schema: schema, Example: example}}})
		if err == nil {
			return
		}
		if e, ok := err.(*webhook.FieldError); !ok || e.Rule == "" {
			t.Errorf("got %#v", err)
		}
	})
}
