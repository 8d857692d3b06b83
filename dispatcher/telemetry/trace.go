package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// scope is what spans say that they are made by.
const scope = "go.smobi.com/outhook"

// Attributes of outhook's own, beside those of OpenTelemetry's conventions for messaging and HTTP.
const (
	keyBrand      = attribute.Key("outhook.brand")
	keyEndpoint   = attribute.Key("outhook.endpoint.id")
	keyDeliveries = attribute.Key("outhook.deliveries")
	keyDuplicate  = attribute.Key("outhook.duplicate")
	keyAttempt    = attribute.Key("outhook.attempt.id")
	keyNumber     = attribute.Key("outhook.attempt.number")
	keyTrigger    = attribute.Key("outhook.attempt.trigger")
	keyOutcome    = attribute.Key("outhook.attempt.outcome")
	keyReason     = attribute.Key("outhook.attempt.reason")
	keyDeath      = attribute.Key("outhook.attempt.death_reason")
	keyDNS        = attribute.Key("outhook.attempt.dns_ms")
	keyConnect    = attribute.Key("outhook.attempt.connect_ms")
	keyTLS        = attribute.Key("outhook.attempt.tls_ms")
	keyFirstByte  = attribute.Key("outhook.attempt.first_byte_ms")
)

// Tracing says where the spans of publishes and attempts go. The zero value is off, and costs nothing.
type Tracing struct {
	// Provider makes the spans: the host's own, which it shuts down itself. Its sampler decides at the publish; what is not
	// sampled then has no spans later. Versions before the one that knows traces leave events of traced publishes alone: set
	// it when every process on this Redis runs a version that does. nil: off.
	Provider trace.TracerProvider
	// Propagate sends traceparent (W3C Trace Context) with every attempt that has a span, unless its endpoint has a header of
	// that name. The receiver learns ids, and nothing else. Needs Provider. Defaults to false.
	Propagate bool
}

// Validate returns a [webhook.FieldError] unless the fields fit each other.
func (c Tracing) Validate() error {
	if c.Propagate && c.Provider == nil {
		return webhook.Invalid("Tracing.Propagate", "needs Tracing.Provider")
	}
	return nil
}

// Tracer makes the spans. A nil one makes none. Safe for concurrent use.
type Tracer struct {
	tracer    trace.Tracer
	propagate bool
}

// NewTracer returns nil when tracing is off.
func NewTracer(c Tracing) *Tracer {
	if c.Provider == nil {
		return nil
	}
	return &Tracer{tracer: c.Provider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)), propagate: c.Propagate}
}

// Publishes are the spans of a batch, one an event; none when tracing is off.
type Publishes []trace.Span

// Publish begins the span of an event that is about to be stored, child of the one in ctx, adds it to the batch's, and answers
// what the event is to be stored with.
func (t *Tracer) Publish(ctx context.Context, batch Publishes, e webhook.Event) (Publishes, webhook.TraceContext) {
	if t == nil {
		return batch, webhook.TraceContext{}
	}
	_, span := t.tracer.Start(ctx, "publish "+e.Type, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(append(ofEvent(e.Ref(), e.Type),
		semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("publish"), semconv.MessagingMessageBodySize(len(e.Payload)))...))
	return append(batch, span), contextOf(span)
}

// End ends the spans with what became of their events: results in the same order, or the error of all.
func (p Publishes) End(results []webhook.Result, err error) {
	for i, span := range p {
		if span.IsRecording() {
			finish(span, i, results, err)
		}
		span.End()
	}
}

func finish(span trace.Span, i int, results []webhook.Result, err error) {
	if err == nil {
		err = results[i].Err
	}
	if err != nil {
		what := kindOf(err)
		span.SetAttributes(semconv.ErrorTypeKey.String(what))
		span.SetStatus(codes.Error, what)
		return
	}
	receipt := results[i].Receipt
	span.SetAttributes(keyDuplicate.Bool(receipt.Duplicate), keyDeliveries.Int(len(receipt.Endpoints)))
}

// kindOf names an error: its text may hold what is not for a trace.
func kindOf(err error) string {
	for _, k := range []struct {
		is   error
		name string
	}{
		{webhook.ErrInvalid, "invalid"}, {webhook.ErrConflict, "conflict"}, {webhook.ErrFull, "full"}, {webhook.ErrUnavailable, "unavailable"},
	} {
		if errors.Is(err, k.is) {
			return k.name
		}
	}
	return semconv.ErrorTypeOther.Value.AsString()
}

func ofEvent(ref webhook.EventRef, eventType string) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKey.String("outhook"), semconv.MessagingDestinationName(eventType), semconv.MessagingMessageID(ref.ID),
		keyBrand.String(ref.Brand),
	}
}

// contextOf names a span that is exported; of one that is not nothing is kept.
func contextOf(span trace.Span) webhook.TraceContext {
	c := span.SpanContext()
	if !c.IsValid() || !c.IsSampled() {
		return webhook.TraceContext{}
	}
	return webhook.TraceContext{TraceID: c.TraceID(), SpanID: webhook.SpanID(c.SpanID()), Flags: byte(c.TraceFlags())}
}

// spanContext is the other way round, as of another process.
func spanContext(c webhook.TraceContext) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: c.TraceID, SpanID: trace.SpanID(c.SpanID), TraceFlags: trace.TraceFlags(c.Flags), Remote: true,
	})
}
