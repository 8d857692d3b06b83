package dispatcher_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// A publish, the wait in the line behind another event, an attempt that fails and one that does not are one trace, also when
// they are of two processes.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	api, worker := newSpans(), newSpans()
	publisher := onServer(t, server, api.on, idle)
	d := onServer(t, server, worker.on)
	r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
	arrived, answer := make(chan struct{}), make(chan struct{})
	r.Answer(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.Header.Get("webhook-id") == "first":
			arrived <- struct{}{}
			<-answer
		case req.Header.Get("smobi-attempt") == "1":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	publish(t, publisher, event("first"))
	<-arrived
	ctx, caller := api.call(t.Context())
	if _, err := publisher.Publish(ctx, event("e")); err != nil {
		t.Fatal(err)
	}
	dispatchertest.Eventually(t, func() bool {
		found, err := d.Explain(t.Context(), webhook.EventRef{Brand: "acme", ID: "e"})
		return err == nil && found.Endpoints[0].Delivery != nil && found.Endpoints[0].Delivery.State == webhook.StateWaiting
	})
	released := time.Now()
	close(answer)
	d.WaitDelivered(t, "acme", "e")

	published := api.await(t, "e", "publish", 1)[0]
	wantChild(t, published, caller)
	waits, attempts := worker.await(t, "e", "wait", 2), worker.await(t, "e", "deliver", 2)
	for _, span := range slices.Concat(waits, attempts) {
		wantChild(t, span, published.SpanContext())
	}
	wantLinked(t, attempts)
	if published.SpanKind() != trace.SpanKindProducer || waits[0].SpanKind() != trace.SpanKindInternal || attempts[0].SpanKind() != trace.SpanKindClient {
		t.Errorf("kinds %s, %s, %s", published.SpanKind(), waits[0].SpanKind(), attempts[0].SpanKind())
	}
	common := map[string]string{"messaging.system": "outhook", "messaging.destination.name": "message.delivered", "outhook.brand": "acme"}
	for _, span := range slices.Concat(waits, attempts, []sdk.ReadOnlySpan{published}) {
		wantValues(t, span, common)
	}
	wantValues(t, published, map[string]string{"outhook.duplicate": "false", "outhook.deliveries": "1", "messaging.operation.type": "send"})
	kept, err := d.Attempts(t.Context(), webhook.AttemptQuery{Brand: "acme", EventID: "e", Slice: webhook.Slice{Limit: 10}})
	if err != nil || len(kept.Items) != 2 {
		t.Fatalf("attempts %+v, %v", kept.Items, err)
	}
	slices.Reverse(kept.Items)
	e, err := d.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: "e"})
	if err != nil || !waits[0].StartTime().Equal(e.Event.PublishedAt) || waits[0].EndTime().Before(released) {
		t.Errorf("waited from %s to %s; published %s, the line moved %s, %v", waits[0].StartTime(), waits[0].EndTime(), e.Event.PublishedAt, released, err)
	}
	if from := waits[1].StartTime(); from.Before(attempts[0].StartTime().Truncate(time.Millisecond)) || !from.Before(kept.Items[0].NextAttemptAt) {
		t.Errorf("waited again from %s; the attempt before began at %s, this one was due at %s", from, attempts[0].StartTime(), kept.Items[0].NextAttemptAt)
	}
	wantFailedThenDelivered(t, attempts, kept.Items)
}

// wantFailedThenDelivered holds the spans of two attempts against what is kept of them.
func wantFailedThenDelivered(t *testing.T, spans []sdk.ReadOnlySpan, kept []webhook.Attempt) {
	t.Helper()
	wantValues(t, spans[0], map[string]string{
		"outhook.attempt.id": kept[0].ID, "outhook.attempt.number": "1", "outhook.attempt.trigger": string(kept[0].Trigger), "outhook.attempt.outcome": "retrying",
		"outhook.attempt.reason": "http_status", "http.response.status_code": "503", "error.type": "503", "outhook.endpoint.id": kept[0].Ref.EndpointID,
	})
	wantValues(t, spans[1], map[string]string{
		"outhook.attempt.id": kept[1].ID, "outhook.attempt.number": "2", "outhook.attempt.outcome": "delivered",
		"outhook.attempt.reason": "ok", "http.response.status_code": "200", "error.type": "", "http.request.method": "POST",
	})
	if spans[0].Status().Code != codes.Error || spans[1].Status().Code == codes.Error || valueOf(spans[0], "outhook.attempt.first_byte_ms") == "" {
		t.Errorf("status %v, %v; attributes %v", spans[0].Status(), spans[1].Status(), spans[0].Attributes())
	}
}

// What is sent once more belongs to the trace of its publish, and is linked to its last attempt.
func TestResendAndRecoverGoOnInTheTrace(t *testing.T) {
	t.Parallel()
	all := newSpans()
	d := onServer(t, redistest.Start(t), all.on, once)
	began := time.Now().Add(-time.Second)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	publish(t, d, event("e"))
	d.WaitDelivered(t, "acme", "e")
	r.Answer(refuse)
	if _, err := d.Resend(t.Context(), webhook.EventRef{Brand: "acme", ID: "e"}, ""); err != nil {
		t.Fatal(err)
	}
	awaitDead(t, d, "e", r.Endpoint.ID)
	r.Answer(nil)
	spec := webhook.JobSpec{Kind: webhook.JobRecover, Brand: "acme", EndpointID: r.Endpoint.ID, Span: webhook.Span{Since: began}}
	dispatchertest.Eventually(t, func() bool { // it died in this millisecond, which is not over yet
		n, err := d.CountJob(t.Context(), spec)
		return err == nil && n == 1
	})
	j, err := d.StartJob(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	awaitJob(t, d, j.ID)
	published, attempts := all.await(t, "e", "publish", 1)[0], all.await(t, "e", "deliver", 3)
	wantLinked(t, attempts)
	for i, trigger := range []string{"delivery", "resend", "recover"} {
		wantChild(t, attempts[i], published.SpanContext())
		wantValues(t, attempts[i], map[string]string{"outhook.attempt.trigger": trigger, "outhook.attempt.number": "1"})
	}
	wantValues(t, attempts[1], map[string]string{"outhook.attempt.outcome": "dead", "outhook.attempt.death_reason": "max_attempts"})
}

// The same id again is a span of its own caller; what is delivered stays with the first.
func TestADuplicateDoesNotTakeTheTraceOver(t *testing.T) {
	t.Parallel()
	all := newSpans()
	d := onServer(t, redistest.Start(t), all.on)
	d.Receiver(t, "acme", webhook.PurposeStatus)
	publish(t, d, event("e"))
	ctx, caller := all.call(t.Context())
	if receipt, err := d.Publish(ctx, event("e")); err != nil || !receipt.Duplicate {
		t.Fatalf("%+v, %v", receipt, err)
	}
	other := event("e")
	other.Payload = []byte(`{}`)
	if _, err := d.Publish(ctx, other); err == nil {
		t.Fatal("no conflict")
	}
	d.WaitDelivered(t, "acme", "e")
	published := all.await(t, "e", "publish", 3)
	wantChild(t, all.await(t, "e", "deliver", 1)[0], published[0].SpanContext())
	wantChild(t, published[1], caller)
	wantValues(t, published[1], map[string]string{"outhook.duplicate": "true"})
	wantValues(t, published[2], map[string]string{"error.type": "conflict"})
	if got := published[2].Status(); got.Code != codes.Error || got.Description != "conflict" {
		t.Errorf("status of a conflict: %v", published[2].Status())
	}
}

// storedFormat is the first byte of what is kept of an event.
func storedFormat(t *testing.T, server *redistest.Server, id string) string {
	t.Helper()
	rdb := server.Admin(t)
	keys := redistest.Keys(t, rdb, "oh:{*}:e:acme:"+id)
	if len(keys) != 1 {
		t.Fatalf("keys %v", keys)
	}
	return rdb.GetRange(t.Context(), keys[0], 0, 0).Val()
}

// Without a sampled publish nothing is kept, and there is no span later: not when tracing is off, not when the sampler or the
// caller said no, and not when another process does trace.
func TestWithoutASampledPublishThereIsNoSpan(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	never, always := newSpans(sdk.WithSampler(sdk.NeverSample())), newSpans()
	off := onServer(t, server, idle)
	unsampled := onServer(t, server, never.on, idle)
	worker := onServer(t, server, always.on, func(c *dispatcher.Config) { c.Tracing.Propagate = true })
	r := worker.Receiver(t, "acme", webhook.PurposeStatus)
	refused := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true})
	publish(t, off, event("off"))
	publish(t, unsampled, event("never"))
	if _, err := worker.Publish(trace.ContextWithRemoteSpanContext(t.Context(), refused), event("caller")); err != nil {
		t.Fatal(err)
	}
	forged := event("forged") // is the dispatcher's to set
	forged.Trace = webhook.TraceContext{TraceID: [16]byte{9}, SpanID: webhook.SpanID{9}, Flags: 1}
	publish(t, off, forged)
	for _, id := range []string{"off", "never", "caller", "forged"} {
		worker.WaitDelivered(t, "acme", id)
		if got := storedFormat(t, server, id); got != "1" {
			t.Errorf("%s is stored as %q", id, got)
		}
	}
	for _, got := range r.Wait(t, 4) {
		if got.Header.Get("Traceparent") != "" {
			t.Errorf("%s was sent with %s", got.ID(), got.Header.Get("Traceparent"))
		}
	}
	if n := len(never.Ended()) + len(always.Ended()); n > 0 {
		t.Errorf("%d spans", n)
	}
	publish(t, worker, event("traced"))
	if got := storedFormat(t, server, "traced"); got != "t" {
		t.Errorf("a traced event is stored as %q", got)
	}
}
