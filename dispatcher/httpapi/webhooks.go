package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// noteWebhook is what every receiver has to know.
const noteWebhook = "The body is the published payload, byte for byte. Verify the signature before you parse it, answer first and " +
	"work later, and keep the webhook-id of what you have worked on: the same event may arrive more than once, and in any order."

// describeWebhooks returns the section of the document that says what receivers
// get: one webhook for each event type, in their order.
func describeWebhooks(types []webhook.EventType) ([]byte, error) {
	var members [][]byte
	for _, t := range types {
		described, err := json.Marshal(describeWebhook(t))
		if err != nil {
			return nil, fmt.Errorf("describe event type %s: %w", t.Name, err)
		}
		members = append(members, fmt.Appendf(nil, `%q:{"post":%s}`, t.Name, described))
	}
	return fmt.Appendf(nil, "{%s}", bytes.Join(members, []byte(","))), nil
}

func describeWebhook(t webhook.EventType) *huma.Operation {
	content := map[string]*huma.MediaType{
		// As it is, which is why it is no huma.Schema.
		jsonType: {Extensions: map[string]any{"schema": embeddable(t)}, Example: t.Example},
	}
	return &huma.Operation{
		Tags: []string{t.Group}, Summary: t.Description, Description: noteWebhook,
		Parameters:  webhookHeaders(t.Name),
		RequestBody: &huma.RequestBody{Required: true, Content: content},
		Responses: map[string]*huma.Response{
			"2XX": {Description: "Delivered. Status line and headers decide; the body is read for at most a second"},
			"410": {Description: "Never again: the endpoint is disabled, and the delivery is a dead letter"},
			"default": {Description: "Not delivered, redirects and other 4xx included: tried again, later and later, until the retry " +
				"schedule ends. Retry-After, in seconds or as a date, is honoured"},
		},
		Security: []map[string][]string{}, // the API's key is none of a receiver's
	}
}

func webhookHeaders(eventType string) []*huma.Param {
	return []*huma.Param{
		header("content-type", "Always JSON", jsonType),
		header("user-agent", "outhook and its version", "outhook/1"),
		header(signer.HeaderID, "The id of the event, the same on every attempt: for de-duplication", exampleEventID),
		header(signer.HeaderTimestamp, "When this attempt was made, in Unix seconds. Refuse what is older than five minutes", "1738324800"),
		header(signer.HeaderSignature, "Signatures of id.timestamp.body, with spaces between them: v1,BASE64 is HMAC-SHA256 with the secret, "+
			"v1a,BASE64 is Ed25519. One that verifies is enough; there are several while a secret is being rotated",
			"v1,vMMDFE9hEH3wHrVxIvkgxxmLwOhpTJXqN0Jl4lq3EJU="),
		header(webhook.HeaderEventType, "The event type", eventType),
		header(webhook.HeaderAttempt, "The number of this attempt, from 1", "1"),
	}
}

func header(name, description, example string) *huma.Param {
	return &huma.Param{
		Name: name, In: "header", Required: true, Description: description, Example: example,
		Schema: &huma.Schema{Type: huma.TypeString},
	}
}

var errHasID = errors.New("has an $id")

// embeddable returns the schema of a type's payload with an $id, so that "#" in
// it still means itself and not the document that it becomes a part of (JSON
// Schema 2020-12, section 8.2.1). One that has its own keeps it.
func embeddable(t webhook.EventType) json.RawMessage {
	if len(bytes.TrimSpace(t.Schema)) == 0 || isNull(t.Schema) {
		return json.RawMessage(`{"type":"object"}`)
	}
	err := eachMember(t.Schema, func(name string, _ []byte) error {
		if name == "$id" {
			return errHasID
		}
		return nil
	})
	if err != nil { // or is true or false, which need none
		return t.Schema
	}
	id, _ := json.Marshal("tag:smobi.com,2025:outhook/event-type/" + t.Name) // a string encodes
	return withMember(t.Schema, "$id", id)
}
