package webhook_test

import (
	"slices"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

func TestMatchType(t *testing.T) {
	for _, row := range []struct {
		pattern, eventType string
		want               bool
	}{
		{"message.read", "message.read", true},
		{"message.read", "message.failed", false},
		{"message.read", "message.read.twice", false},
		{"message.read", "message.rea", false},
		{"message.read", "Message.Read", false},
		{"message.*", "message.read", true},
		{"message.*", "message.read.twice", true},
		{"message.*", "message", false},
		{"message.*", "messages.read", false},
		{"message.*", "old.message.read", false},
		{"interaction.sms.*", "interaction.sms.reply", true},
		{"interaction.sms.*", "interaction.rcs.text_reply", false},
		{"interaction.*", "interaction.sms.reply", true},
		{"*", "message.read", false},
		{"message*", "message.read", false},
		{"mess*", "message.read", false},
		{"*.read", "message.read", false},
		{"message.*.read", "message.sms.read", false},
		{"message.**", "message.read", false},
		{"", "message.read", false},
		{"message.", "message.read", false},
	} {
		if got := webhook.MatchType(row.pattern, row.eventType); got != row.want {
			t.Errorf("%q matches %q: %t", row.pattern, row.eventType, got)
		}
	}
}

func TestEndpointWants(t *testing.T) {
	status := []string{"message.delivered", "message.read", "message.failed"}
	inbound := []string{"interaction.sms.reply", "interaction.rcs.button_click", "interaction.rcs.text_reply",
		"workflow.sms.matched_text", "workflow.rcs.button_click", "workflow.rcs.matched_text"}
	operational := []string{"endpoint.disabled", "endpoint.recovered", "delivery.dead"}
	for _, row := range []struct {
		name     string
		endpoint webhook.Endpoint
		want     []string
	}{
		{"status", webhook.Endpoint{Purpose: webhook.PurposeStatus}, status},
		{"inbound", webhook.Endpoint{Purpose: webhook.PurposeInbound}, inbound},
		{"a purpose is all", webhook.Endpoint{Purpose: webhook.PurposeStatus, EventTypes: []string{"workflow.*"}}, status},
		{"by name", webhook.Endpoint{EventTypes: []string{"delivery.dead"}}, operational[2:]},
		{"several", webhook.Endpoint{EventTypes: []string{"message.*", "delivery.dead"}}, slices.Concat(status, operational[2:])},
		{"nothing", webhook.Endpoint{}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, eventType := range slices.Concat(status, inbound, operational) {
				if got, want := row.endpoint.Wants(eventType), slices.Contains(row.want, eventType); got != want {
					t.Errorf("wants %s: %t", eventType, got)
				}
			}
		})
	}
}

func TestEndpointPatterns(t *testing.T) {
	for _, row := range []struct {
		endpoint webhook.Endpoint
		want     []string
	}{
		{webhook.Endpoint{Purpose: webhook.PurposeStatus}, []string{"message.*"}},
		{webhook.Endpoint{Purpose: webhook.PurposeInbound}, []string{"interaction.*", "workflow.*"}},
		{webhook.Endpoint{EventTypes: []string{"message.read"}}, []string{"message.read"}},
		{webhook.Endpoint{}, nil},
	} {
		if got := row.endpoint.Patterns(); !slices.Equal(got, row.want) {
			t.Errorf("%+v: %q", row.endpoint, got)
		}
	}
	got := webhook.Endpoint{Purpose: webhook.PurposeStatus}.Patterns()
	got[0] = "changed"
	if (webhook.Endpoint{Purpose: webhook.PurposeStatus}).Patterns()[0] != "message.*" {
		t.Error("a caller changed what the purpose stands for")
	}
}

// Keys are told apart by what they sign.
func TestEndpointKeys(t *testing.T) {
	current, old, older, private := signer.NewSecret(), signer.NewSecret(), signer.NewSecret(), signer.NewPrivateKey()
	end := publishedAt
	rotated := []webhook.EndpointSecret{{HMAC: current}, {HMAC: old, EndsAt: end}, {HMAC: older, EndsAt: end.Add(-time.Hour)}}
	for _, row := range []struct {
		name    string
		secrets []webhook.EndpointSecret
		at      time.Time
		want    []signer.Key
	}{
		{"one", rotated[:1], end, []signer.Key{current}},
		{"all three", rotated, end.Add(-2 * time.Hour), []signer.Key{current, old, older}},
		{"the oldest ends", rotated, end.Add(-time.Hour), []signer.Key{current, old}},
		{"last moment of the overlap", rotated, end.Add(-1), []signer.Key{current, old}},
		{"end of the overlap", rotated, end, []signer.Key{current}},
		{"after the overlap", rotated, end.Add(1), []signer.Key{current}},
		{"end in another zone", rotated, end.In(time.FixedZone("", 3600)), []signer.Key{current}},
		{"Ed25519", []webhook.EndpointSecret{{Ed25519: private}}, end, []signer.Key{private}},
		{"from HMAC to Ed25519", []webhook.EndpointSecret{{Ed25519: private}, {HMAC: old, EndsAt: end.Add(1)}}, end, []signer.Key{private, old}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := webhook.Endpoint{Secrets: row.secrets}.Keys(row.at)
			if sign(t, got) != sign(t, row.want) {
				t.Errorf("%d keys sign, and not the %d expected in their order", len(got), len(row.want))
			}
		})
	}
	if got := (webhook.Endpoint{Secrets: rotated[1:]}).Keys(end); len(got) != 0 {
		t.Errorf("%d keys sign after all have ended", len(got))
	}
}

func sign(t *testing.T, keys []signer.Key) string {
	t.Helper()
	signature, err := signer.Sign("evt_1", publishedAt, []byte(`{}`), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestEndpointRef(t *testing.T) {
	ref := webhook.Endpoint{Brand: "acme", ID: "ep_1"}.Ref()
	if want := (webhook.EndpointRef{Brand: "acme", ID: "ep_1"}); ref != want || ref.String() != "acme:ep_1" {
		t.Errorf("got %+v, %q", ref, ref)
	}
}
