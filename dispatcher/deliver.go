package dispatcher

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// recordFor bounds how long an attempt that was made is tried to be recorded:
// losing it would repeat the POST.
const recordFor = 30 * time.Second

// deliver takes one task from claim to record. nil ends the task.
func (d *Dispatcher) deliver(ctx context.Context, run webhook.Run) error {
	claim, err := d.store.Claim(ctx, run)
	if err != nil {
		return err
	}
	switch claim.Verdict {
	case webhook.ClaimEarly:
		return &webhook.RetryError{After: time.Until(claim.DueAt)}
	case webhook.ClaimCancelled:
		return d.settle(ctx, run, webhook.StateCancelled, "")
	case webhook.ClaimExpired:
		return d.settle(ctx, run, webhook.StateExpired, "")
	case webhook.ClaimOverdue:
		return d.settle(ctx, run, webhook.StateDead, webhook.DeathMaxAge)
	case webhook.ClaimGo:
		if len(claim.Event.Payload) == 0 {
			return d.settle(ctx, run, webhook.StateDead, webhook.DeathBodyMissing)
		}
		return d.enter(ctx, run, claim)
	case webhook.ClaimParked:
		d.arrange(ctx, claim.Release.Wakeup)
	}
	return nil // stale or parked
}

// parkFor is how long, with up to twice as much by chance, a line waits whose
// delivery this process had no room for.
const parkFor = 500 * time.Millisecond

// enter makes the attempt if this process has room for it, at its turn.
func (d *Dispatcher) enter(ctx context.Context, run webhook.Run, claim *webhook.Claim) error {
	stay, ok := d.room.enter(run, claim.Endpoint.URL, claim.Troubled)
	if !ok {
		r, err := d.store.Park(ctx, run, parkFor+rand.N(2*parkFor))
		if err != nil {
			return err
		}
		d.follow(ctx, run.Endpoint(), r)
		return nil
	}
	defer stay.leave()
	if claim.Wait > 0 && !sleep(ctx, claim.Wait) {
		return ctx.Err()
	}
	return d.attempt(ctx, run, claim)
}

// attempt makes the POST and records what it led to.
func (d *Dispatcher) attempt(ctx context.Context, run webhook.Run, claim *webhook.Claim) (err error) {
	defer d.metrics.Begun()()
	var span *telemetry.Attempt
	defer func() {
		if value := recover(); value != nil {
			err = d.panicked(ctx, run, claim, span, value)
		}
		span.Close()
	}()
	span = d.tracer.Attempt(ctx, claim)
	a, verdict, err := d.post(ctx, claim, span, d.cfg.Retry, false)
	if err != nil {
		return err
	}
	if verdict.Outcome == webhook.OutcomeDelivered {
		a.ResponseHeader, a.ResponseBody = nil, nil
	}
	d.logAttempt(ctx, a, verdict)
	d.metrics.Attempted(a, claim.OpenedAt)
	return d.conclude(ctx, &webhook.Settlement{Run: run, Attempt: a, Verdict: verdict, Revision: claim.Revision, Span: span.ID()})
}

// conclude records an attempt, and has the queue repeat it if that is what it led to.
func (d *Dispatcher) conclude(ctx context.Context, s *webhook.Settlement) error {
	if err := d.record(ctx, s); err != nil {
		return err
	}
	if s.Verdict.State == webhook.StateRetrying {
		return &webhook.RetryError{After: time.Until(s.Verdict.NextAttemptAt)}
	}
	return nil
}

// panicked records an attempt that our own code broke off. What breaks it every
// time must not come again for ever.
func (d *Dispatcher) panicked(ctx context.Context, run webhook.Run, claim *webhook.Claim, span *telemetry.Attempt, value any) error {
	now := time.Now()
	verdict := webhook.Judge(d.cfg.Retry, facts(claim, webhook.Response{Reason: webhook.ReasonInterrupted}, now, true))
	d.log.ErrorContext(ctx, "attempt panicked", "brand", run.Brand, "event", run.EventID, "endpoint", run.EndpointID,
		"panic", webhook.PanicText(value), "in_a_row", verdict.Panics, "stack", string(debug.Stack()))
	a := newAttempt(claim, d.egress.RedactURL(claim.Endpoint.URL), now, webhook.Response{}, verdict)
	span.End(a, verdict)
	d.metrics.Attempted(a, claim.OpenedAt)
	return d.conclude(ctx, &webhook.Settlement{Run: run, Attempt: a, Verdict: verdict, Revision: claim.Revision, Span: span.ID()})
}

// post signs, sends and judges; keepBody keeps the body of a 2xx too. Nothing is recorded.
func (d *Dispatcher) post(ctx context.Context, claim *webhook.Claim, span *telemetry.Attempt, retry webhook.Schedule, keepBody bool) (*webhook.Attempt, webhook.Verdict, error) {
	started := time.Now()
	request, err := d.request(claim, started)
	if err != nil {
		return nil, webhook.Verdict{}, err
	}
	request.KeepBody = keepBody
	span.Inject(request.Header)
	response := d.sender.Send(ctx, request)
	verdict := webhook.Judge(retry, facts(claim, response, time.Now(), false))
	a := newAttempt(claim, d.egress.RedactURL(request.URL), started, response, verdict)
	span.End(a, verdict)
	return a, verdict, nil
}

func facts(claim *webhook.Claim, response webhook.Response, now time.Time, panicked bool) webhook.Facts {
	return webhook.Facts{
		Response: response, Number: claim.Number, Blocked: claim.Blocked, Panics: claim.Panics, Panicked: panicked, Probe: claim.Probe,
		OpenedAt: claim.OpenedAt, ExpiresAt: claim.Event.ExpiresAt, Now: now,
	}
}

func newAttempt(claim *webhook.Claim, url string, started time.Time, response webhook.Response, verdict webhook.Verdict) *webhook.Attempt {
	e, trigger := claim.Event, claim.Trigger
	if claim.Probe && trigger == webhook.TriggerDelivery {
		trigger = webhook.TriggerProbe
	}
	return &webhook.Attempt{
		ID:  webhook.NewID(webhook.AttemptPrefix),
		Ref: webhook.DeliveryRef{Brand: e.Brand, EventID: e.ID, EndpointID: claim.Endpoint.ID}, Type: e.Type,
		Number: claim.Number, Trigger: trigger, StartedAt: started, Duration: response.Duration, Phases: response.Phases,
		URL: url, Status: response.Status, Outcome: verdict.Outcome, Reason: verdict.Reason,
		NextAttemptAt: verdict.NextAttemptAt, ResponseHeader: response.Header, ResponseBody: response.Body,
	}
}

// ownHeaders are the headers that request sets, in the order of its values and spelled as net/http keeps them: http.Header.Set
// would spell them so anew, and allocate each, for every attempt.
var ownHeaders = [...]string{
	http.CanonicalHeaderKey(signer.HeaderID), http.CanonicalHeaderKey(signer.HeaderTimestamp), http.CanonicalHeaderKey(signer.HeaderSignature),
	http.CanonicalHeaderKey(webhook.HeaderEventType), http.CanonicalHeaderKey(webhook.HeaderAttempt),
}

// request signs the event as it is to be sent now.
func (d *Dispatcher) request(claim *webhook.Claim, now time.Time) (webhook.Request, error) {
	e, to := claim.Event, claim.Endpoint
	signature, err := signer.Sign(e.ID, now, e.Payload, to.Keys(now)...)
	if err != nil {
		return webhook.Request{}, fmt.Errorf("endpoint %s: sign: %w", to.Ref(), err)
	}
	header := make(http.Header, len(to.Headers)+8) // the sender adds three
	for name, value := range to.Headers {
		header.Set(name, value)
	}
	values := []string{e.ID, strconv.FormatInt(now.Unix(), 10), signature, e.Type, strconv.Itoa(claim.Number)}
	for i, name := range ownHeaders {
		header[name] = values[i : i+1 : i+1]
	}
	timeout := to.Timeout
	if timeout == 0 {
		timeout = d.cfg.Timeout
	}
	return webhook.Request{URL: to.URL, Header: header, Body: e.Payload, Timeout: timeout}, nil
}

// settle ends a delivery without an attempt.
func (d *Dispatcher) settle(ctx context.Context, run webhook.Run, state webhook.State, death webhook.DeathReason) error {
	d.log.InfoContext(ctx, "delivery ended without an attempt", "brand", run.Brand, "event", run.EventID,
		"endpoint", run.EndpointID, "state", state, "death", death)
	return d.record(ctx, &webhook.Settlement{
		Run: run, Verdict: webhook.Verdict{State: state, DeathReason: death},
	})
}

// record saves what happened, before the task is acknowledged, and hands over
// what it released. A worker that is told to stop records all the same.
func (d *Dispatcher) record(ctx context.Context, s *webhook.Settlement) error {
	ctx = context.WithoutCancel(ctx)
	if !d.bounded { // else it ends by itself, and a timer for each attempt costs a hundredth of a worker
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, recordFor)
		defer cancel()
	}
	released, err := persist(recordFor, func() (webhook.Release, error) { return d.store.Record(ctx, s) })
	if err != nil {
		return err
	}
	d.follow(ctx, s.Run.Endpoint(), released)
	d.countSettled(s, released)
	d.logChanged(ctx, s, released)
	d.announceSettled(s, released)
	return nil
}

func (d *Dispatcher) logAttempt(ctx context.Context, a *webhook.Attempt, v webhook.Verdict) {
	level := slog.LevelDebug
	if v.State == webhook.StateDead || v.Disable != "" {
		level = slog.LevelInfo
	}
	if !d.log.Enabled(ctx, level) {
		return
	}
	d.log.LogAttrs(ctx, level, "attempt", slog.String("attempt", a.ID), slog.String("brand", a.Ref.Brand),
		slog.String("event", a.Ref.EventID), slog.String("endpoint", a.Ref.EndpointID), slog.Int("number", a.Number),
		slog.Int("status", a.Status), slog.Any("outcome", a.Outcome), slog.Any("reason", a.Reason),
		slog.Any("death", v.DeathReason), slog.String("disabled", v.Disable), slog.Int64("durationMs", a.Duration.Milliseconds()))
}
