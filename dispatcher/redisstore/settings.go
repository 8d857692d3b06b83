package redisstore

import (
	"encoding/json"
	"fmt"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// formatSettings begins an endpoint's settings; JSON follows.
const formatSettings = '1'

// settings is how an endpoint is kept. Secrets and header values are sealed.
type settings struct {
	URL         string            `json:"url"`
	Purpose     string            `json:"purpose,omitempty"`
	EventTypes  []string          `json:"eventTypes,omitempty"`
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Headers     string            `json:"headers,omitempty"` // sealed JSON object
	MaxInFlight int               `json:"maxInFlight,omitempty"`
	PerSecond   float64           `json:"perSecond,omitempty"`
	Burst       int               `json:"burst,omitempty"`
	TimeoutMs   int64             `json:"timeoutMs,omitempty"`
	Signature   string            `json:"signature,omitempty"`
	Secrets     []sealedSecret    `json:"secrets"`
	CreatedMs   int64             `json:"createdMs"`
	UpdatedMs   int64             `json:"updatedMs"`
}

type sealedSecret struct {
	Kind   string `json:"kind"` // webhook.SignatureHMAC or SignatureEd25519
	Text   string `json:"text"`
	EndsMs int64  `json:"endsMs,omitempty"`
}

const (
	fieldSecret  = "secret"
	fieldHeaders = "headers"
)

func (s *Store) packEndpoint(e webhook.Endpoint) (string, error) {
	kept := settings{
		URL: e.URL, Purpose: e.Purpose, EventTypes: e.EventTypes, Description: e.Description,
		Metadata: e.Metadata, MaxInFlight: e.MaxInFlight, PerSecond: e.RateLimit.PerSecond, Burst: e.RateLimit.Burst, TimeoutMs: e.Timeout.Milliseconds(),
		Signature: e.Signature, CreatedMs: millis(e.CreatedAt), UpdatedMs: millis(e.UpdatedAt),
	}
	if len(e.Headers) > 0 {
		plain, err := json.Marshal(e.Headers)
		if err != nil {
			return "", err
		}
		kept.Headers = s.cfg.Keys.seal(plain, e.Ref(), fieldHeaders)
	}
	for _, secret := range e.Secrets {
		kept.Secrets = append(kept.Secrets, s.sealSecret(e.Ref(), secret))
	}
	text, err := json.Marshal(kept)
	return string(formatSettings) + string(text), err
}

func (s *Store) sealSecret(ref webhook.EndpointRef, secret webhook.EndpointSecret) sealedSecret {
	sealed := sealedSecret{Kind: webhook.SignatureHMAC}
	plain := secret.HMAC.Reveal()
	if secret.HMAC.IsZero() {
		sealed.Kind, plain = webhook.SignatureEd25519, secret.Ed25519.Reveal()
	}
	if !secret.EndsAt.IsZero() {
		sealed.EndsMs = millis(secret.EndsAt)
	}
	sealed.Text = s.cfg.Keys.seal([]byte(plain), ref, fieldSecret)
	return sealed
}

// readEndpoint reads what packEndpoint wrote, what is sealed only with keys.
// Errors name the endpoint and never what it holds.
func readEndpoint(ref webhook.EndpointRef, packed, disabled string, keys KeyRing) (webhook.Endpoint, error) {
	e, err := unpackEndpoint(ref, packed, keys)
	if err != nil {
		return webhook.Endpoint{}, fmt.Errorf("endpoint %s: %w", ref, err)
	}
	e.DisabledReason = disabled
	return e, nil
}

// disabledSince adds when an attempt disabled the endpoint, which leaves its settings as they are, and what the
// attempt brought. ms is empty when none did.
func disabledSince(e webhook.Endpoint, ms, answer string) webhook.Endpoint {
	e.DisabledAt, e.DisabledAnswer = timeOf(number(ms)), answer
	if e.DisabledAt.After(e.UpdatedAt) {
		e.UpdatedAt = e.DisabledAt
	}
	return e
}

func unpackEndpoint(ref webhook.EndpointRef, packed string, keys KeyRing) (webhook.Endpoint, error) {
	var kept settings
	if packed == "" || packed[0] != formatSettings || json.Unmarshal([]byte(packed[1:]), &kept) != nil {
		return webhook.Endpoint{}, errFormat
	}
	e := webhook.Endpoint{
		ID: ref.ID, Brand: ref.Brand, URL: kept.URL, Purpose: kept.Purpose, EventTypes: kept.EventTypes,
		Description: kept.Description, Metadata: kept.Metadata, MaxInFlight: kept.MaxInFlight, RateLimit: webhook.RateLimit{PerSecond: kept.PerSecond, Burst: kept.Burst},
		Timeout: time.Duration(kept.TimeoutMs) * time.Millisecond, Signature: kept.Signature,
		CreatedAt: timeOf(kept.CreatedMs), UpdatedAt: timeOf(kept.UpdatedMs),
	}
	if keys.IsZero() {
		return e, nil
	}
	if kept.Headers != "" {
		plain, err := keys.open(kept.Headers, ref, fieldHeaders)
		if err != nil {
			return e, err
		}
		if err := json.Unmarshal(plain, &e.Headers); err != nil {
			return e, errFormat
		}
	}
	for _, sealed := range kept.Secrets {
		secret, err := openSecret(ref, sealed, keys)
		if err != nil {
			return e, err
		}
		e.Secrets = append(e.Secrets, secret)
	}
	return e, nil
}

func openSecret(ref webhook.EndpointRef, sealed sealedSecret, keys KeyRing) (webhook.EndpointSecret, error) {
	secret := webhook.EndpointSecret{EndsAt: timeOf(sealed.EndsMs)}
	plain, err := keys.open(sealed.Text, ref, fieldSecret)
	if err != nil {
		return secret, err
	}
	if sealed.Kind == webhook.SignatureEd25519 {
		secret.Ed25519, err = signer.ParsePrivateKey(string(plain))
	} else {
		secret.HMAC, err = signer.ParseSecret(string(plain))
	}
	return secret, err
}
