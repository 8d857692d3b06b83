package webhook

import (
	"net/http"
	"time"
)

// Headers of outhook's own, sent beside those of Standard Webhooks.
const (
	HeaderEventType = "smobi-event-type"
	HeaderAttempt   = "smobi-attempt"
)

// Outcome is what an attempt led to.
type Outcome string

// The outcomes.
const (
	OutcomeDelivered Outcome = "delivered"
	OutcomeRetrying  Outcome = "retrying"
	OutcomeDead      Outcome = "dead"
)

// Reason says why an attempt had its outcome.
type Reason string

// The reasons. ReasonOK, ReasonHTTPStatus and ReasonGone come from an answer,
// the others from its absence.
const (
	ReasonOK          Reason = "ok"
	ReasonHTTPStatus  Reason = "http_status"
	ReasonTimeout     Reason = "timeout"
	ReasonDNS         Reason = "dns"
	ReasonConnect     Reason = "connect"
	ReasonTLS         Reason = "tls"
	ReasonReset       Reason = "reset"
	ReasonProtocol    Reason = "protocol"
	ReasonBlocked     Reason = "blocked"
	ReasonGone        Reason = "gone"
	ReasonInterrupted Reason = "interrupted"
)

// Trigger says what caused an attempt.
type Trigger string

// The triggers.
const (
	// TriggerDelivery is an attempt that the queue made.
	TriggerDelivery Trigger = "delivery"
	// TriggerProbe is one that a half-open breaker let through.
	TriggerProbe Trigger = "probe"
	// TriggerResend is one of a delivery that was sent once more because somebody
	// asked for it or its dead letter, TriggerRecover of one that a JobRecover found.
	TriggerResend  Trigger = "resend"
	TriggerRecover Trigger = "recover"
	// TriggerTest is one sample event, sent because somebody asked.
	TriggerTest Trigger = "test"
)

// Attempt is one POST of a delivery, as it is kept.
type Attempt struct {
	// ID is made before the POST; recording the same id twice changes nothing.
	ID  string
	Ref DeliveryRef
	// Type is the event's.
	Type string
	// Number counts the attempts of the delivery from 1; that of an
	// interrupted attempt is used again.
	Number    int
	Trigger   Trigger
	StartedAt time.Time
	Duration  time.Duration
	Phases    Phases
	// URL is where it went, its query redacted.
	URL string
	// Status of the answer; 0 when there was none.
	Status  int
	Outcome Outcome
	Reason  Reason
	// ResponseHeader and ResponseBody are kept of failed attempts and tests only, bounded.
	ResponseHeader http.Header
	ResponseBody   []byte
	// NextAttemptAt is set when the outcome is OutcomeRetrying.
	NextAttemptAt time.Time
}

// Phases are how long the parts of an attempt took; 0 for a part that did not
// happen, as on a reused connection.
type Phases struct {
	DNS, Connect, TLS, FirstByte time.Duration
}

// Request is what a [Sender] POSTs.
type Request struct {
	URL string
	// Header holds the signature headers and the endpoint's own; the sender
	// adds nothing of a caller's. It is the sender's from then on, which writes its own there.
	Header http.Header
	// Body is sent byte for byte and not modified.
	Body []byte
	// Timeout bounds the whole attempt, body included.
	Timeout time.Duration
	// KeepBody keeps the body of a 2xx too.
	KeepBody bool
}

// Response is what came of a POST.
type Response struct {
	// Status is 0 when there was no answer.
	Status int
	// Reason is ReasonOK when there was an answer, whatever its status.
	Reason Reason
	Header http.Header
	// Body is what was kept of the answer's body; empty for a 2xx unless Request.KeepBody asked for it.
	Body     []byte
	Duration time.Duration
	Phases   Phases
}
