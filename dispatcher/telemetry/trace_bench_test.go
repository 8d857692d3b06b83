package telemetry_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// road is what the dispatcher asks of a tracer for one event and the attempts of its one delivery.
func road(ctx context.Context, t *telemetry.Tracer, attempts int) {
	e := webhook.Event{ID: "evt_1", Brand: "acme", Type: "message.delivered", Payload: payload}
	var published telemetry.Publishes
	published, e.Trace = t.Publish(ctx, published, e)
	published.End(results, nil)
	claim := webhook.Claim{Event: e, Endpoint: &endpoint, Number: 1}
	for range attempts {
		span := t.Attempt(ctx, &claim)
		span.Inject(header)
		span.End(&made, verdict)
		claim.SpanBefore = span.ID()
		span.Close()
	}
}

var (
	endpoint = webhook.Endpoint{ID: "ep_1"}
	payload  = []byte(`{"text":"hello"}`)
	results  = make([]webhook.Result, 1)
	header   = http.Header{}
	made     = webhook.Attempt{ID: "att_1", Status: http.StatusOK, Trigger: webhook.TriggerDelivery, Phases: webhook.Phases{FirstByte: time.Millisecond}}
	verdict  = webhook.Verdict{Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK, State: webhook.StateDelivered}
)

// refused is a caller whose span is not sampled.
func refused() context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
}

func TestOffAllocatesNothing(t *testing.T) {
	off := telemetry.NewTracer(telemetry.Tracing{})
	if off != nil {
		t.Fatal("a tracer without a provider")
	}
	if n := testing.AllocsPerRun(100, func() { road(t.Context(), off, 1) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkTrace is one event with one attempt; what it showed is in bench.txt.
//
//	go test -run '^$' -bench Trace -benchmem ./dispatcher/telemetry
func BenchmarkTrace(b *testing.B) {
	provider := sdk.NewTracerProvider() // spans are made, and go nowhere
	on := telemetry.NewTracer(telemetry.Tracing{Provider: provider})
	for _, c := range []struct {
		name   string
		ctx    context.Context
		tracer *telemetry.Tracer
	}{{"off", context.Background(), nil}, {"unsampled", refused(), on}, {"sampled", context.Background(), on}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				road(c.ctx, c.tracer, 1)
			}
		})
	}
}
