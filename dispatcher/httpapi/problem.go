package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// retryAfter is what a caller is asked to wait when the store is away.
	retryAfter = time.Second
	// shownErrors bounds a problem's errors, whatever was sent.
	shownErrors = 20
)

// The details of problems that the document shows too.
const (
	detailNoKey       = "a valid key is required: Authorization: Bearer KEY"
	detailNotFound    = "not found"
	detailConflict    = "the id is taken by other content: choose another, or change what is there"
	detailNoPayload   = "the event's payload is no longer kept: it cannot be sent again"
	detailBusy        = "too many at the same time: try again in a moment"
	detailFull        = "the server holds as many requests as it can: try again in a moment"
	detailShare       = "the brand has too much under way at the same time: try again in a moment"
	detailNearlyFull  = "the store is nearly full: nothing new is accepted until there is room, try again later with the same id"
	detailUnavailable = "the store did not answer: repeating with the same id is safe"
)

// TypeLimit is the [Problem.Type] of a limit that is reached. Its status, 409,
// is also that of a conflict.
const TypeLimit = "tag:smobi.com,2025:outhook/limit"

// Problem says why a request was refused (RFC 9457). As an error of [Client] it
// matches, with errors.Is, the sentinel of package webhook that its status stands for.
type Problem struct {
	// Type tells problems of the same status apart: empty (about:blank) or TypeLimit.
	Type string `json:"type,omitempty" doc:"Tells problems of the same status apart; about:blank when absent"`
	// Status is the HTTP status; in a batch, that of the entry.
	Status int `json:"status"`
	// Title is the text of the status.
	Title string `json:"title"`
	// Detail says what is wrong and why. Never decide on it.
	Detail string `json:"detail,omitempty"`
	// Errors names the fields that break a rule.
	Errors []ProblemError `json:"errors,omitempty" nullable:"false"`
	// RetryAfter is how long the answer asks to wait; 0 when it does not.
	RetryAfter time.Duration `json:"-"`
}

// ProblemError is a field that breaks a rule.
type ProblemError struct {
	// Location is the path of the field: "body.payload", "body.events[3].id", "query.limit".
	Location string `json:"location" doc:"Path of the field, such as body.events[3].payload"`
	// Message is the rule.
	Message string `json:"message" doc:"The rule that it breaks"`
}

// Error returns the detail, or the title when there is none.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return strings.ToLower(p.Title) + " (" + strconv.Itoa(p.Status) + ")"
}

// Is tells whether target is the sentinel that the status stands for:
// [webhook.ErrInvalid] (400, 408, 413, 415, 422), [webhook.ErrUnauthorized]
// (401), [webhook.ErrNotFound] (404), [webhook.ErrConflict] or
// [webhook.ErrLimit] (409), [webhook.ErrBusy] (429), [webhook.ErrUnavailable]
// (502, 503, 504).
func (p *Problem) Is(target error) bool {
	switch p.Status {
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return target == webhook.ErrInvalid
	case http.StatusUnauthorized:
		return target == webhook.ErrUnauthorized
	case http.StatusNotFound:
		return target == webhook.ErrNotFound
	case http.StatusConflict:
		return target == p.conflict()
	case http.StatusTooManyRequests:
		return target == webhook.ErrBusy
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return target == webhook.ErrUnavailable
	}
	return false
}

func (p *Problem) conflict() error {
	if p.Type == TypeLimit {
		return webhook.ErrLimit
	}
	return webhook.ErrConflict
}

func problem(status int, detail string) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: detail}
}

// broken is the problem of one field that breaks a rule.
func broken(location, rule string) *Problem {
	return brokenAll([]ProblemError{{Location: location, Message: rule}})
}

// brokenAll is the problem of fields that break rules; there is at least one.
func brokenAll(found []ProblemError) *Problem {
	p := problem(http.StatusUnprocessableEntity, found[0].Location+": "+found[0].Message)
	p.Errors = found[:min(len(found), shownErrors)]
	return p
}

// problemOf says what an error means to the asker; at is the place of what was
// wrong, such as "body". Only errors that are not explained here are 500s.
func problemOf(err error, at string) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if f, ok := errors.AsType[*webhook.FieldError](err); ok {
		return broken(location(at, f.Field), f.Rule)
	}
	switch {
	case errors.Is(err, webhook.ErrInvalid):
		return problem(http.StatusUnprocessableEntity, "the request breaks a rule")
	case errors.Is(err, webhook.ErrDeleted): // before ErrConflict, which it wraps
		return problem(http.StatusConflict, "the id is that of a deleted endpoint: choose another")
	case errors.Is(err, webhook.ErrConflict):
		return problem(http.StatusConflict, detailConflict)
	case errors.Is(err, webhook.ErrLimit):
		p := problem(http.StatusConflict, limitDetail(err))
		p.Type = TypeLimit
		return p
	case errors.Is(err, webhook.ErrNotFound):
		return problem(http.StatusNotFound, detailNotFound)
	case errors.Is(err, webhook.ErrBusy):
		return waiting(http.StatusTooManyRequests, busyDetail(err))
	case errors.Is(err, webhook.ErrFull): // before ErrUnavailable, which it wraps
		return waiting(http.StatusServiceUnavailable, detailNearlyFull)
	case errors.Is(err, webhook.ErrUnavailable), isContext(err):
		return waiting(http.StatusServiceUnavailable, detailUnavailable)
	}
	return problem(http.StatusInternalServerError, "")
}

// waiting is the problem of what may go well in a moment.
func waiting(status int, detail string) *Problem {
	p := problem(status, detail)
	p.RetryAfter = retryAfter
	return p
}

// limitDetail is what was said before [webhook.ErrLimit], which knows of more
// limits than one.
func limitDetail(err error) string {
	which, ok := strings.CutSuffix(err.Error(), ": "+webhook.ErrLimit.Error())
	if !ok {
		return "a limit is reached"
	}
	return "a limit is reached: " + which
}

// busyDetail is what was said before [webhook.ErrBusy], if anything.
func busyDetail(err error) string {
	if which, ok := strings.CutSuffix(err.Error(), ": "+webhook.ErrBusy.Error()); ok {
		return which + ": try again later"
	}
	return detailBusy
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// location joins a place and a field of it; no field stands for the place itself.
func location(at, field string) string {
	if field == "" {
		return at
	}
	return at + "." + field
}
