package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Attempt is the span of one attempt. A nil one is none.
type Attempt struct {
	span      trace.Span
	propagate bool
}

// Attempt begins the span of an attempt, and makes that of the wait which is over now: since the publish, since the attempt
// before, or since the delivery was sent once more. nil when the publish was not traced.
func (t *Tracer) Attempt(ctx context.Context, c *webhook.Claim) *Attempt {
	if t == nil || c.Event.Trace == (webhook.TraceContext{}) {
		return nil
	}
	published := spanContext(c.Event.Trace)
	ctx = trace.ContextWithRemoteSpanContext(ctx, published)
	now := time.Now()
	since := c.WaitedSince
	if since.IsZero() || since.After(now) { // the clocks of processes differ
		since = now
	}
	_, wait := t.tracer.Start(ctx, "wait "+c.Event.Type, trace.WithTimestamp(since), trace.WithAttributes(ofAttempt(c)...))
	wait.End(trace.WithTimestamp(now))

	options := []trace.SpanStartOption{trace.WithTimestamp(now)}
	if c.SpanBefore != (webhook.SpanID{}) {
		before := published.WithSpanID(trace.SpanID(c.SpanBefore))
		options = append(options, trace.WithLinks(trace.Link{SpanContext: before}))
	}
	return t.attempt(ctx, c, options...)
}

// Test begins the span of an attempt that is made at once, of no delivery: a child of the one in ctx.
func (t *Tracer) Test(ctx context.Context, c *webhook.Claim) *Attempt {
	if t == nil {
		return nil
	}
	return t.attempt(ctx, c)
}

func (t *Tracer) attempt(ctx context.Context, c *webhook.Claim, options ...trace.SpanStartOption) *Attempt {
	options = append(options, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(ofAttempt(c)...), trace.WithAttributes(
		semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("deliver"), semconv.HTTPRequestMethodPost))
	_, span := t.tracer.Start(ctx, "deliver "+c.Event.Type, options...)
	return &Attempt{span: span, propagate: t.propagate}
}

func ofAttempt(c *webhook.Claim) []attribute.KeyValue {
	return append(ofEvent(c.Event.Ref(), c.Event.Type), keyEndpoint.String(c.Endpoint.ID), keyNumber.Int(c.Number))
}

// ID names the span for the attempt after it; zero when it is not exported.
func (a *Attempt) ID() webhook.SpanID {
	if a == nil {
		return webhook.SpanID{}
	}
	return contextOf(a.span).SpanID
}

// headerParent is spelled as net/http keeps it.
const headerParent = "Traceparent"

// Inject adds traceparent to what is sent, where that is wanted.
func (a *Attempt) Inject(header http.Header) {
	if a == nil || !a.propagate || a.ID() == (webhook.SpanID{}) || header[headerParent] != nil {
		return
	}
	plain := a.span.SpanContext().WithTraceState(trace.TraceState{}) // which may be anything, and is not for receivers
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), plain), propagation.HeaderCarrier(header))
}

// End says what came of the attempt, and ends the span.
func (a *Attempt) End(made *webhook.Attempt, v webhook.Verdict) {
	if a == nil || !a.span.IsRecording() {
		return
	}
	a.span.SetAttributes(keyAttempt.String(made.ID), keyTrigger.String(string(made.Trigger)), keyOutcome.String(string(v.Outcome)), keyReason.String(string(v.Reason)))
	if v.DeathReason != "" {
		a.span.SetAttributes(keyDeath.String(string(v.DeathReason)))
	}
	if made.Status != 0 {
		a.span.SetAttributes(semconv.HTTPResponseStatusCode(made.Status))
	}
	a.span.SetAttributes(ofPhases(made.Phases)...)
	if v.Reason != webhook.ReasonOK {
		a.span.SetAttributes(semconv.ErrorTypeKey.String(errorType(made.Status, v.Reason)))
		a.span.SetStatus(codes.Error, string(v.Reason))
	}
	a.span.End()
}

// Close ends a span that [Attempt.End] did not: nothing was sent.
func (a *Attempt) Close() {
	if a != nil {
		a.span.End()
	}
}

// errorType is the status where there was one, as the conventions for HTTP have it.
func errorType(status int, why webhook.Reason) string {
	if status != 0 {
		return strconv.Itoa(status)
	}
	return string(why)
}

// ofPhases leaves out what did not happen, as on a reused connection.
func ofPhases(p webhook.Phases) []attribute.KeyValue {
	var all []attribute.KeyValue
	for _, phase := range []struct {
		key  attribute.Key
		took time.Duration
	}{{keyDNS, p.DNS}, {keyConnect, p.Connect}, {keyTLS, p.TLS}, {keyFirstByte, p.FirstByte}} {
		if phase.took > 0 {
			all = append(all, phase.key.Float64(float64(phase.took)/float64(time.Millisecond)))
		}
	}
	return all
}
