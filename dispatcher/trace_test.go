package dispatcher_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
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
	e, err := d.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: "e"})
	if err != nil || !waits[0].StartTime().Equal(e.Event.PublishedAt) || waits[0].EndTime().Before(released) {
		t.Errorf("waited from %s to %s; published %s, the line moved %s, %v", waits[0].StartTime(), waits[0].EndTime(), e.Event.PublishedAt, released, err)
	}
	if from := waits[1].StartTime(); from.Before(attempts[0].StartTime().Truncate(time.Millisecond)) || !from.Before(kept.Items[1].NextAttemptAt) {
		t.Errorf("waited again from %s; the attempt before began at %s, this one was due at %s", from, attempts[0].StartTime(), kept.Items[1].NextAttemptAt)
	}
	wantValues(t, attempts[0], map[string]string{
		"outhook.attempt.id": kept.Items[1].ID, "outhook.attempt.number": "1", "outhook.attempt.trigger": string(kept.Items[1].Trigger), "outhook.attempt.outcome": "retrying",
		"outhook.attempt.reason": "http_status", "http.response.status_code": "503", "error.type": "503", "outhook.endpoint.id": r.Endpoint.ID,
	})
	wantValues(t, attempts[1], map[string]string{
		"outhook.attempt.id": kept.Items[0].ID, "outhook.attempt.number": "2", "outhook.attempt.outcome": "delivered",
		"outhook.attempt.reason": "ok", "http.response.status_code": "200", "error.type": "", "http.request.method": "POST",
	})
	if attempts[0].Status().Code != codes.Error || attempts[1].Status().Code == codes.Error || valueOf(attempts[0], "outhook.attempt.first_byte_ms") == "" {
		t.Errorf("status %v, %v; attributes %v", attempts[0].Status(), attempts[1].Status(), attempts[0].Attributes())
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
	rdb := server.Client(t)
	keys, err := rdb.Keys(t.Context(), "oh:{*}:e:acme:"+id).Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %v, %v", keys, err)
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

func TestTraceparentToReceivers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		propagate bool
		own       string
	}{"off": {}, "on": {propagate: true}, "the endpoint has its own": {propagate: true, own: "brand's"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := newSpans()
			d := onServer(t, redistest.Start(t), all.on, func(c *dispatcher.Config) { c.Tracing.Propagate = tt.propagate })
			r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) {
				if tt.own != "" {
					e.Headers = map[string]string{"TRACEPARENT": tt.own}
				}
			})
			publish(t, d, event("e"))
			got := r.Wait(t, 1)[0].Header
			span := all.await(t, "e", "deliver", 1)[0].SpanContext()
			want := tt.own
			if tt.propagate && tt.own == "" {
				want = fmt.Sprintf("00-%s-%s-01", span.TraceID(), span.SpanID())
			}
			if got.Get("Traceparent") != want {
				t.Errorf("traceparent %q, want %q", got.Get("Traceparent"), want)
			}
		})
	}
}

// A test is a child of its caller's span.
func TestATestIsTraced(t *testing.T) {
	t.Parallel()
	all := newSpans()
	d := onServer(t, redistest.Start(t), all.on, func(c *dispatcher.Config) { c.Tracing.Propagate = true })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	state, _ := trace.ParseTraceState("vendor=15552223333")
	caller := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
	ctx := trace.ContextWithSpanContext(t.Context(), caller)
	made, err := d.TestEndpoint(ctx, r.Endpoint.Ref(), "")
	if err != nil || made.Trigger != webhook.TriggerTest {
		t.Fatalf("%+v, %v", made, err)
	}
	span := all.await(t, made.Ref.EventID, "deliver", 1)[0]
	wantChild(t, span, caller)
	wantValues(t, span, map[string]string{"outhook.attempt.trigger": "test", "outhook.attempt.id": made.ID})
	if got := r.Wait(t, 1)[0].Header; !strings.Contains(got.Get("Traceparent"), span.SpanContext().SpanID().String()) || got.Get("Tracestate") != "" {
		t.Errorf("traceparent %q, tracestate %q", got.Get("Traceparent"), got.Get("Tracestate"))
	}
}

func TestPropagateNeedsAProvider(t *testing.T) {
	cfg := dispatchertest.Config()
	cfg.Redis = dispatchertest.Embedded(t)
	cfg.Tracing.Propagate = true
	if _, err := dispatcher.New(cfg); err == nil || !strings.Contains(err.Error(), "Tracing.Propagate") {
		t.Errorf("New: %v", err)
	}
}

// Nothing of a payload, an endpoint's settings, its URL or its address is in any span, whatever came of it.
func TestNoCanaryIsInASpan(t *testing.T) {
	t.Parallel()
	all := newSpans()
	d := onServer(t, redistest.Start(t), all.on, once, func(c *dispatcher.Config) { c.Tracing.Propagate = true })
	const canary, phone = "canary-in-a-span", "15552223333"
	secret := map[string]string{}
	for id, change := range map[string]func(e *webhook.Endpoint){
		"fine": nil, "gone": nil, "refused": func(e *webhook.Endpoint) { e.URL = "http://127.0.0.1:1/" + canary + "?token=" + canary },
		"named": func(e *webhook.Endpoint) { e.URL = strings.Replace(e.URL, "127.0.0.1", "localhost", 1) },
	} {
		r := d.Receiver(t, id, webhook.PurposeStatus, func(e *webhook.Endpoint) {
			e.ID, e.Headers, e.Description = "hook", map[string]string{"X-Token": canary}, canary
			e.URL += "/" + canary + "?token=" + canary
			if change != nil {
				change(e)
			}
		})
		secret[id] = r.Endpoint.Secrets[0].HMAC.Reveal()
		if id == "gone" {
			r.Answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Canary", canary)
				http.Error(w, canary+phone, http.StatusGone)
			})
		}
		e := event("e")
		e.Brand, e.Payload = id, fmt.Appendf(nil, `{"to":%q,"text":%q}`, phone, canary)
		publish(t, d, e)
		e.Payload = fmt.Appendf(nil, `{"text":%q}`, canary+"2")
		if _, err := d.Publish(t.Context(), e); err == nil {
			t.Fatal("no conflict")
		}
	}
	want := map[string]string{"fine": "ok", "gone": "gone", "refused": "connect", "named": "ok"}
	all.awaitBrands(t, want)
	for _, span := range all.Ended() {
		text := fmt.Sprintf("%s %v %v %v %v %s", span.Name(), span.Attributes(), span.Events(), span.Links(), span.Status(), span.SpanContext().TraceState())
		forbidden := []string{canary, hex.EncodeToString([]byte(canary)), phone, "127.0.0.1", "::1", "localhost", "http://", "token"}
		for _, s := range secret {
			forbidden = append(forbidden, s, strings.TrimPrefix(s, "whsec_"))
		}
		for _, f := range forbidden {
			if strings.Contains(text, f) {
				t.Errorf("%q is in %s", f, text)
			}
		}
	}
}

// awaitBrands waits for an attempt of each brand, and compares its reason.
func (s spans) awaitBrands(t *testing.T, want map[string]string) {
	t.Helper()
	dispatchertest.Eventually(t, func() bool {
		got := map[string]string{}
		for _, span := range s.of("e", "deliver") {
			got[valueOf(span, "outhook.brand")] = valueOf(span, "outhook.attempt.reason")
		}
		for brand, reason := range want {
			if got[brand] != "" && got[brand] != reason {
				t.Fatalf("brand %s: reason %q, want %q", brand, got[brand], reason)
			}
		}
		return len(got) == len(want)
	})
}
