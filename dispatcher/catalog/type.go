package catalog

import (
	"bytes"
	"regexp"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// The event types of the platform.
const (
	TypeMessageDelivered = "message.delivered"
	TypeMessageRead      = "message.read"
	TypeMessageFailed    = "message.failed"

	TypeInteractionSMSReply       = "interaction.sms.reply"
	TypeInteractionRCSButtonClick = "interaction.rcs.button_click"
	TypeInteractionRCSTextReply   = "interaction.rcs.text_reply"

	TypeWorkflowSMSMatchedText = "workflow.sms.matched_text"
	TypeWorkflowRCSButtonClick = "workflow.rcs.button_click"
	TypeWorkflowRCSMatchedText = "workflow.rcs.matched_text"
)

// The operational event types: what outhook itself has to say to a brand.
const (
	TypeEndpointDisabled  = "endpoint.disabled"
	TypeEndpointRecovered = "endpoint.recovered"
	TypeDeliveryDead      = "delivery.dead"
)

// The groups of event types.
const (
	GroupStatus      = "status"
	GroupInteraction = "interaction"
	GroupWorkflow    = "workflow"
	// GroupOperational types are published by outhook only, and go to endpoints
	// that name them exactly.
	GroupOperational = "operational"
	// GroupAdditional types come from [Config.Types].
	GroupAdditional = "additional"
)

// Message sources, as the platform names them.
const (
	SourceExternal = "EXTERNAL" // a customer's message outside a workflow
	SourceInternal = "INTERNAL" // a customer's interaction with a workflow
)

// Type is one event type.
type Type = webhook.EventType

// clone returns a copy that shares nothing with t.
func clone(t Type) Type {
	if t.MessageSource != nil {
		t.MessageSource = new(*t.MessageSource)
	}
	t.Schema, t.Example = bytes.Clone(t.Schema), bytes.Clone(t.Example)
	return t
}

// MaxNameBytes bounds the name of an event type.
const MaxNameBytes = 128

const nameRule = "must be lower-case words with dots between them, [a-z0-9_]+(.[a-z0-9_]+)+, of at most 128 bytes"

var namePattern = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)+$`)

func validName(name string) bool {
	return len(name) <= MaxNameBytes && namePattern.MatchString(name)
}
