package dispatcher_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
)

// spans are those of one process.
type spans struct {
	*tracetest.SpanRecorder
	provider *sdk.TracerProvider
}

func newSpans(options ...sdk.TracerProviderOption) spans {
	recorder := tracetest.NewSpanRecorder()
	return spans{recorder, sdk.NewTracerProvider(append(options, sdk.WithSpanProcessor(recorder))...)}
}

// on has a dispatcher make them.
func (s spans) on(c *dispatcher.Config) { c.Tracing.Provider = s.provider }

// call answers a context as a caller's span has it, and that span.
func (s spans) call(ctx context.Context) (context.Context, trace.SpanContext) {
	ctx, span := s.provider.Tracer("caller").Start(ctx, "call")
	span.End()
	return ctx, span.SpanContext()
}

// of are the ended spans of an event with this verb, in the order of their beginnings.
func (s spans) of(event, verb string) []sdk.ReadOnlySpan {
	var found []sdk.ReadOnlySpan
	for _, span := range s.Ended() {
		if strings.HasPrefix(span.Name(), verb+" ") && valueOf(span, "messaging.message.id") == event {
			found = append(found, span)
		}
	}
	slices.SortFunc(found, func(a, b sdk.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	return found
}

// await waits for n of them; a delivery is settled a moment before its span is seen by another goroutine.
func (s spans) await(t *testing.T, event, verb string, n int) []sdk.ReadOnlySpan {
	t.Helper()
	dispatchertest.Eventually(t, func() bool { return len(s.of(event, verb)) >= n })
	found := s.of(event, verb)
	if len(found) != n {
		t.Fatalf("%d spans of %s %s, want %d", len(found), verb, event, n)
	}
	return found
}

func valueOf(span sdk.ReadOnlySpan, key string) string {
	for _, a := range span.Attributes() {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// wantValues compares attributes; "" is for one that is not there.
func wantValues(t *testing.T, span sdk.ReadOnlySpan, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if got := valueOf(span, key); got != value {
			t.Errorf("%s: %s is %q, want %q", span.Name(), key, got, value)
		}
	}
}

func wantChild(t *testing.T, span sdk.ReadOnlySpan, of trace.SpanContext) {
	t.Helper()
	if span.SpanContext().TraceID() != of.TraceID() || span.Parent().SpanID() != of.SpanID() {
		t.Errorf("%s is under %s of %s, want %s of %s", span.Name(), span.Parent().SpanID(), span.SpanContext().TraceID(), of.SpanID(), of.TraceID())
	}
}

// wantLinked wants a link to the one before, and none of the first.
func wantLinked(t *testing.T, attempts []sdk.ReadOnlySpan) {
	t.Helper()
	for i, span := range attempts {
		switch links := span.Links(); {
		case i == 0 && len(links) > 0:
			t.Errorf("the first attempt is linked to %v", links)
		case i > 0 && (len(links) != 1 || links[0].SpanContext.SpanID() != attempts[i-1].SpanContext().SpanID() || links[0].SpanContext.TraceID() != span.SpanContext().TraceID()):
			t.Errorf("attempt %d is linked to %v, want the one before", i+1, links)
		}
	}
}
