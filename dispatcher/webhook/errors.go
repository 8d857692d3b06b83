package webhook

import (
	"errors"
	"fmt"
	"time"
)

// What a caller can ask of an error with errors.Is.
var (
	// ErrInvalid is wrapped by every [FieldError]: the input breaks a rule.
	ErrInvalid = errors.New("invalid")
	// ErrConflict says that the id is taken by an event or endpoint with other content.
	ErrConflict = errors.New("id is taken by other content")
	// ErrNotFound says that there is no such event, endpoint or delivery.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable says that the store or the queue did not answer, or refused
	// to write. Nothing is known to be stored; repeating with the same id is safe.
	ErrUnavailable = errors.New("store unavailable")
	// ErrFull says that the store's memory is used up to the watermark: nothing was
	// stored, and nothing new is before there is room again. It wraps [ErrUnavailable].
	ErrFull = fmt.Errorf("%w: its memory is nearly full", ErrUnavailable)
	// ErrLimit says that a brand has as many endpoints, or an endpoint as many
	// old secrets, as it may have.
	ErrLimit = errors.New("limit reached")
	// ErrDeleted says that the id belonged to an endpoint that was deleted. It wraps [ErrConflict].
	ErrDeleted = fmt.Errorf("%w: that of a deleted endpoint", ErrConflict)
	// ErrUnauthorized says that a key is none, or was revoked.
	ErrUnauthorized = errors.New("no valid key")
	// ErrBusy says that the brand has too many tests or checks under way, or that
	// an endpoint's rate limit leaves a test no room.
	ErrBusy = errors.New("too many at the same time")
)

// FieldError names the field of the input that breaks a rule, and the rule.
// It wraps [ErrInvalid].
type FieldError struct {
	// Field is the path in the vocabulary of the API: "payload", "headers.X-Team".
	Field string
	// Rule says what is allowed. It never repeats the value.
	Rule string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Rule }

// Unwrap lets errors.Is find [ErrInvalid].
func (e *FieldError) Unwrap() error { return ErrInvalid }

// Invalid returns a [FieldError] for field, its rule formatted as by fmt.Sprintf.
func Invalid(field, rule string, args ...any) error {
	return &FieldError{Field: field, Rule: fmt.Sprintf(rule, args...)}
}

// RetryError is what a task handler returns to have the same task once more
// after a delay. It is not a failure: the ledger has recorded what happened.
type RetryError struct {
	// After is the delay from now; never shortened, 0 means as soon as possible.
	After time.Duration
}

func (e *RetryError) Error() string {
	return fmt.Sprintf("again in %s", e.After.Round(time.Millisecond))
}
