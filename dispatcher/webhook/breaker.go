package webhook

import "time"

// BreakerState of an endpoint.
type BreakerState string

// The states.
const (
	BreakerClosed   BreakerState = "closed"
	BreakerOpen     BreakerState = "open"
	BreakerHalfOpen BreakerState = "halfOpen" // one is let through, to see
)

// Breaker says when an endpoint that fails gets a rest. The zero value of each
// field stands for its default.
type Breaker struct {
	// Failures in a row open it: timeouts, broken connections and 5xx. Defaults to 5.
	Failures int
	// OpenFor is the first rest, and each one after a failed probe is twice as long. Defaults to 30 s.
	OpenFor time.Duration
	// MaxOpenFor caps a rest. Defaults to 10 min.
	MaxOpenFor time.Duration
}

// WithDefaults returns a copy with every zero field set to its default.
func (b Breaker) WithDefaults() Breaker {
	b.Failures = or(b.Failures, 5)
	b.OpenFor = or(b.OpenFor, 30*time.Second)
	b.MaxOpenFor = or(b.MaxOpenFor, 10*time.Minute)
	return b
}

// Validate returns a [FieldError] for the first field whose value is impossible.
func (b Breaker) Validate() error {
	b = b.WithDefaults()
	switch {
	case b.Failures < 0:
		return Invalid("breaker.failures", "must be at least 1")
	case b.OpenFor < 0:
		return Invalid("breaker.openFor", "must be positive")
	case b.MaxOpenFor < b.OpenFor:
		return Invalid("breaker.maxOpenFor", "must be at least breaker.openFor (%s)", b.OpenFor)
	}
	return nil
}

// BreakerChange is when a breaker became open, or closed. One that opens again after a probe failed is a change too.
type BreakerChange struct {
	State BreakerState
	At    time.Time
}
