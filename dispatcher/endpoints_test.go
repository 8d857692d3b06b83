package dispatcher_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

func TestCreateEndpointRefuses(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Egress.AllowHTTP, c.Egress.Ports = false, nil })
	for name, c := range map[string]struct {
		field  string
		change func(*webhook.Endpoint)
	}{
		"brand":            {"brand", func(e *webhook.Endpoint) { e.Brand = "" }},
		"id":               {"id", func(e *webhook.Endpoint) { e.ID = "a.b" }},
		"http":             {"url", func(e *webhook.Endpoint) { e.URL = "http://example.com/" }},
		"port":             {"url", func(e *webhook.Endpoint) { e.URL = "https://example.com:22/" }},
		"address":          {"url", func(e *webhook.Endpoint) { e.URL = "https://10.0.0.1/" }},
		"reserved header":  {"headers.Webhook-Id", func(e *webhook.Endpoint) { e.Headers = map[string]string{"Webhook-Id": "x"} }},
		"no types":         {"eventTypes", func(e *webhook.Endpoint) { e.Purpose = "" }},
		"both":             {"eventTypes", func(e *webhook.Endpoint) { e.EventTypes = []string{"message.*"} }},
		"unknown purpose":  {"purpose", func(e *webhook.Endpoint) { e.Purpose = "all" }},
		"unmatched":        {"eventTypes[0]", func(e *webhook.Endpoint) { e.Purpose, e.EventTypes = "", []string{"messages.*"} }},
		"timeout":          {"timeoutMs", func(e *webhook.Endpoint) { e.Timeout = time.Minute }},
		"in flight":        {"maxInFlight", func(e *webhook.Endpoint) { e.MaxInFlight = 10_000 }},
		"signature":        {"signature", func(e *webhook.Endpoint) { e.Signature = "rsa" }},
		"secret of a kind": {"secret", func(e *webhook.Endpoint) { e.Secrets = []webhook.EndpointSecret{{Ed25519: signer.NewPrivateKey()}} }},
		"two secrets": {"secret", func(e *webhook.Endpoint) {
			e.Secrets = []webhook.EndpointSecret{{HMAC: signer.NewSecret()}, {HMAC: signer.NewSecret()}}
		}},
		"description": {"description", func(e *webhook.Endpoint) { e.Description = "a\nb" }},
		"metadata":    {"metadata", func(e *webhook.Endpoint) { e.Metadata = map[string]string{"a": strings.Repeat("x", 5000)} }},
	} {
		t.Run(name, func(t *testing.T) {
			e := webhook.Endpoint{Brand: "acme", URL: "https://example.com/", Purpose: webhook.PurposeStatus}
			c.change(&e)
			_, _, err := d.CreateEndpoint(t.Context(), e)
			var field *webhook.FieldError
			if !errors.As(err, &field) || field.Field != c.field {
				t.Fatalf("CreateEndpoint = %v, want a rule of %s", err, c.field)
			}
		})
	}
	if found, err := d.Endpoints(t.Context(), "acme"); err != nil || len(found) != 0 {
		t.Fatalf("stored %v, %v", found, err)
	}
}

func TestCreateEndpointTwice(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	e := webhook.Endpoint{ID: "a", Brand: "acme", URL: "https://Example.com", Purpose: webhook.PurposeStatus}
	first, created, err := d.CreateEndpoint(t.Context(), e)
	if err != nil || !created || first.URL != "https://example.com/" || first.Secrets[0].HMAC.IsZero() {
		t.Fatalf("created %v: %+v, %v", created, first, err)
	}
	again, created, err := d.CreateEndpoint(t.Context(), e)
	if err != nil || created || !again.Secrets[0].SameKey(first.Secrets[0]) {
		t.Fatalf("again: created %v: %+v, %v", created, again, err)
	}
	e.Secrets = []webhook.EndpointSecret{{HMAC: signer.NewSecret()}}
	if _, _, err := d.CreateEndpoint(t.Context(), e); !errors.Is(err, webhook.ErrConflict) {
		t.Fatalf("another secret: %v", err)
	}
	e.Secrets, e.Description = nil, "another"
	if _, _, err := d.CreateEndpoint(t.Context(), e); !errors.Is(err, webhook.ErrConflict) {
		t.Fatalf("another body: %v", err)
	}
}
