package catalog

import (
	"encoding/json"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Channels of the platform. More may come: any other text is passed on.
const (
	ChannelRCS = "RCS"
	ChannelSMS = "SMS"
)

// What the constructors write as "status".
const (
	StatusDelivered = "DELIVERED"
	StatusRead      = "READ"
	StatusFailed    = "FAILED"
)

// Status is what became of a message. Every field but FailureDetails is required.
type Status struct {
	// SmobiMessageID is the platform's reference of the message.
	SmobiMessageID string
	// ClientRef is the client's own reference of the message.
	ClientRef string
	// To is the recipient and From the sender, as in the message.
	To, From string
	// Channel is ChannelRCS, ChannelSMS or another.
	Channel string
	// Timestamp is when the status changed, written as RFC 3339 in UTC with as
	// many decimals as it has.
	Timestamp time.Time
	// FailureDetails is a JSON object, for failed messages; left out when empty.
	// Its bytes go into the payload as they are.
	FailureDetails json.RawMessage
}

// MessageDelivered returns a [TypeMessageDelivered] event with the status
// DELIVERED. Its ID is empty: set one to make publishing it again safe. Errors
// are [webhook.FieldError]s that name the field, such as "payload.clientRef";
// brand and size are checked when it is published.
func MessageDelivered(brand string, s Status) (webhook.Event, error) {
	return s.event(brand, TypeMessageDelivered, StatusDelivered)
}

// MessageRead returns a [TypeMessageRead] event with the status READ, as [MessageDelivered] does.
func MessageRead(brand string, s Status) (webhook.Event, error) {
	return s.event(brand, TypeMessageRead, StatusRead)
}

// MessageFailed returns a [TypeMessageFailed] event with the status FAILED, as [MessageDelivered] does.
func MessageFailed(brand string, s Status) (webhook.Event, error) {
	return s.event(brand, TypeMessageFailed, StatusFailed)
}

// statusPayload is in the documented order.
type statusPayload struct {
	SmobiMessageID string `json:"smobiMessageId"`
	ClientRef      string `json:"clientRef"`
	To             string `json:"to"`
	From           string `json:"from"`
	Status         string `json:"status"`
	Channel        string `json:"channel"`
	Timestamp      string `json:"timestamp"`
}

func (s Status) event(brand, eventType, status string) (webhook.Event, error) {
	err := required(
		field{"smobiMessageId", s.SmobiMessageID}, field{"clientRef", s.ClientRef},
		field{"to", s.To}, field{"from", s.From}, field{"channel", s.Channel})
	if err != nil {
		return webhook.Event{}, err
	}
	at, err := timestamp(s.Timestamp)
	if err != nil {
		return webhook.Event{}, err
	}
	payload, err := build(statusPayload{
		SmobiMessageID: s.SmobiMessageID, ClientRef: s.ClientRef, To: s.To, From: s.From,
		Status: status, Channel: s.Channel, Timestamp: at,
	}, object{"failureDetails", s.FailureDetails})
	if err != nil {
		return webhook.Event{}, err
	}
	return webhook.Event{Brand: brand, Type: eventType, Payload: payload}, nil
}
