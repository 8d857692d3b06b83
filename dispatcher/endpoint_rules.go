package dispatcher

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// Limits of what a brand may attach to an endpoint.
const (
	maxEventTypes    = 64
	maxDescription   = 512
	maxMetadata      = 50
	maxMetadataBytes = 4 << 10
	minPerSecond     = 0.001
	maxPerSecond     = 10_000
	maxBurst         = 10_000
)

// checkEndpoint returns the endpoint as it is to be stored.
func (d *Dispatcher) checkEndpoint(e webhook.Endpoint) (webhook.Endpoint, error) {
	if err := webhook.CheckID("brand", e.Brand); err != nil {
		return e, err
	}
	if e.ID != "" {
		if err := webhook.CheckID("id", e.ID); err != nil {
			return e, err
		}
	}
	url, err := d.egress.NormalizeURL(e.URL)
	if err != nil {
		return e, err
	}
	e.URL = url
	if err := egress.CheckHeaders(e.Headers); err != nil {
		return e, err
	}
	if err := d.checkTypes(e); err != nil {
		return e, err
	}
	if err := d.checkBounds(e); err != nil {
		return e, err
	}
	return checkSecret(e)
}

func (d *Dispatcher) checkTypes(e webhook.Endpoint) error {
	switch {
	case e.Purpose != "" && len(e.EventTypes) > 0:
		return webhook.Invalid("eventTypes", "must be absent when purpose is set: one of the two must be null")
	case e.Purpose != "" && e.Purpose != webhook.PurposeStatus && e.Purpose != webhook.PurposeInbound:
		return webhook.Invalid("purpose", "must be %q or %q", webhook.PurposeStatus, webhook.PurposeInbound)
	case e.Purpose == "" && len(e.EventTypes) == 0:
		return webhook.Invalid("eventTypes", "is required unless purpose is set")
	case len(e.EventTypes) > maxEventTypes:
		return webhook.Invalid("eventTypes", "must be at most %d", maxEventTypes)
	}
	for i, pattern := range e.EventTypes {
		err := d.catalog.CheckPattern(pattern)
		if broken, ok := errors.AsType[*webhook.FieldError](err); ok {
			return webhook.Invalid(fmt.Sprintf("%s[%d]", broken.Field, i), "%s", broken.Rule)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Dispatcher) checkBounds(e webhook.Endpoint) error {
	size := 0
	for name, value := range e.Metadata {
		size += len(name) + len(value)
		if !isPlain(name) || !isPlain(value) {
			return webhook.Invalid("metadata", "must be UTF-8 without control characters")
		}
	}
	switch {
	case e.Timeout != 0 && (e.Timeout < webhook.MinTimeout || e.Timeout > webhook.MaxTimeout):
		return webhook.Invalid("timeoutMs", "must be %d to %d", webhook.MinTimeout.Milliseconds(), webhook.MaxTimeout.Milliseconds())
	case !isRate(e.RateLimit):
		return webhook.Invalid("rateLimit", "perSecond must be %g to %d, and burst 1 to %d", minPerSecond, maxPerSecond, maxBurst)
	case e.MaxInFlight < 0 || e.MaxInFlight > d.cfg.MaxInFlight:
		return webhook.Invalid("maxInFlight", "must be 1 to %d, or 0 (the default)", d.cfg.MaxInFlight)
	case len(e.Metadata) > maxMetadata || size > maxMetadataBytes:
		return webhook.Invalid("metadata", "must be at most %d entries and %d bytes", maxMetadata, maxMetadataBytes)
	case e.DisabledReason != "" && e.DisabledReason != webhook.DisabledManually:
		return webhook.Invalid("disabledReason", "must be empty or %q", webhook.DisabledManually)
	}
	return checkDescription(e.Description)
}

// isRate tells whether a rate limit is one, or none.
func isRate(limit webhook.RateLimit) bool {
	if limit == (webhook.RateLimit{}) {
		return true
	}
	return limit.PerSecond >= minPerSecond && limit.PerSecond <= maxPerSecond && limit.Burst >= 0 && limit.Burst <= maxBurst
}

// isPlain tells whether text can do a terminal no harm.
func isPlain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

func checkDescription(text string) error {
	if len(text) > maxDescription || !isPlain(text) {
		return webhook.Invalid("description", "must be at most %d bytes of text without control characters", maxDescription)
	}
	return nil
}

func checkSecret(e webhook.Endpoint) (webhook.Endpoint, error) {
	if e.Signature == "" {
		e.Signature = webhook.SignatureHMAC
	}
	if e.Signature != webhook.SignatureHMAC && e.Signature != webhook.SignatureEd25519 {
		return e, webhook.Invalid("signature", "must be %q or %q", webhook.SignatureHMAC, webhook.SignatureEd25519)
	}
	if len(e.Secrets) > 1 {
		return e, webhook.Invalid("secret", "must be one")
	}
	for _, s := range e.Secrets {
		if s.HMAC.IsZero() != (e.Signature == webhook.SignatureEd25519) || s.Ed25519.IsZero() != (e.Signature == webhook.SignatureHMAC) {
			return e, webhook.Invalid("secret", "must be one for signature %q", e.Signature)
		}
	}
	return e, nil
}

func newSecret(signature string) webhook.EndpointSecret {
	if signature == webhook.SignatureEd25519 {
		return webhook.EndpointSecret{Ed25519: signer.NewPrivateKey()}
	}
	return webhook.EndpointSecret{HMAC: signer.NewSecret()}
}

// sameSettings tells whether a repeated create asks for what is stored. Whether
// it is disabled does not count: that changes without the one who created it.
func sameSettings(stored, wanted webhook.Endpoint, withSecret bool) bool {
	if withSecret && !stored.Secrets[0].SameKey(wanted.Secrets[0]) {
		return false
	}
	return stored.URL == wanted.URL && stored.Purpose == wanted.Purpose && slices.Equal(stored.EventTypes, wanted.EventTypes) &&
		stored.Description == wanted.Description && maps.Equal(stored.Metadata, wanted.Metadata) && maps.Equal(stored.Headers, wanted.Headers) &&
		stored.MaxInFlight == wanted.MaxInFlight && stored.RateLimit == wanted.RateLimit && stored.Timeout == wanted.Timeout && stored.Signature == wanted.Signature
}
