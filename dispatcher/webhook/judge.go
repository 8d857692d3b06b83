package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A destination that the guard refuses gets this many attempts, each at most
// blockedInterval after the one before: all within the hour.
const (
	blockedAttempts = 3
	blockedInterval = 20 * time.Minute
)

// panicAttempts is how many attempts of a delivery may end in a panic: what
// kills its handler each time must not do so for ever.
const panicAttempts = 3

// maxPause bounds how long a receiver's Retry-After holds back all that is for it.
const maxPause = time.Hour

// Signal is what an attempt says of its endpoint's health.
type Signal string

// The signals.
const (
	SignalNone Signal = ""     // says nothing: a 4xx is about one event, a refusal of the guard about us
	SignalGood Signal = "good" // a 2xx
	SignalBad  Signal = "bad"  // a timeout, a broken connection, a 5xx
	SignalBusy Signal = "busy" // 429: too many at once, but alive
)

// Facts are what [Judge] needs to know of an attempt.
type Facts struct {
	Response Response
	// Number of the attempt, from 1.
	Number int
	// Blocked counts the attempts in a row, before this one, whose reason was ReasonBlocked.
	Blocked int
	// Panics counts the attempts in a row, before this one, that ended in a
	// panic; Panicked says that this one did.
	Panics   int
	Panicked bool
	// Probe: the attempt was one of a half-open breaker, whose failure never uses up MaxAttempts.
	Probe bool
	// OpenedAt is when MaxAge began to count: when the event was published, or sent once more.
	OpenedAt time.Time
	// ExpiresAt is the event's, zero for one that was sent once more.
	ExpiresAt time.Time
	// Now is when the attempt ended.
	Now time.Time
}

// Verdict is what an attempt means for its delivery.
type Verdict struct {
	Outcome Outcome
	Reason  Reason
	// State the delivery goes to.
	State       State
	DeathReason DeathReason
	// Counts is false for an interrupted attempt: its number is used again.
	Counts bool
	// NextAttemptAt is set when State is StateRetrying.
	NextAttemptAt time.Time
	// Blocked is the number of attempts in a row whose reason was ReasonBlocked.
	Blocked int
	// Panics is the number of attempts in a row that ended in a panic.
	Panics int
	// Disable is the reason to disable the endpoint, or empty.
	Disable string
	// Signal is for the endpoint's breaker and limit.
	Signal Signal
	// PauseUntil closes the endpoint for all its deliveries; zero when it does not.
	PauseUntil time.Time
}

// Judge decides what an attempt means. It is pure but for the jitter, and the
// only place that decides:
//
//	2xx                        delivered
//	410                        dead (gone), and the endpoint is disabled
//	any other status           retried; 3xx is never followed
//	no answer                  retried
//	blocked by the guard       retried twice, then dead
//	interrupted by us          retried at once, not counted
//	panic of ours              the same, but dead at the third in a row
//
// A delivery whose next attempt would come too late is dead or expired now.
// Retry-After moves the next attempt back, never forward, up to s.MaxInterval;
// with 429, 502, 503 and 504 it holds back all of the endpoint, for an hour at most.
func Judge(s Schedule, f Facts) Verdict {
	s = s.WithDefaults()
	v := Verdict{Reason: reason(f.Response), Counts: true}
	v.Signal = signalOf(v.Reason, f.Response.Status)
	if pauses(f.Response.Status) {
		if pause := retryAfter(f.Response.Header, f.Now, maxPause); pause > 0 {
			v.PauseUntil = f.Now.Add(pause)
		}
	}
	switch v.Reason {
	case ReasonOK:
		return v.settle(StateDelivered, "")
	case ReasonGone:
		v.Disable = DisabledGone
		return v.settle(StateDead, DeathGone)
	case ReasonInterrupted:
		v.Counts, v.Blocked, v.Panics = false, f.Blocked, f.Panics
		if f.Panicked {
			v.Panics++
		}
		if v.Panics >= panicAttempts {
			return v.settle(StateDead, DeathPanic)
		}
		return v.retry(s, f, 0)
	case ReasonBlocked:
		v.Blocked = f.Blocked + 1
		if v.Blocked >= blockedAttempts {
			return v.settle(StateDead, DeathBlocked)
		}
		return v.retry(s, f, min(s.Delay(f.Number), blockedInterval))
	}
	return v.retry(s, f, max(s.Delay(f.Number), retryAfter(f.Response.Header, f.Now, s.MaxInterval)))
}

func reason(r Response) Reason {
	switch {
	case r.Reason != ReasonOK:
		return r.Reason
	case r.Status >= 200 && r.Status <= 299:
		return ReasonOK
	case r.Status == http.StatusGone:
		return ReasonGone
	}
	return ReasonHTTPStatus
}

func signalOf(why Reason, status int) Signal {
	switch why {
	case ReasonOK:
		return SignalGood
	case ReasonTimeout, ReasonDNS, ReasonConnect, ReasonTLS, ReasonReset, ReasonProtocol:
		return SignalBad
	case ReasonHTTPStatus:
		switch {
		case status == http.StatusTooManyRequests:
			return SignalBusy
		case status >= 500:
			return SignalBad
		}
	}
	return SignalNone
}

// pauses tells whether a status is about the receiver, and not about one event.
func pauses(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (v Verdict) settle(state State, death DeathReason) Verdict {
	v.State, v.DeathReason = state, death
	v.Outcome = OutcomeDead
	if state == StateDelivered {
		v.Outcome = OutcomeDelivered
	}
	return v
}

func (v Verdict) retry(s Schedule, f Facts, delay time.Duration) Verdict {
	next := f.Now.Add(delay)
	switch {
	case v.Counts && (!f.Probe || v.Signal != SignalBad) && s.MaxAttempts > 0 && f.Number >= s.MaxAttempts:
		return v.settle(StateDead, DeathMaxAttempts)
	case !f.ExpiresAt.IsZero() && !next.Before(f.ExpiresAt):
		return v.settle(StateExpired, "")
	case s.Overdue(f.OpenedAt, next):
		return v.settle(StateDead, DeathMaxAge)
	}
	v.Outcome, v.State, v.NextAttemptAt = OutcomeRetrying, StateRetrying, next
	return v
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3), seconds or a date,
// as a delay from now between 0 and limit; 0 when absent or malformed.
func retryAfter(h http.Header, now time.Time, limit time.Duration) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	var delay time.Duration
	if at, err := http.ParseTime(value); err == nil {
		delay = at.Sub(now)
	} else if seconds, ok := digits(value); ok {
		delay = scale(time.Second, seconds)
	}
	return max(0, min(delay, limit))
}

// digits reads a run of decimal digits of any length.
func digits(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil || n > 0 // too many digits: +Inf, capped by the limit
}
