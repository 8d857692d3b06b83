package webhook

import (
	"slices"
	"strings"
	"time"

	"go.smobi.com/outhook/signer"
)

// Purposes of an endpoint, as Smobi's customers know them. Each stands for
// patterns of event types; see [Endpoint.Patterns].
const (
	PurposeStatus  = "status"
	PurposeInbound = "inbound"
)

// Signature schemes of an endpoint.
const (
	SignatureHMAC    = "hmac"
	SignatureEd25519 = "ed25519"
)

// Why an endpoint is disabled.
const (
	DisabledManually = "manual"  // somebody asked for it
	DisabledGone     = "gone"    // it answered 410
	DisabledFailing  = "failing" // nothing but failures for a long time
)

// Limits of an endpoint's own settings.
const (
	MinTimeout = time.Second
	MaxTimeout = 30 * time.Second
	// MaxOldSecrets is how many may sign beside the current one.
	MaxOldSecrets = 10
	// DefaultOverlap is how long the old secret signs on after a rotation, MaxOverlap the most it may.
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 7 * 24 * time.Hour
)

// Endpoint is where a brand wants events.
type Endpoint struct {
	// ID identifies the endpoint within its brand. See [IDRule].
	ID    string
	Brand string
	// URL is where attempts are POSTed. Its query may carry credentials: never log it.
	URL string
	// Purpose is PurposeStatus, PurposeInbound, or empty when EventTypes says what is wanted.
	Purpose string
	// EventTypes are patterns, exact or "prefix.*"; empty when Purpose is set.
	EventTypes []string
	// Description and Metadata are the caller's own, never interpreted.
	Description string
	Metadata    map[string]string
	// Headers are sent with every attempt. Values are kept encrypted.
	Headers map[string]string
	// MaxInFlight bounds the deliveries in Asynq over all workers; 0 means the store's default.
	MaxInFlight int
	// RateLimit bounds the attempts over all workers; the zero value does not.
	RateLimit RateLimit
	// Timeout bounds a whole attempt; 0 means the dispatcher's default.
	Timeout time.Duration
	// Signature is SignatureHMAC (the default when empty) or SignatureEd25519.
	Signature string
	// Secrets sign every attempt: the first is the current one, the others are
	// old and sign until they end. Kept encrypted.
	Secrets []EndpointSecret
	// DisabledReason is empty while the endpoint is enabled.
	DisabledReason string
	// DisabledAt is when, and DisabledAnswer what the last attempt brought, as "410" or "timeout", where an
	// attempt disabled it.
	DisabledAt     time.Time
	DisabledAnswer string

	CreatedAt, UpdatedAt time.Time
}

// RateLimit bounds an endpoint's attempts, first ones, retries and tests alike.
type RateLimit struct {
	// PerSecond is how many on average, 0.001 to 10,000; 0 is no limit.
	PerSecond float64
	// Burst is how many may come at once after a pause, 1 to 10,000. 0 means 1: evenly paced.
	Burst int
}

// EndpointSecret is a signing key of an endpoint and when it stops signing.
// Exactly one of HMAC and Ed25519 is set.
type EndpointSecret struct {
	HMAC    signer.Secret
	Ed25519 signer.PrivateKey
	// EndsAt is zero for the current secret.
	EndsAt time.Time
}

// Key returns the secret as what signs.
func (s EndpointSecret) Key() signer.Key {
	if s.HMAC.IsZero() {
		return s.Ed25519
	}
	return s.HMAC
}

// SameKey tells whether both hold the same key, whatever their end.
func (s EndpointSecret) SameKey(other EndpointSecret) bool {
	return s.HMAC.Equal(other.HMAC) && s.Ed25519.Equal(other.Ed25519)
}

// IsZero tells whether there is no key.
func (s EndpointSecret) IsZero() bool { return s.HMAC.IsZero() && s.Ed25519.IsZero() }

// Signature is the scheme that the secret is for; SignatureHMAC also when there is none.
func (s EndpointSecret) Signature() string {
	if s.Ed25519.IsZero() {
		return SignatureHMAC
	}
	return SignatureEd25519
}

// Ref names the endpoint.
func (e Endpoint) Ref() EndpointRef { return EndpointRef{Brand: e.Brand, ID: e.ID} }

// EndpointRef names one endpoint.
type EndpointRef struct{ Brand, ID string }

// String returns brand and id, separated by a colon.
func (r EndpointRef) String() string { return r.Brand + ":" + r.ID }

// Patterns returns the patterns of event types that the endpoint wants.
func (e Endpoint) Patterns() []string {
	switch e.Purpose {
	case PurposeStatus:
		return []string{"message.*"}
	case PurposeInbound:
		return []string{"interaction.*", "workflow.*"}
	}
	return e.EventTypes
}

// Wants tells whether the endpoint's patterns match the event type. Which types
// a wildcard may stand for is the catalogue's to say.
func (e Endpoint) Wants(eventType string) bool {
	return slices.ContainsFunc(e.Patterns(), func(p string) bool { return MatchType(p, eventType) })
}

// MatchType tells whether a pattern, exact or "prefix.*", matches an event type.
func MatchType(pattern, eventType string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	if !open {
		return pattern == eventType
	}
	return strings.HasSuffix(prefix, ".") && strings.HasPrefix(eventType, prefix)
}

// Keys returns what signs an attempt at the given time, the current secret first.
func (e Endpoint) Keys(at time.Time) []signer.Key {
	keys := make([]signer.Key, 0, len(e.Secrets))
	for _, s := range e.Secrets {
		if s.EndsAt.IsZero() || at.Before(s.EndsAt) {
			keys = append(keys, s.Key())
		}
	}
	return keys
}

// Rotation asks for a new secret of an endpoint.
type Rotation struct {
	// Secret is the new one; made when both its keys are zero.
	Secret EndpointSecret
	// Overlap is how long the current secret signs on. 0 means DefaultOverlap;
	// negative that no old secret signs any more, whatever was promised before.
	// At most MaxOverlap.
	Overlap time.Duration
}
