package httpapi

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// PublishRequest asks to publish one event.
type PublishRequest struct {
	// ID makes it safe to publish again; without one, every publish is a new event.
	ID string `json:"id,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Makes it safe to publish again. Without one, every publish is a new event"`
	// Type is a name of the catalogue.
	Type string `json:"type" example:"message.delivered"`
	// ExpiresAt ends the delivery; zero means that only the retry schedule does.
	ExpiresAt Time `json:"expiresAt,omitzero" doc:"No attempt starts at or after it"`
	// Payload is one JSON object. It is delivered byte for byte, without the
	// white space around it. [Client] keeps its bytes; json.Marshal would not.
	Payload json.RawMessage `json:"payload" doc:"A JSON object, delivered byte for byte"`
}

// Receipt answers a publish.
type Receipt struct {
	// ID is the event's, as given or as made.
	ID string `json:"id"`
	// Duplicate says that the event was known: nothing is sent twice.
	Duplicate bool `json:"duplicate"`
	// Deliveries name the endpoints that the event goes to; none is no error.
	Deliveries []ReceiptDelivery `json:"deliveries" nullable:"false"`
}

// ReceiptDelivery is one delivery of a published event.
type ReceiptDelivery struct {
	EndpointID string `json:"endpointId"`
}

// BatchRequest asks to publish several events. See [PublishRequest.Payload].
type BatchRequest struct {
	Events []PublishRequest `json:"events" nullable:"false" minItems:"1"`
}

// BatchResponse answers a batch, in its order.
type BatchResponse struct {
	Results []BatchResult `json:"results" nullable:"false"`
}

// BatchResult answers one event of a batch: its receipt or, when Error is not
// nil, why it was refused.
type BatchResult struct {
	Receipt
	Error *Problem `json:"error,omitempty"`
}

// MarshalJSON writes the receipt or the error, never both.
func (r BatchResult) MarshalJSON() ([]byte, error) {
	if r.Error != nil {
		return json.Marshal(map[string]*Problem{"error": r.Error})
	}
	return json.Marshal(r.Receipt)
}

// Schema implements [huma.SchemaProvider].
func (BatchResult) Schema(r huma.Registry) *huma.Schema {
	refused := &huma.Schema{
		Type: huma.TypeObject, Required: []string{"error"}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{"error": r.Schema(reflect.TypeFor[Problem](), true, "")},
	}
	return &huma.Schema{OneOf: []*huma.Schema{r.Schema(reflect.TypeFor[Receipt](), true, ""), refused}}
}

// EndpointRequest asks for an endpoint. Exactly one of Purpose and EventTypes is set.
type EndpointRequest struct {
	// ID makes it safe to create again; made when empty.
	ID  string `json:"id,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Makes it safe to create again; made when absent"`
	URL string `json:"url" format:"uri" example:"https://example.com/webhooks"`
	// Purpose is "status" or "inbound".
	Purpose string `json:"purpose,omitempty" enum:"status,inbound" doc:"Instead of eventTypes"`
	// EventTypes are exact names or "prefix.*".
	EventTypes  []string          `json:"eventTypes,omitempty" nullable:"false" doc:"Instead of purpose: names, or patterns such as message.*"`
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	// Headers are sent with every attempt.
	Headers map[string]string `json:"headers,omitempty" doc:"Sent with every attempt"`
	// MaxInFlight bounds the attempts at the same time; 0 means the default.
	MaxInFlight int `json:"maxInFlight,omitempty" minimum:"0" doc:"Attempts at the same time"`
	// TimeoutMs bounds a whole attempt, 1,000 to 30,000; 0 means the default.
	TimeoutMs int64 `json:"timeoutMs,omitempty" minimum:"1000" maximum:"30000" doc:"Bounds a whole attempt"`
	// Secret is whsec_… or, for ed25519, the private key whsk_…; made when empty.
	Secret string `json:"secret,omitempty" writeOnly:"true" doc:"whsec_… or, for ed25519, whsk_…; made when absent"`
	// Signature is "hmac", the default when empty, or "ed25519".
	Signature string `json:"signature,omitempty" enum:"hmac,ed25519" default:"hmac"`
	Disabled  bool   `json:"disabled,omitempty"`
}

// Endpoint is an endpoint as it stands.
type Endpoint struct {
	ID          string            `json:"id"`
	URL         string            `json:"url"`
	Purpose     string            `json:"purpose,omitempty" enum:"status,inbound"`
	EventTypes  []string          `json:"eventTypes,omitempty" nullable:"false"`
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	MaxInFlight int               `json:"maxInFlight,omitempty"`
	TimeoutMs   int64             `json:"timeoutMs,omitempty"`
	Signature   string            `json:"signature" enum:"hmac,ed25519"`
	Disabled    bool              `json:"disabled"`
	// DisabledReason is empty while it is enabled.
	DisabledReason string `json:"disabledReason,omitempty"`
	// Secret is given once, when an endpoint that signs with hmac is created.
	Secret string `json:"secret,omitempty" doc:"whsec_…, given once: when an hmac endpoint is created"`
	// SecretHint is the end of the current secret.
	SecretHint string `json:"secretHint" doc:"The last 4 characters of the current secret"`
	// PublicKey, whpk_…, is what a receiver verifies ed25519 signatures with.
	PublicKey string `json:"publicKey,omitempty" doc:"whpk_…: what a receiver verifies ed25519 signatures with"`
	CreatedAt Time   `json:"createdAt"`
	UpdatedAt Time   `json:"updatedAt"`
}

// Event is an event and how its deliveries stand.
type Event struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Brand       string `json:"brand"`
	PublishedAt Time   `json:"publishedAt"`
	ExpiresAt   Time   `json:"expiresAt,omitzero"`
	// Payload is byte for byte what was published; null when it is no longer kept.
	Payload    json.RawMessage `json:"payload"`
	Deliveries []Delivery      `json:"deliveries" nullable:"false"`
}

// Delivery is one event for one endpoint, as it stands.
type Delivery struct {
	EventID    string `json:"eventId"`
	EndpointID string `json:"endpointId"`
	// State is one of the webhook.State constants.
	State string `json:"state" enum:"waiting,running,retrying,delivered,dead,expired,cancelled,notSent"`
	// WaitingFor names the gate that holds a waiting delivery back.
	WaitingFor string `json:"waitingFor,omitempty" enum:"slot,rateLimit,breaker,retryAfter,disabled"`
	// Position in the line, from 1; 0 when not waiting.
	Position int `json:"position,omitempty"`
	// Attempts made so far.
	Attempts      int    `json:"attempts"`
	NextAttemptAt Time   `json:"nextAttemptAt,omitzero"`
	DeathReason   string `json:"deathReason,omitempty" enum:"max_age,max_attempts,gone,blocked,panic,body_missing"`
	UpdatedAt     Time   `json:"updatedAt"`
}

// Attempt is one POST of a delivery.
type Attempt struct {
	ID         string           `json:"id"`
	EventID    string           `json:"eventId"`
	EndpointID string           `json:"endpointId"`
	Type       string           `json:"type"`
	Number     int              `json:"number"`
	Trigger    string           `json:"trigger" enum:"delivery,test,resend,recover,probe"`
	StartedAt  Time             `json:"startedAt"`
	DurationMs int64            `json:"durationMs"`
	Phases     AttemptPhases    `json:"phases"`
	Request    AttemptRequest   `json:"request"`
	Status     *int             `json:"status" doc:"null when there was no answer"`
	Outcome    string           `json:"outcome" enum:"delivered,retrying,dead"`
	Reason     string           `json:"reason"`
	Response   *AttemptResponse `json:"response,omitempty" doc:"Kept of failed attempts"`
	// NextAttemptAt is set when the outcome is retrying.
	NextAttemptAt Time `json:"nextAttemptAt,omitzero"`
}

// AttemptPhases are how long the parts of an attempt took, in milliseconds; 0
// for a part that did not happen.
type AttemptPhases struct {
	DNSMs       int64 `json:"dnsMs"`
	ConnectMs   int64 `json:"connectMs"`
	TLSMs       int64 `json:"tlsMs"`
	FirstByteMs int64 `json:"firstByteMs"`
}

// AttemptRequest is what was POSTed, without the body, which is the event's payload.
type AttemptRequest struct {
	// URL has its query redacted.
	URL string `json:"url"`
	// Headers are those that tell attempts apart.
	Headers map[string]string `json:"headers"`
}

// AttemptResponse is what was answered, cut to what is kept.
type AttemptResponse struct {
	// Headers have lower-case names; equal ones are joined by commas.
	Headers map[string]string `json:"headers"`
	// Body is text: what is not UTF-8 is replaced.
	Body string `json:"body"`
}

// List is one page of a list.
type List[T any] struct {
	Items []T `json:"items" nullable:"false"`
	// NextCursor asks for the next page; nil on the last one.
	NextCursor *string `json:"nextCursor"`
}

// Time is a point in time, in JSON as RFC 3339 in UTC with milliseconds.
type Time struct{ time.Time }

const timeLayout = `"2006-01-02T15:04:05.000Z"`

// MarshalJSON writes milliseconds, always three digits of them.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(t.UTC().Format(timeLayout)), nil }

// Schema implements [huma.SchemaProvider].
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}
