package httpapi

import (
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// The functions in this file and its neighbours are the examples of the document.

const (
	exampleEndpointID = "crm-status"
	exampleURL        = "https://example.com/webhooks"
)

// exampleAt is a point in the examples' day.
func exampleAt(after time.Duration) Time {
	return Time{time.Date(2025, 1, 31, 12, 0, 0, 0, time.UTC).Add(after)}
}

func exampleEndpointRequest() EndpointRequest {
	return EndpointRequest{
		ID: exampleEndpointID, URL: exampleURL, Purpose: webhook.PurposeStatus, Description: "Receipts for the CRM",
		Metadata: map[string]string{"team": "blue"}, Headers: map[string]string{"X-Team": "blue"},
		RateLimit: &RateLimit{PerSecond: 50, Burst: 10}, MaxInFlight: 32, TimeoutMs: 10_000,
	}
}

// exampleSettings is what answers a change: an endpoint without its health.
func exampleSettings() Endpoint {
	asked := exampleEndpointRequest()
	return Endpoint{
		ID: asked.ID, URL: asked.URL, Purpose: asked.Purpose, Description: asked.Description,
		Metadata: asked.Metadata, Headers: asked.Headers, RateLimit: asked.RateLimit, MaxInFlight: asked.MaxInFlight, TimeoutMs: asked.TimeoutMs,
		Signature: webhook.SignatureHMAC, SecretHint: "Uw==", CreatedAt: exampleAt(0), UpdatedAt: exampleAt(0),
	}
}

func exampleCreated() Endpoint {
	e := exampleSettings()
	e.Secret = "whsec_…"
	return e
}

func exampleRotated() Endpoint {
	e := exampleCreated()
	e.SecretHint, e.UpdatedAt = "Zg==", exampleAt(time.Hour)
	e.OldSecrets = []OldSecret{{SecretHint: "Uw==", EndsAt: exampleAt(2 * time.Hour)}}
	return e
}

func exampleEndpoint() Endpoint {
	e := exampleSettings()
	e.Health = &EndpointHealth{
		Breaker: string(webhook.BreakerClosed), Limit: 16, InFlight: 16, Waiting: 120, Retrying: 1, WaitingFor: string(webhook.GateSlot), OldestWaitingAt: exampleAt(time.Hour),
		LastHour: exampleTraffic(),
	}
	return e
}

func examplePatch() EndpointPatch {
	return EndpointPatch{"description": nil, "headers": map[string]any{"X-Team": "green"}, "timeoutMs": 15_000}
}

func exampleCheck() Check {
	status, ok := 405, string(webhook.PhaseOK)
	return Check{
		URL: exampleURL, Reachable: true, Status: &status, CertificateEndsAt: exampleAt(60 * 24 * time.Hour),
		Phases: []CheckPhase{
			{Name: webhook.PhasePolicy, Result: ok},
			{Name: webhook.PhaseDNS, Result: ok, DurationMs: 3},
			{Name: webhook.PhaseConnect, Result: ok, DurationMs: 11},
			{Name: webhook.PhaseTLS, Result: ok, DurationMs: 24},
			{Name: webhook.PhaseHTTP, Result: ok, DurationMs: 40, Detail: "405 Method Not Allowed"},
		},
	}
}
