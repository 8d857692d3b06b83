package catalog

import (
	"bytes"
	"embed"
	"fmt"
)

// One file a schema, shared by the types of the same form, and one an example,
// named after its type.
//
//go:embed schemas/*.json examples/*.json
var files embed.FS

// entry is a row of the table of built-in types.
type entry struct {
	name, group, source, schema, description string
}

const invented = " Inner fields that the platform does not document are marked as a sample in the example."

// table lists the built-in types in the order in which they are documented.
func table() []entry {
	return []entry{
		{TypeMessageDelivered, GroupStatus, "", "status", "A message was delivered to its recipient."},
		{TypeMessageRead, GroupStatus, "", "status", "A message was read by its recipient."},
		{TypeMessageFailed, GroupStatus, "", "status", "A message could not be delivered." + invented},

		{TypeInteractionSMSReply, GroupInteraction, SourceExternal, "inbound", "A customer replied by SMS." + invented},
		{TypeInteractionRCSButtonClick, GroupInteraction, SourceExternal, "inbound", "A customer clicked a button of an RCS message." + invented},
		{TypeInteractionRCSTextReply, GroupInteraction, SourceExternal, "inbound", "A customer replied to an RCS message with text." + invented},

		{TypeWorkflowSMSMatchedText, GroupWorkflow, SourceInternal, "inbound", "A customer's SMS reply to a workflow message was classified as one of its suggestions." + invented},
		{TypeWorkflowRCSButtonClick, GroupWorkflow, SourceInternal, "inbound", "A customer clicked a suggestion of an RCS workflow message." + invented},
		{TypeWorkflowRCSMatchedText, GroupWorkflow, SourceInternal, "inbound", "A customer's RCS reply to a workflow message was classified as one of its suggestions." + invented},

		{TypeEndpointDisabled, GroupOperational, "", TypeEndpointDisabled, "An endpoint was disabled: nothing new is sent to it."},
		{TypeEndpointRecovered, GroupOperational, "", TypeEndpointRecovered, "An endpoint that had failed accepts deliveries again."},
		{TypeDeliveryDead, GroupOperational, "", TypeDeliveryDead, "A delivery was given up and is a dead letter now."},
	}
}

func (e entry) load() (Type, error) {
	schema, err := files.ReadFile("schemas/" + e.schema + ".json")
	if err != nil {
		return Type{}, fmt.Errorf("read schema of %s: %w", e.name, err)
	}
	example, err := files.ReadFile("examples/" + e.name + ".json")
	if err != nil {
		return Type{}, fmt.Errorf("read example of %s: %w", e.name, err)
	}
	t := Type{
		Name: e.name, Group: e.group, Description: e.description,
		Schema: bytes.TrimSpace(schema), Example: bytes.TrimSpace(example),
	}
	if e.source != "" {
		t.MessageSource = new(e.source)
	}
	return t, nil
}
