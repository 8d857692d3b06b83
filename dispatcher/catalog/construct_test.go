package catalog_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

type (
	newStatus  func(string, catalog.Status) (webhook.Event, error)
	newInbound func(string, catalog.Inbound) (webhook.Event, error)
)

func aStatus() catalog.Status {
	return catalog.Status{
		SmobiMessageID: "123e4567-e89b-12d3-a456-426614174000", ClientRef: "client-ref-123",
		To: "15552223333", From: "Smobi-Dev", Channel: catalog.ChannelRCS,
		Timestamp: time.Date(2024, 1, 15, 11, 30, 0, 0, time.FixedZone("", 3600)),
	}
}

func anInbound() catalog.Inbound {
	return catalog.Inbound{
		SmobiMessageID: "123e4567-e89b-12d3-a456-426614174000", To: "Smobi-Dev", From: "15552223333",
		Timestamp: time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
	}
}

// TestConstructorsMakeTheExamples: the same fields make the same bytes.
func TestConstructorsMakeTheExamples(t *testing.T) {
	c := open(t, catalog.Config{Validation: catalog.ValidationEnforce})
	object := func(name string, typ catalog.Type) json.RawMessage {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(typ.Example, &members); err != nil {
			t.Fatal(err)
		}
		return members[name]
	}
	check := func(t *testing.T, typ catalog.Type, e webhook.Event, err error) {
		if err != nil {
			t.Fatal(err)
		}
		want := webhook.Event{Brand: "acme", Type: typ.Name, Payload: typ.Example}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Error(diff)
		}
	}
	for name, construct := range map[string]newStatus{
		"message.delivered": catalog.MessageDelivered,
		"message.read":      catalog.MessageRead,
		"message.failed":    catalog.MessageFailed,
	} {
		t.Run(name, func(t *testing.T) {
			typ, _ := c.Lookup(name)
			s := aStatus()
			s.FailureDetails = object("failureDetails", typ)
			e, err := construct("acme", s)
			check(t, typ, e, err)
		})
	}
	for name, construct := range map[string]newInbound{
		"interaction.sms.reply":        catalog.InteractionSMSReply,
		"interaction.rcs.button_click": catalog.InteractionRCSButtonClick,
		"interaction.rcs.text_reply":   catalog.InteractionRCSTextReply,
		"workflow.sms.matched_text":    catalog.WorkflowSMSMatchedText,
		"workflow.rcs.button_click":    catalog.WorkflowRCSButtonClick,
		"workflow.rcs.matched_text":    catalog.WorkflowRCSMatchedText,
	} {
		t.Run(name, func(t *testing.T) {
			typ, _ := c.Lookup(name)
			in := anInbound()
			in.SMS, in.RCS = object("sms", typ), object("rcs", typ)
			e, err := construct("acme", in)
			check(t, typ, e, err)
		})
	}
}

func TestBytesStayAsGiven(t *testing.T) {
	const odd = " { \"a\" : 1e2,\t\"a\":1.0, \"t\":\"<b>&\u2028\\u003c\\/😀\" }\n"
	s := aStatus()
	s.ClientRef, s.FailureDetails = "<a href=\"x\">&'😀", json.RawMessage(odd)
	s.Timestamp = s.Timestamp.Add(123456 * time.Microsecond)
	e, err := catalog.MessageFailed("acme", s)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"smobiMessageId":"123e4567-e89b-12d3-a456-426614174000","clientRef":"<a href=\"x\">&'😀","to":"15552223333","from":"Smobi-Dev","status":"FAILED","channel":"RCS","timestamp":"2024-01-15T10:30:00.123456Z","failureDetails":` + odd + `}`
	if diff := cmp.Diff(want, string(e.Payload)); diff != "" {
		t.Error(diff)
	}
	if err := e.Validate(1 << 10); err != nil {
		t.Error(err)
	}
}

func TestBothObjects(t *testing.T) {
	in := anInbound()
	in.SMS, in.RCS = json.RawMessage(`{"s":1}`), json.RawMessage(`{"r":1}`)
	e, err := catalog.InteractionSMSReply("acme", in)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ SMS, RCS map[string]int }
	if err := json.Unmarshal(e.Payload, &got); err != nil || got.SMS["s"] != 1 || got.RCS["r"] != 1 {
		t.Errorf("%s: %v", e.Payload, err)
	}
}

func TestUnknownChannelOfAStatus(t *testing.T) {
	s := aStatus()
	s.Channel = "WHATSAPP"
	if _, err := catalog.MessageRead("acme", s); err != nil {
		t.Error(err)
	}
}

func TestStatusRefuses(t *testing.T) {
	cases := []struct {
		field, rule string
		spoil       func(*catalog.Status)
	}{
		{"payload.smobiMessageId", "is required", func(s *catalog.Status) { s.SmobiMessageID = "" }},
		{"payload.clientRef", "is required", func(s *catalog.Status) { s.ClientRef = "" }},
		{"payload.to", "is required", func(s *catalog.Status) { s.To = "" }},
		{"payload.from", "is required", func(s *catalog.Status) { s.From = "" }},
		{"payload.channel", "is required", func(s *catalog.Status) { s.Channel = "" }},
		{"payload.timestamp", "is required", func(s *catalog.Status) { s.Timestamp = time.Time{} }},
		{"payload.timestamp", "must lie within the years 0 to 9999", func(s *catalog.Status) { s.Timestamp = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"payload.from", "must be valid UTF-8", func(s *catalog.Status) { s.From = "a\xff" }},
		{"payload.failureDetails", "must be a JSON object in UTF-8", func(s *catalog.Status) { s.FailureDetails = json.RawMessage(`null`) }},
		{"payload.failureDetails", "must be a JSON object in UTF-8", func(s *catalog.Status) { s.FailureDetails = json.RawMessage(`{},"to":{}`) }},
		{"payload.failureDetails", "must be a JSON object in UTF-8", func(s *catalog.Status) { s.FailureDetails = json.RawMessage(`{"a":"` + "\xff" + `"}`) }},
		{"payload.failureDetails", "must be a JSON object in UTF-8", func(s *catalog.Status) { s.FailureDetails = json.RawMessage(` `) }},
	}
	for name, construct := range map[string]newStatus{
		"delivered": catalog.MessageDelivered, "read": catalog.MessageRead, "failed": catalog.MessageFailed,
	} {
		for _, tc := range cases {
			t.Run(name+" "+tc.field, func(t *testing.T) {
				s := aStatus()
				tc.spoil(&s)
				e, err := construct("acme", s)
				wantField(t, err, tc.field, tc.rule)
				if diff := cmp.Diff(webhook.Event{}, e); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestInboundRefuses(t *testing.T) {
	cases := []struct {
		field, rule string
		spoil       func(*catalog.Inbound)
	}{
		{"payload.smobiMessageId", "is required", func(in *catalog.Inbound) { in.SmobiMessageID = "" }},
		{"payload.to", "is required", func(in *catalog.Inbound) { in.To = "" }},
		{"payload.from", "is required", func(in *catalog.Inbound) { in.From = "" }},
		{"payload.timestamp", "is required", func(in *catalog.Inbound) { in.Timestamp = time.Time{} }},
		{"payload.channel", "must be RCS for workflow.rcs.matched_text, or empty", func(in *catalog.Inbound) { in.Channel = catalog.ChannelSMS }},
		{"payload.sms", "must be a JSON object in UTF-8", func(in *catalog.Inbound) { in.SMS = json.RawMessage(`[]`) }},
		{"payload.rcs", "must be a JSON object in UTF-8", func(in *catalog.Inbound) { in.RCS = json.RawMessage(`{`) }},
	}
	for _, tc := range cases {
		t.Run(tc.field, func(t *testing.T) {
			in := anInbound()
			tc.spoil(&in)
			_, err := catalog.WorkflowRCSMatchedText("acme", in)
			wantField(t, err, tc.field, tc.rule)
		})
	}
}
