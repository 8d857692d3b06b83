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
	case s.Multiplier < 1:
		return Invalid("retry.multiplier", "must be at least 1")
	case s.MaxInterval < s.InitialInterval:
		return Invalid("retry.maxInterval", "must be at least retry.initialInterval (%s)", s.InitialInterval)
	case s.Jitter <= 0 || s.Jitter >= 1:
		return Invalid("retry.jitter", "must be between 0 and 1")
	case s.MaxAge <= 0:
		return Invalid("retry.maxAge", "must be positive")
	case s.MaxAttempts < 0:
		return Invalid("retry.maxAttempts", "must be 0 (until retry.maxAge) or more")
	}
	return nil
}

// Delay returns how long to wait after attempt number (from 1), drawn from the
// jitter band around that attempt's interval. The schedule must have its defaults.
func (s Schedule) Delay(number int) time.Duration {
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(s.InitialInterval), backoff.WithMultiplier(s.Multiplier),
		backoff.WithMaxInterval(s.MaxInterval), backoff.WithRandomizationFactor(s.Jitter),
		backoff.WithMaxElapsedTime(0))
	steps := min(number, s.stepsToCap())
	delay := b.NextBackOff()
	for range steps - 1 {
		delay = b.NextBackOff()
	}
	interval := s.interval(steps)
	earliest, latest := scale(interval, 1-s.Jitter), scale(interval, 1+s.Jitter)
	return max(earliest, min(delay, latest-QueueSlack))
}

// interval is the middle of the band after attempt number.
func (s Schedule) interval(number int) time.Duration {
	return min(s.MaxInterval, scale(s.InitialInterval, math.Pow(s.Multiplier, float64(number-1))))
}

// stepsToCap is the number of the attempt from which the interval grows no more.
func (s Schedule) stepsToCap() int {
	if s.Multiplier == 1 {
		return 1
	}
	ratio := float64(s.MaxInterval) / float64(s.InitialInterval)
	return 1 + int(math.Ceil(math.Log(ratio)/math.Log(s.Multiplier)))
}

// Overdue tells whether a delivery published at the given time is too old to be attempted.
func (s Schedule) Overdue(publishedAt, now time.Time) bool {
	return !now.Before(publishedAt.Add(s.MaxAge))
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
