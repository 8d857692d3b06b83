package catalog_test

import (
	"testing"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestCheckPattern(t *testing.T) {
	const (
		form = `must be an event type, or the first words of some with .* after them; the nearest is `
		none = `matches no event type; the nearest is `
		only = `operational types must be named exactly, such as `
	)
	cases := []struct{ pattern, rule string }{
		{"message.read", ""},
		{"message.*", ""},
		{"interaction.*", ""},
		{"interaction.sms.*", ""},
		{"workflow.rcs.button_click", ""},
		{"endpoint.disabled", ""},
		{"delivery.dead", ""},
		{"shop.*", ""},
		{"shop.order.*", ""},
		{"shop.order.placed", ""},

		{"", form + `"shop.*"`},
		{"*", form + `"shop.*"`},
		{".*", form + `"shop.*"`},
		{"message", form + `"message.*"`},
		{"message*", form + `"message.*"`},
		{"message.", form + `"message.*"`},
		{"message.*.*", form + `"message.*"`},
		{"Message.*", form + `"message.*"`},
		{"message.*\n", form + `"message.*"`},
		{"*.read", form + `"shop.*"`},
		{"message.de*", form + `"message.*"`},
		{"messages.*", none + `"message.*"`},
		{"message.raed", none + `"message.read"`},
		{"message.read.*", none + `"message.read"`},
		{"endpoint.enabled", none + `"endpoint.disabled"`},
		{"endpoint.*", only + `"endpoint.disabled"`},
		{"delivery.*", only + `"delivery.dead"`},
	}
	c := open(t, catalog.Config{Types: []catalog.Type{{Name: "shop.order.placed"}}})
	for _, tc := range cases {
		t.Run(tc.pattern, func(t *testing.T) {
			err := c.CheckPattern(tc.pattern)
			if tc.rule == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantField(t, err, "eventTypes", tc.rule)
		})
	}
}

func TestMatches(t *testing.T) {
	patterns := func(p ...string) webhook.Endpoint { return webhook.Endpoint{EventTypes: p} }
	purpose := func(p string) webhook.Endpoint { return webhook.Endpoint{Purpose: p} }
	cases := []struct {
		name     string
		endpoint webhook.Endpoint
		typ      string
		want     bool
	}{
		{"exact", patterns("message.read"), "message.read", true},
		{"another", patterns("message.read"), "message.failed", false},
		{"prefix", patterns("interaction.rcs.*"), "interaction.rcs.text_reply", true},
		{"another prefix", patterns("interaction.rcs.*"), "interaction.sms.reply", false},
		{"status", purpose("status"), "message.failed", true},
		{"status wants no inbound", purpose("status"), "interaction.sms.reply", false},
		{"inbound", purpose("inbound"), "interaction.sms.reply", true},
		{"inbound, workflow", purpose("inbound"), "workflow.rcs.matched_text", true},
		{"inbound wants no status", purpose("inbound"), "message.read", false},
		{"operational by name", patterns("message.*", "endpoint.disabled"), "endpoint.disabled", true},
		{"operational by prefix", patterns("endpoint.*", "delivery.*"), "endpoint.disabled", false},
		{"operational by another name", patterns("endpoint.recovered"), "endpoint.disabled", false},
		{"operational by purpose", purpose("status"), "delivery.dead", false},
		{"additional beside operational", patterns("endpoint.*"), "endpoint.moved", true},
		{"nothing", patterns(), "message.read", false},
	}
	c := open(t, catalog.Config{Types: []catalog.Type{{Name: "endpoint.moved"}}})
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := c.Matches(tc.endpoint, tc.typ); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestWildcardBesideOperational: an additional type makes the prefix a valid
// pattern, which does not open the operational types to it.
func TestWildcardBesideOperational(t *testing.T) {
	c := open(t, catalog.Config{Types: []catalog.Type{{Name: "endpoint.moved"}}})
	if err := c.CheckPattern("endpoint.*"); err != nil {
		t.Error(err)
	}
}

// TestEveryPatternOfAPurposeIsValid holds the purposes against the catalogue.
func TestEveryPatternOfAPurposeIsValid(t *testing.T) {
	c := open(t, catalog.Config{})
	for _, purpose := range []string{webhook.PurposeStatus, webhook.PurposeInbound} {
		for _, p := range (webhook.Endpoint{Purpose: purpose}).Patterns() {
			if err := c.CheckPattern(p); err != nil {
				t.Errorf("%s: %v", purpose, err)
			}
		}
	}
}
