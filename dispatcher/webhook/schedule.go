package webhook

import (
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// QueueSlack is how late the queue may start a delayed task: its times are
// whole seconds, rounded up so that nothing is early, and it looks once a
// second. [Schedule.Delay] leaves room for it, so that what a receiver sees
// lies inside the jitter band.
const QueueSlack = 2 * time.Second

// Schedule says when a failed delivery is attempted again, and when it is given
// up. The zero value of each field stands for its default.
type Schedule struct {
	// InitialInterval is the delay after the first attempt. Defaults to 5 s.
	InitialInterval time.Duration
	// Multiplier grows the delay from one attempt to the next, ≥ 1. Defaults to 4.
	Multiplier float64
	// MaxInterval caps the delay, and how long a Retry-After is honoured. Defaults to 10 h.
	MaxInterval time.Duration
	// Jitter spreads each delay by ± this share of itself, in (0, 1). Defaults to 0.2.
	Jitter float64
	// MaxAge ends a delivery, counted from its publish. Defaults to 75 h.
	MaxAge time.Duration
	// MaxAttempts ends a delivery; 0 means until MaxAge.
	MaxAttempts int
}

// WithDefaults returns a copy with every zero field set to its default.
func (s Schedule) WithDefaults() Schedule {
	s.InitialInterval = or(s.InitialInterval, 5*time.Second)
	s.Multiplier = or(s.Multiplier, 4)
	s.MaxInterval = or(s.MaxInterval, 10*time.Hour)
	s.Jitter = or(s.Jitter, 0.2)
	s.MaxAge = or(s.MaxAge, 75*time.Hour)
	return s
}

// Validate returns a [FieldError] for the first field whose value is impossible.
func (s Schedule) Validate() error {
	s = s.WithDefaults()
	switch {
	case s.InitialInterval < 0:
		return Invalid("retry.initialInterval", "must be positive")
	case s.Multiplier < 1 || math.IsInf(s.Multiplier, 1) || math.IsNaN(s.Multiplier):
		return Invalid("retry.multiplier", "must be at least 1, and finite")
	case s.MaxInterval < s.InitialInterval:
		return Invalid("retry.maxInterval", "must be at least retry.initialInterval (%s)", s.InitialInterval)
	case s.Jitter <= 0 || s.Jitter >= 1 || math.IsNaN(s.Jitter):
		return Invalid("retry.jitter", "must be between 0 and 1")
	case s.MaxAge <= 0:
		return Invalid("retry.maxAge", "must be positive")
	case s.MaxAttempts < 0:
		return Invalid("retry.maxAttempts", "must be 0 (until retry.maxAge) or more")
	}
	return nil
}

// Delay returns how long to wait after attempt number (from 1), drawn evenly
// from the jitter band around that attempt's interval, less QueueSlack at its
// upper end. Its cost does not grow with number.
func (s Schedule) Delay(number int) time.Duration {
	s = s.WithDefaults()
	interval := s.interval(number)
	earliest := scale(interval, 1-s.Jitter)
	latest := max(earliest, scale(interval, 1+s.Jitter)-QueueSlack)
	middle := earliest + (latest-earliest)/2
	delay := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(middle), backoff.WithMaxInterval(middle), backoff.WithMaxElapsedTime(0),
		backoff.WithRandomizationFactor(float64(latest-middle)/float64(middle))).NextBackOff()
	return max(earliest, min(delay, latest))
}

// interval is the middle of the band after attempt number.
func (s Schedule) interval(number int) time.Duration {
	return min(s.MaxInterval, scale(s.InitialInterval, math.Pow(s.Multiplier, float64(number-1))))
}

// Overdue tells whether a delivery published at the given time is too old to be attempted.
func (s Schedule) Overdue(publishedAt, now time.Time) bool {
	return !now.Before(publishedAt.Add(s.WithDefaults().MaxAge))
}

func scale(d time.Duration, factor float64) time.Duration {
	scaled := float64(d) * factor
	if scaled >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(scaled)
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
