package webhook

import "time"

// Slice asks for a part of a list that a [Store] keeps.
type Slice struct {
	// Limit bounds the items; at least 1.
	Limit int
	// After is the Next of the page before; empty for the first page. It holds
	// nothing but a place in the list, in the store's own form.
	After string
}

// Page is a part of a list. It may hold fewer items than asked for, none even,
// and not be the last: a store looks at a bounded number of entries at a time.
type Page[T any] struct {
	Items []T
	// Next asks for the next page; empty on the last one.
	Next string
}

// Span bounds a list by time: Since ≤ time < Until. A zero time bounds nothing.
type Span struct{ Since, Until time.Time }

// Contains tells whether at lies in the span.
func (s Span) Contains(at time.Time) bool {
	return !at.Before(s.Since) && (s.Until.IsZero() || at.Before(s.Until))
}

// EventQuery asks for a brand's events, newest first.
type EventQuery struct {
	Brand string
	// Type is empty for every type.
	Type string
	// Span bounds PublishedAt.
	Span
	Slice
}

// AttemptQuery asks for the attempts of a brand, the last recorded first.
type AttemptQuery struct {
	Brand string
	// EndpointID and EventID are empty for all; with neither, the attempts of
	// endpoints that were deleted are left out.
	EndpointID, EventID string
	// Outcome is empty for all.
	Outcome Outcome
	// Span bounds StartedAt.
	Span
	Slice
}

// DeadLetterQuery asks for the dead letters of a brand, the last to die first.
type DeadLetterQuery struct {
	Brand string
	// EndpointID is empty for all endpoints that were not deleted.
	EndpointID string
	// Span bounds the time of death.
	Span
	Slice
}

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	Delivery Delivery
	// Type is the event's; empty when nothing of it is kept.
	Type string
	// LastAttempt is nil when none was made, or none is kept.
	LastAttempt *Attempt
}

// Health is how an endpoint is doing.
type Health struct {
	// Breaker is closed while all is well.
	Breaker BreakerState
	// OpenUntil is when an open breaker lets one through; zero otherwise.
	OpenUntil time.Time
	// History are the last changes of the breaker, at most ten, the newest first.
	History []BreakerChange
	// Limit bounds the deliveries in flight, as it has adapted.
	Limit int
	// WaitingFor is the gate that holds the line back, until WaitingUntil where
	// that is known; empty when nobody waits.
	WaitingFor   Gate
	WaitingUntil time.Time
	// InFlight, Waiting and Retrying count the open deliveries: with a slot, in
	// the line, and waiting for a retry.
	InFlight, Waiting, Retrying int
	// OldestWaitingAt is when the first in the line was published; zero when nobody waits.
	OldestWaitingAt time.Time
	// LastHour is what its attempts came to.
	LastHour Traffic
}

// Traffic is what the attempts of some time came to; those of tests do not count.
type Traffic struct {
	Attempts, Delivered int
	// Mean and Max are of the attempts' durations; 0 when there was none.
	Mean, Max time.Duration
	// Busy is how many attempts were in flight on average: the share of the workers' time.
	Busy float64
}

// BrandHealth is how all endpoints of a brand are doing together.
type BrandHealth struct {
	// Endpoints counts them, Disabled those that are disabled, and Failing those
	// whose breaker is not closed.
	Endpoints, Disabled, Failing int
	// InFlight, Waiting and Retrying count the open deliveries, as in [Health].
	InFlight, Waiting, Retrying int
	// OldestWaitingAt is when the first that waits was published; zero when nobody waits.
	OldestWaitingAt time.Time
	LastHour        Traffic
}

// Add counts an endpoint.
func (b *BrandHealth) Add(h Health, disabled bool) {
	one := BrandHealth{
		Endpoints: 1, InFlight: h.InFlight, Waiting: h.Waiting, Retrying: h.Retrying, OldestWaitingAt: h.OldestWaitingAt, LastHour: h.LastHour,
	}
	if disabled {
		one.Disabled = 1
	}
	if h.Breaker != BreakerClosed {
		one.Failing = 1
	}
	*b = b.Plus(one)
}

// Plus is how both are doing as one.
func (b BrandHealth) Plus(other BrandHealth) BrandHealth {
	b.Endpoints, b.Disabled, b.Failing = b.Endpoints+other.Endpoints, b.Disabled+other.Disabled, b.Failing+other.Failing
	b.InFlight, b.Waiting, b.Retrying = b.InFlight+other.InFlight, b.Waiting+other.Waiting, b.Retrying+other.Retrying
	if at := other.OldestWaitingAt; !at.IsZero() && (b.OldestWaitingAt.IsZero() || at.Before(b.OldestWaitingAt)) {
		b.OldestWaitingAt = at
	}
	b.LastHour = b.LastHour.plus(other.LastHour)
	return b
}

// plus is what both come to.
func (t Traffic) plus(other Traffic) Traffic {
	sum := Traffic{
		Attempts: t.Attempts + other.Attempts, Delivered: t.Delivered + other.Delivered, Max: max(t.Max, other.Max), Busy: t.Busy + other.Busy,
	}
	if sum.Attempts > 0 {
		sum.Mean = (t.Mean*time.Duration(t.Attempts) + other.Mean*time.Duration(other.Attempts)) / time.Duration(sum.Attempts)
	}
	return sum
}
