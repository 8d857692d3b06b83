package webhook

import (
	"strconv"
	"time"
)

// State of a delivery, as the API shows it.
type State string

// The states. The first three are open: the ledger holds the delivery in
// exactly one of its sets. The others are final.
const (
	StateWaiting   State = "waiting"   // in its endpoint's line
	StateRunning   State = "running"   // in Asynq, or being attempted
	StateRetrying  State = "retrying"  // waits for its retry time
	StateDelivered State = "delivered" // a 2xx was received
	StateDead      State = "dead"      // given up; a dead letter
	StateExpired   State = "expired"   // the event's ExpiresAt passed first
	StateCancelled State = "cancelled" // cancelled, or its endpoint was deleted
	StateNotSent   State = "notSent"   // the endpoint was disabled when the event came
	StateNone      State = ""          // never was: the endpoint did not exist, or did not want the event
)

// Open tells whether a delivery in this state may still be attempted.
func (s State) Open() bool {
	return s == StateWaiting || s == StateRunning || s == StateRetrying
}

// DeathReason says why a delivery was given up.
type DeathReason string

// The reasons of death.
const (
	DeathMaxAge      DeathReason = "max_age"
	DeathMaxAttempts DeathReason = "max_attempts"
	DeathGone        DeathReason = "gone"
	DeathBlocked     DeathReason = "blocked"
	DeathPanic       DeathReason = "panic"
	DeathBodyMissing DeathReason = "body_missing"
)

// Gate holds an endpoint's line back.
type Gate string

// The gates that a waiting delivery may stand behind.
const (
	GateSlot       Gate = "slot"       // as many are in flight as may be
	GateRateLimit  Gate = "rateLimit"  // the endpoint's own rate limit
	GateBreaker    Gate = "breaker"    // the endpoint failed too often in a row
	GateRetryAfter Gate = "retryAfter" // the endpoint asked for a pause
	GateDisabled   Gate = "disabled"
)

// Delivery is one event for one endpoint, as it stands.
type Delivery struct {
	Ref   DeliveryRef
	State State
	// WaitingFor is the gate that holds a waiting delivery back.
	WaitingFor Gate
	// WaitingUntil is when that gate opens; zero when it does not by itself.
	WaitingUntil time.Time
	// Position in the line, from 1; 0 when not waiting.
	Position int
	// Attempts made so far.
	Attempts int
	// NextAttemptAt is set while retrying.
	NextAttemptAt time.Time
	DeathReason   DeathReason
	UpdatedAt     time.Time
}

// DeliveryRef names one delivery.
type DeliveryRef struct{ Brand, EventID, EndpointID string }

// Event names the delivery's event.
func (r DeliveryRef) Event() EventRef { return EventRef{Brand: r.Brand, ID: r.EventID} }

// Endpoint names the delivery's endpoint.
func (r DeliveryRef) Endpoint() EndpointRef { return EndpointRef{Brand: r.Brand, ID: r.EndpointID} }

// Run is one release of a delivery to the queue. Every release has a new
// number, so that an old task can never stand in for a new one.
type Run struct {
	DeliveryRef
	// Number counts the releases of this delivery, from 1. 0 stands for a
	// delivery that is in its line and has no task.
	Number int
	// Queue is the name of the Asynq queue the run was released to.
	Queue string
	// Failures is how often the queue gave the task out once more by itself,
	// because a worker was lost or a handler failed: a retry that comes back so
	// still waits for its time. Set on runs that a handler gets.
	Failures int
}

// ID is the task id of the run: "brand:event:endpoint:number".
func (r Run) ID() string {
	return r.Brand + ":" + r.EventID + ":" + r.EndpointID + ":" + strconv.Itoa(r.Number)
}

// EventStatus is an event and how each of its deliveries stands.
type EventStatus struct {
	Event      Event
	Deliveries []Delivery
}
