package httpapi

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const headerTraceparent = "traceparent"

// traced answers ctx with the span that a request's traceparent names (W3C Trace Context, section 3.2) as the parent of what it
// makes. One that is invalid or given twice is none, and so is one beside a span that the host's own middleware began. A
// tracestate is left out: it may be anything.
func traced(ctx context.Context, h http.Header) context.Context {
	given := h.Values(headerTraceparent)
	if len(given) != 1 || trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{headerTraceparent: given[0]})
}

// nameSpan has a request name the span that its caller's context holds; without one it names none.
func nameSpan(ctx context.Context, h http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
}
