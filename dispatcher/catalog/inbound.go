package catalog

import (
	"encoding/json"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Inbound is what a customer sent or did. Every field but Channel, SMS and RCS
// is required.
type Inbound struct {
	// SmobiMessageID is the platform's reference of the message.
	SmobiMessageID string
	// To is the recipient and From the sender, as in the message.
	To, From string
	// Channel may be left empty: the constructor writes that of its type, and
	// refuses another.
	Channel string
	// Timestamp is when it happened, written as RFC 3339 in UTC with as many
	// decimals as it has.
	Timestamp time.Time
	// SMS and RCS are JSON objects; left out when empty. Their bytes go into
	// the payload as they are.
	SMS, RCS json.RawMessage
}

// InteractionSMSReply returns a [TypeInteractionSMSReply] event, its
// messageSource EXTERNAL. Its ID is empty: set one to make publishing it again
// safe. Errors are [webhook.FieldError]s that name the field, such as
// "payload.from"; brand and size are checked when it is published.
func InteractionSMSReply(brand string, in Inbound) (webhook.Event, error) {
	return in.event(brand, TypeInteractionSMSReply, ChannelSMS, SourceExternal)
}

// InteractionRCSButtonClick returns a [TypeInteractionRCSButtonClick] event,
// its messageSource EXTERNAL, as [InteractionSMSReply] does.
func InteractionRCSButtonClick(brand string, in Inbound) (webhook.Event, error) {
	return in.event(brand, TypeInteractionRCSButtonClick, ChannelRCS, SourceExternal)
}

// InteractionRCSTextReply returns a [TypeInteractionRCSTextReply] event, its
// messageSource EXTERNAL, as [InteractionSMSReply] does.
func InteractionRCSTextReply(brand string, in Inbound) (webhook.Event, error) {
	return in.event(brand, TypeInteractionRCSTextReply, ChannelRCS, SourceExternal)
}

// WorkflowSMSMatchedText returns a [TypeWorkflowSMSMatchedText] event, its
// messageSource INTERNAL, as [InteractionSMSReply] does.
func WorkflowSMSMatchedText(brand string, in Inbound) (webhook.Event, error) {
	return in.event(brand, TypeWorkflowSMSMatchedText, ChannelSMS, SourceInternal)
}

// WorkflowRCSButtonClick returns a [TypeWorkflowRCSButtonClick] event, its
// messageSource INTERNAL, as [InteractionSMSReply] does.
func WorkflowRCSButtonClick(brand string, in Inbound) (webhook.Event, error) {
	return in.event(brand, TypeWorkflowRCSButtonClick, ChannelRCS, SourceInternal)
}

// WorkflowRCSMatchedText returns a [TypeWorkflowRCSMatchedText] event, its
// messageSource INTERNAL, as [InteractionSMSReply] does.
func WorkflowRCSMatchedText(brand string, in Inbound) (webhook.Event, error) {
	return in.event(brand, TypeWorkflowRCSMatchedText, ChannelRCS, SourceInternal)
}

// inboundPayload is in the documented order. The platform does not say where
// messageSource is; the top level is our choice.
type inboundPayload struct {
	SmobiMessageID string `json:"smobiMessageId"`
	To             string `json:"to"`
	From           string `json:"from"`
	Timestamp      string `json:"timestamp"`
	Channel        string `json:"channel"`
	MessageSource  string `json:"messageSource"`
}

func (in Inbound) event(brand, eventType, channel, source string) (webhook.Event, error) {
	err := required(field{"smobiMessageId", in.SmobiMessageID}, field{"to", in.To}, field{"from", in.From})
	if err != nil {
		return webhook.Event{}, err
	}
	if in.Channel != "" && in.Channel != channel {
		return webhook.Event{}, webhook.Invalid("payload.channel", "must be %s for %s, or empty", channel, eventType)
	}
	at, err := timestamp(in.Timestamp)
	if err != nil {
		return webhook.Event{}, err
	}
	payload, err := build(inboundPayload{
		SmobiMessageID: in.SmobiMessageID, To: in.To, From: in.From,
		Timestamp: at, Channel: channel, MessageSource: source,
	}, object{"sms", in.SMS}, object{"rcs", in.RCS})
	if err != nil {
		return webhook.Event{}, err
	}
	return webhook.Event{Brand: brand, Type: eventType, Payload: payload}, nil
}
