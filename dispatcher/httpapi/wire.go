package httpapi

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// PublishRequest asks to publish one event.
type PublishRequest struct {
	// ID makes it safe to publish again; without one, every publish is a new event.
	ID string `json:"id,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Makes it safe to publish again. Without one, every publish is a new event"`
	// Type is a name of the catalogue.
	Type string `json:"type" example:"message.delivered" doc:"A name of the catalogue"`
	// ExpiresAt ends the delivery; zero means that only the retry schedule does.
	ExpiresAt Time `json:"expiresAt,omitzero" doc:"No attempt starts at or after it"`
	// Payload is one JSON object. It is delivered byte for byte, without the
	// white space around it. [Client] keeps its bytes; json.Marshal would not.
	Payload json.RawMessage `json:"payload" doc:"A JSON object, delivered byte for byte"`
}

// Receipt answers a publish.
type Receipt struct {
	// ID is the event's, as given or as made.
	ID string `json:"id" doc:"The event's, as given or as made"`
	// Duplicate says that the event was known: nothing is sent twice.
	Duplicate bool `json:"duplicate" doc:"The event was known: nothing is sent twice"`
	// Deliveries name the endpoints that the event goes to; none is no error.
	Deliveries []ReceiptDelivery `json:"deliveries" nullable:"false" doc:"Where the event goes; nowhere is no error"`
}

// ReceiptDelivery is one delivery of a published event.
type ReceiptDelivery struct {
	EndpointID string `json:"endpointId"`
}

// BatchRequest asks to publish several events. See [PublishRequest.Payload].
type BatchRequest struct {
	Events []PublishRequest `json:"events" nullable:"false" minItems:"1" doc:"Each as in a publish"`
}

// BatchResponse answers a batch, in its order.
type BatchResponse struct {
	Results []BatchResult `json:"results" nullable:"false" doc:"In the order of the events, each a receipt or an error"`
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

// EventType is one event type of the catalogue.
type EventType = webhook.EventType

// Explanation says of an event why it has or has not arrived where.
type Explanation struct {
	EventID     string `json:"eventId"`
	Type        string `json:"type"`
	PublishedAt Time   `json:"publishedAt"`
	ExpiresAt   Time   `json:"expiresAt,omitzero"`
	// Items are all endpoints of the brand by id, those that did not match
	// included. There is one page only.
	Items      []Explained `json:"items" nullable:"false" doc:"All endpoints of the brand, those that did not match included"`
	NextCursor *string     `json:"nextCursor" doc:"Always null: there is one page"`
}

// Explained is what became of an event at one endpoint.
type Explained struct {
	EndpointID string `json:"endpointId"`
	// Matched tells whether the event was to go there.
	Matched bool `json:"matched" doc:"Whether the event was to go there"`
	// Explanation says it in a sentence.
	Explanation string    `json:"explanation" doc:"Why it has or has not arrived, in a sentence"`
	Delivery    *Delivery `json:"delivery,omitempty"`
	LastAttempt *Attempt  `json:"lastAttempt,omitempty"`
}

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	Delivery
	Type        string   `json:"type"`
	LastAttempt *Attempt `json:"lastAttempt,omitempty"`
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
	Deliveries []Delivery      `json:"deliveries" nullable:"false" doc:"How it stands with each endpoint"`
}

// Delivery is one event for one endpoint, as it stands.
type Delivery struct {
	EventID    string `json:"eventId"`
	EndpointID string `json:"endpointId"`
	// State is one of the webhook.State constants.
	State string `json:"state" enum:"waiting,running,retrying,delivered,dead,expired,cancelled,notSent"`
	// WaitingFor names the gate that holds a waiting delivery back.
	WaitingFor string `json:"waitingFor,omitempty" enum:"slot,rateLimit,breaker,retryAfter,disabled" doc:"What holds a waiting delivery back"`
	// WaitingUntil is when that gate opens by itself.
	WaitingUntil Time `json:"waitingUntil,omitzero" doc:"When that ends by itself"`
	// Position in the line, from 1; 0 when not waiting.
	Position int `json:"position,omitempty" doc:"In the line, from 1"`
	// Attempts made so far.
	Attempts      int    `json:"attempts" doc:"Made so far"`
	NextAttemptAt Time   `json:"nextAttemptAt,omitzero" doc:"When it is tried next"`
	DeathReason   string `json:"deathReason,omitempty" enum:"max_age,max_attempts,gone,blocked,panic,body_missing" doc:"Why it was given up"`
	UpdatedAt     Time   `json:"updatedAt"`
}

// Attempt is one POST of a delivery.
type Attempt struct {
	ID         string           `json:"id"`
	EventID    string           `json:"eventId"`
	EndpointID string           `json:"endpointId"`
	Type       string           `json:"type"`
	Number     int              `json:"number" doc:"From 1"`
	Trigger    string           `json:"trigger" enum:"delivery,test,resend,recover,probe" doc:"What it was made for"`
	StartedAt  Time             `json:"startedAt"`
	DurationMs int64            `json:"durationMs"`
	Phases     AttemptPhases    `json:"phases" doc:"How long the parts took; 0 for one that did not happen"`
	Request    AttemptRequest   `json:"request"`
	Status     *int             `json:"status" doc:"null when there was no answer"`
	Outcome    string           `json:"outcome" enum:"delivered,retrying,dead"`
	Reason     string           `json:"reason" doc:"Why it had its outcome, such as ok, http_status or timeout"`
	Response   *AttemptResponse `json:"response,omitempty" doc:"Kept of failed attempts and tests"`
	// NextAttemptAt is set when the outcome is retrying.
	NextAttemptAt Time `json:"nextAttemptAt,omitzero" doc:"When the delivery is tried next"`
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
	URL string `json:"url" doc:"Its query is redacted"`
	// Headers are those that tell attempts apart.
	Headers map[string]string `json:"headers" doc:"Those that tell attempts apart"`
}

// AttemptResponse is what was answered, cut to what is kept.
type AttemptResponse struct {
	// Headers have lower-case names; equal ones are joined by commas.
	Headers map[string]string `json:"headers" doc:"Names in lower case"`
	// Body is text: what is not UTF-8 is replaced.
	Body string `json:"body" doc:"Cut to what is kept"`
}

// List is one page of a list.
type List[T any] struct {
	Items []T `json:"items" nullable:"false"`
	// NextCursor asks for the next page; nil on the last one.
	NextCursor *string `json:"nextCursor" doc:"Asks for the next page; null on the last one"`
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
