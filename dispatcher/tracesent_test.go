package dispatcher_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

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
