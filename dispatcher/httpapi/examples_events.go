package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

const (
	exampleEventID = "msg-123-delivered"
	exampleType    = "message.delivered"
)

func examplePublish() PublishRequest {
	return PublishRequest{
		ID: exampleEventID, Type: exampleType,
		Payload: json.RawMessage(`{"clientRef":"client-ref-123","to":"15552223333","status":"DELIVERED"}`),
	}
}

func exampleReceipt() Receipt {
	return Receipt{ID: exampleEventID, Deliveries: []ReceiptDelivery{{EndpointID: exampleEndpointID}}}
}

// exampleBatchRequest holds an event that is refused.
func exampleBatchRequest() BatchRequest {
	refused := examplePublish()
	refused.ID, refused.Type = "msg-123-sent", "message.sent"
	return BatchRequest{Events: []PublishRequest{examplePublish(), refused}}
}

func exampleBatch() BatchResponse {
	return BatchResponse{Results: []BatchResult{
		{Receipt: exampleReceipt()},
		{Error: broken("body.events[1].type", "is not in the catalogue")},
	}}
}

func exampleEvent() Event {
	return Event{
		ID: exampleEventID, Type: exampleType, Brand: "acme", PublishedAt: exampleAt(0),
		Payload: examplePublish().Payload, Deliveries: []Delivery{exampleDelivery()},
	}
}

func exampleDelivery() Delivery {
	return Delivery{
		EventID: exampleEventID, EndpointID: exampleEndpointID, State: string(webhook.StateRetrying),
		Attempts: 1, NextAttemptAt: exampleAt(5 * time.Second), UpdatedAt: exampleAt(time.Second),
	}
}

func exampleAttempt() Attempt {
	status := http.StatusInternalServerError
	return Attempt{
		ID: "att_0194bc2f1a2b7c3d8e4f5a6b7c8d9e0f", EventID: exampleEventID, EndpointID: exampleEndpointID, Type: exampleType,
		Number: 1, Trigger: string(webhook.TriggerDelivery), StartedAt: exampleAt(0), DurationMs: 84,
		Phases: AttemptPhases{DNSMs: 3, ConnectMs: 11, TLSMs: 24, FirstByteMs: 80},
		Request: AttemptRequest{URL: exampleURL, Headers: map[string]string{
			signer.HeaderID: exampleEventID, signer.HeaderTimestamp: "1738324800",
			webhook.HeaderEventType: exampleType, webhook.HeaderAttempt: "1",
		}},
		Status: &status, Outcome: string(webhook.OutcomeRetrying), Reason: string(webhook.ReasonHTTPStatus),
		Response:      &AttemptResponse{Headers: map[string]string{"content-type": "text/plain"}, Body: "try later"},
		NextAttemptAt: exampleAt(5 * time.Second),
	}
}

// exampleTest is how a test went that was answered with 204.
func exampleTest() Attempt {
	a, status := exampleAttempt(), http.StatusNoContent
	a.Trigger, a.Outcome, a.Reason = string(webhook.TriggerTest), string(webhook.OutcomeDelivered), string(webhook.ReasonOK)
	a.Status, a.NextAttemptAt = &status, Time{}
	a.Response = &AttemptResponse{Headers: map[string]string{"date": "Fri, 31 Jan 2025 12:00:00 GMT"}}
	return a
}

func exampleExplanation() Explanation {
	delivery, attempt := exampleDelivery(), exampleAttempt()
	return Explanation{
		EventID: exampleEventID, Type: exampleType, PublishedAt: exampleAt(0),
		Items: []Explained{
			{EndpointID: "crm-inbound", Explanation: "The endpoint wants interaction.* and workflow.*, and this is message.delivered."},
			{
				EndpointID: exampleEndpointID, Matched: true, Delivery: &delivery, LastAttempt: &attempt,
				Explanation: "Attempt 1 was answered with 500; the next is due at 2025-01-31T12:00:05.000Z.",
			},
		},
	}
}

func exampleDeadLetter() DeadLetter {
	d, a := exampleDelivery(), exampleAttempt()
	d.State, d.DeathReason, d.NextAttemptAt = string(webhook.StateDead), string(webhook.DeathMaxAge), Time{}
	a.Outcome, a.NextAttemptAt = string(webhook.OutcomeDead), Time{}
	return DeadLetter{Delivery: d, Type: exampleType, LastAttempt: &a}
}
