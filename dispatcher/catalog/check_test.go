package catalog_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestUnknownTypeNamesTheNearest(t *testing.T) {
	cases := []struct{ given, nearest string }{
		{"message.delivred", "message.delivered"},
		{"message.reed", "message.read"},
		{"MESSAGE.READ", "message.read"},
		{"workflow.sms.match", "workflow.sms.matched_text"},
		{"interaction.rcs.buttonclick", "interaction.rcs.button_click"},
		{"order.place", "order.placed"},
		{"delivery.deaf", "message.read"}, // never an operational type: it could not be published
	}
	for _, validation := range []string{catalog.ValidationOff, catalog.ValidationWarn, catalog.ValidationEnforce} {
		c := open(t, catalog.Config{Validation: validation, Types: []catalog.Type{{Name: "order.placed"}}})
		for _, tc := range cases {
			rule := fmt.Sprintf("is not a known event type; the nearest is %q", tc.nearest)
			warning, err := c.CheckEvent(tc.given, []byte(`{}`))
			if warning != nil {
				t.Errorf("warned: %v", warning)
			}
			wantField(t, err, "type", rule)
			wantField(t, c.Publishable(tc.given), "type", rule)
		}
	}
}

func TestEndlessType(t *testing.T) {
	endless := strings.Repeat("message.read", 1<<20)
	_, err := open(t, catalog.Config{}).CheckEvent(endless, []byte(`{}`))
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("got %.300v", err)
	}
}

func TestPublishable(t *testing.T) {
	c := open(t, catalog.Config{Types: []catalog.Type{{Name: "endpoint.moved"}}})
	for _, typ := range c.Types() {
		err := c.Publishable(typ.Name)
		if typ.Group == catalog.GroupOperational {
			wantField(t, err, "type", "is operational: only outhook itself publishes events of this type")
		} else if err != nil {
			t.Errorf("%s: %v", typ.Name, err)
		}
	}
}

// orderSchema has what the built-in schemas have not.
const orderSchema = `{
	"required": ["lines"],
	"properties": {
		"lines": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/line"}},
		"state": {"enum": ["new", "paid"]},
		"phone": {"type": "string", "pattern": "^[0-9]+$", "maxLength": 15},
		"total": {"type": "number", "minimum": 0, "multipleOf": 0.01},
		"labels": {"additionalProperties": {"type": "string"}, "propertyNames": {"maxLength": 20}},
		"ids": {"uniqueItems": true},
		"either": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["id"]}]},
		"closed": {"type": "object", "additionalProperties": false},
		"sealed": {"unevaluatedProperties": false},
		"never": false,
		"count": {"type": "integer"}
	},
	"$defs": {"line": {"allOf": [{"type": "object"}, {"required": ["sku", "count"]}], "properties": {"count": {"type": "integer", "exclusiveMinimum": 0}}}}
}`

func withOrder(validation string) catalog.Config {
	return catalog.Config{Validation: validation, Types: []catalog.Type{{Name: "order.placed", Schema: []byte(orderSchema)}}}
}

func TestViolations(t *testing.T) {
	const status = `"smobiMessageId":"m","clientRef":"c","to":"15552223333","from":"f","channel":"RCS","timestamp":"t"`
	order := func(more string) string { return `{"lines":[{"sku":"a","count":1}],` + more + `}` }
	cases := []struct{ name, typ, payload, field, rule string }{
		{"missing", "message.delivered", `{` + status + `}`, "payload.status", "is required"},
		{"wrong type", "message.read", `{` + status + `,"status":1}`, "payload.status", "must be string"},
		{"null", "message.read", `{` + status + `,"status":null}`, "payload.status", "must be string"},
		{"the first of several", "message.read", `{}`, "payload.channel", "is required"},
		{"details as text", "message.failed", `{` + status + `,"status":"FAILED","failureDetails":"15552223333"}`, "payload.failureDetails", "must be null or object"},
		{"inbound", "interaction.sms.reply", `{"smobiMessageId":"m","from":"f","channel":"SMS","timestamp":"t"}`, "payload.to", "is required"},
		{"sms as list", "workflow.sms.matched_text", `{"smobiMessageId":"m","to":"t","from":"f","channel":"SMS","timestamp":"t","sms":[]}`, "payload.sms", "must be null or object"},
		{"operational", "delivery.dead", `{"eventId":"e","endpointId":"e","type":"t","state":"dead","attempts":1.5,"deathReason":"d","updatedAt":"u"}`, "payload.attempts", "must be integer"},

		{"in a list, by $ref and allOf", "order.placed", `{"lines":[{"sku":"a","count":1},{"count":1}]}`, "payload.lines[1].sku", "is required"},
		{"a keyword", "order.placed", `{"lines":[]}`, "payload.lines", "must fit the schema, keyword minItems"},
		{"enum", "order.placed", order(`"state":"15552223333"`), "payload.state", "must fit the schema, keyword enum"},
		{"pattern", "order.placed", order(`"phone":"+15552223333"`), "payload.phone", "must fit the schema, keyword pattern"},
		{"the first of two keywords", "order.placed", order(`"phone":"+15552223333444455"`), "payload.phone", "must fit the schema, keyword maxLength"},
		{"a name the schema does not have", "order.placed", order(`"labels":{"15552223333":1}`), "payload.labels.*", "must be string"},
		{"a name that is too long", "order.placed", order(`"labels":{"15552223333 and so on":"x"}`), "payload", "has a field whose name does not fit #/properties/labels/propertyNames of the schema"},
		{"duplicates", "order.placed", order(`"ids":["15552223333","15552223333"]`), "payload.ids", "must fit the schema, keyword uniqueItems"},
		{"neither of two", "order.placed", order(`"either":{"15552223333":1}`), "payload.either", "must fit the schema, keyword anyOf"},
		{"more than allowed", "order.placed", order(`"closed":{"15552223333":1}`), "payload.closed", "must fit the schema, keyword additionalProperties"},
		{"more than evaluated", "order.placed", order(`"sealed":{"15552223333":1}`), "payload.sealed.*", "is not allowed"},
		{"never", "order.placed", order(`"never":1`), "payload.never", "is not allowed"},
		{"negative", "order.placed", order(`"total":-15552223333`), "payload.total", "must fit the schema, keyword minimum"},
		{"negative beyond all numbers", "order.placed", order(`"total":-1e9999999`), "payload.total", "must fit the schema, keyword minimum"},
		{"no multiple, exactly", "order.placed", order(`"total":15552223333000000000.001`), "payload.total", "must fit the schema, keyword multipleOf"},
		{"duplicates beyond all numbers", "order.placed", order(`"ids":[` + strings.Repeat(`1e9999999,`, 30) + `1]`), "payload.ids", "must fit the schema, keyword uniqueItems"},
	}
	enforce, warn, off := open(t, withOrder("enforce")), open(t, withOrder("warn")), open(t, withOrder("off"))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			warning, err := enforce.CheckEvent(tc.typ, []byte(tc.payload))
			wantField(t, err, tc.field, tc.rule)
			if warning != nil {
				t.Errorf("enforce warned: %v", warning)
			}
			warning, err = warn.CheckEvent(tc.typ, []byte(tc.payload))
			wantField(t, warning, tc.field, tc.rule)
			if err != nil {
				t.Errorf("warn refused: %v", err)
			}
			if warning, err = off.CheckEvent(tc.typ, []byte(tc.payload)); warning != nil || err != nil {
				t.Errorf("off said %v, %v", warning, err)
			}
		})
	}
}

func TestFitting(t *testing.T) {
	const status = `"smobiMessageId":"m","clientRef":"c","to":"15552223333","from":"f","timestamp":"t"`
	const inbound = `"smobiMessageId":"m","to":"t","from":"15552223333","timestamp":"t"`
	const lines = `"lines":[{"sku":"a","count":1}]`
	cases := []struct{ name, typ, payload string }{
		{"unknown status", "message.delivered", `{` + status + `,"channel":"RCS","status":"REVOKED"}`},
		{"unknown channel", "message.delivered", `{` + status + `,"channel":"WHATSAPP","status":"READ"}`},
		{"more fields", "message.delivered", `{` + status + `,"channel":"RCS","status":"READ","extra":[1]}`},
		{"no details", "message.failed", `{` + status + `,"channel":"RCS","status":"FAILED","failureDetails":null}`},
		{"open details", "message.failed", `{` + status + `,"channel":"RCS","status":"FAILED","failureDetails":{"a":{"b":[null,1e999]}}}`},
		{"any time", "message.read", `{` + status + `,"channel":"RCS","status":"READ","timestamp":"yesterday"}`},
		{"source at the top", "interaction.sms.reply", `{` + inbound + `,"channel":"SMS","messageSource":"EXTERNAL"}`},
		{"source elsewhere", "interaction.sms.reply", `{` + inbound + `,"channel":"SMS","sms":{"messageSource":"EXTERNAL"}}`},
		{"source of any form", "interaction.sms.reply", `{` + inbound + `,"channel":"SMS","messageSource":{"is":"EXTERNAL"}}`},
		{"the other object", "workflow.sms.matched_text", `{` + inbound + `,"channel":"SMS","sms":null,"rcs":{}}`},
		{"odd spacing, duplicate keys", "message.read", " \n{ " + status + `, "channel" : "RCS","status":1,"status":"READ"}` + "\t"},
		{"large numbers", "order.placed", `{` + lines + `,"total":1e9999999}`},
		{"small numbers", "order.placed", `{` + lines + `,"total":1e-9999999}`},
		{"numbers with an exponent", "order.placed", `{` + lines + `,"total":1.25E1,"count":1e2}`},
		{"no schema", "order.shipped", `[`},
	}
	config := withOrder(catalog.ValidationEnforce)
	config.Types = append(config.Types, catalog.Type{Name: "order.shipped"})
	c := open(t, config)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if warning, err := c.CheckEvent(tc.typ, []byte(tc.payload)); warning != nil || err != nil {
				t.Errorf("%v, %v", warning, err)
			}
		})
	}
}

func TestNoJSONObjectIsRefusedEvenByWarn(t *testing.T) {
	for _, validation := range []string{"", catalog.ValidationWarn, catalog.ValidationEnforce} {
		c := open(t, catalog.Config{Validation: validation})
		for _, payload := range []string{``, `null`, `[]`, `"15552223333"`, `{`, `{}{}`, `{"to":15552223333`, `{} x`} {
			warning, err := c.CheckEvent("message.read", []byte(payload))
			wantField(t, err, "payload", "must be a JSON object")
			if warning != nil {
				t.Errorf("warned: %v", warning)
			}
		}
	}
}

// TestNoValueInMessages breaks every field of every example in every way, with
// a phone number as the value or the name, and looks for it in what is said.
func TestNoValueInMessages(t *testing.T) {
	const phone = "15552223333"
	values := []string{`"` + phone + `"`, phone, `[` + phone + `]`, `{"` + phone + `":"` + phone + `"}`, `-` + phone + `.5`}
	c := open(t, withOrder(catalog.ValidationWarn))
	said := 0
	for _, typ := range c.Types() {
		var whole map[string]json.RawMessage
		if err := json.Unmarshal(typ.Example, &whole); err != nil {
			t.Fatal(err)
		}
		if typ.Name == "order.placed" {
			whole = map[string]json.RawMessage{"lines": nil, "state": nil, "phone": nil, "total": nil, "labels": nil, "ids": nil, "either": nil, "closed": nil, "sealed": nil, "never": nil, "count": nil}
		}
		for name := range whole {
			for _, value := range values {
				one := maps.Clone(whole)
				one[name] = json.RawMessage(value)
				one[phone] = json.RawMessage(value)
				payload, err := json.Marshal(one)
				if err != nil {
					t.Fatal(err)
				}
				warning, err := c.CheckEvent(typ.Name, payload)
				if err != nil {
					t.Fatal(err)
				}
				if warning != nil {
					said++
				}
				if strings.Contains(fmt.Sprintf("%v %+v", warning, warning), phone) {
					t.Errorf("%s: %v", payload, warning)
				}
			}
		}
	}
	if said < 100 {
		t.Errorf("only %d payloads were found wanting", said)
	}
}

func TestOffReadsNothing(t *testing.T) {
	c := open(t, catalog.Config{Validation: catalog.ValidationOff})
	payload := []byte(`not even JSON`)
	allocations := testing.AllocsPerRun(100, func() {
		if warning, err := c.CheckEvent("message.read", payload); warning != nil || err != nil {
			t.Error(warning, err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func FuzzCheckEvent(f *testing.F) {
	c := open(f, withOrder(catalog.ValidationEnforce))
	for _, typ := range c.Types() {
		f.Add(typ.Name, []byte(typ.Example))
	}
	f.Add("order.placed", []byte(`{"lines":[{"sku":"a","count":1}],"total":1e9999999,"ids":[1,1.0,1e400],"either":{"id":1},"labels":{"a":"b"}}`))
	f.Add("order.placed", []byte(`{"lines":[{"sku":1}],"closed":{"a":1},"sealed":{"b":2},"never":[],"phone":"x"}`))
	f.Add("message.raed", []byte(`{"a":`))
	f.Fuzz(func(t *testing.T, eventType string, payload []byte) {
		warning, err := c.CheckEvent(eventType, payload)
		if warning != nil {
			t.Errorf("enforce warned: %v", warning)
		}
		if err == nil {
			return
		}
		e, ok := err.(*webhook.FieldError)
		if !ok || e.Rule == "" || e.Field != "type" && e.Field != "payload" && !strings.HasPrefix(e.Field, "payload.") {
			t.Errorf("got %#v", err)
		}
		if _, again := c.CheckEvent(eventType, payload); again == nil || again.Error() != err.Error() {
			t.Errorf("first %v, then %v", err, again)
		}
	})
}

func BenchmarkCheckEvent(b *testing.B) {
	for _, validation := range []string{catalog.ValidationOff, catalog.ValidationWarn} {
		b.Run(validation, func(b *testing.B) {
			c := open(b, catalog.Config{Validation: validation})
			typ, _ := c.Lookup("message.failed")
			b.ReportAllocs()
			for b.Loop() {
				if warning, err := c.CheckEvent(typ.Name, typ.Example); warning != nil || err != nil {
					b.Fatal(warning, err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		open(b, catalog.Config{})
	}
}
