package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// otlp is a collector that keeps what it gets.
type otlp struct {
	url   string
	mu    sync.Mutex
	asked []string
	raw   []byte
	spans []exported
}

// exported is a span and the role of the process that exported it.
type exported struct {
	*traces.Span
	resource map[string]string
}

func newOTLP(t testing.TB) *otlp {
	o := &otlp{}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func (o *otlp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked, o.raw = append(o.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")), append(o.raw, body...)
	for _, rs := range request.ResourceSpans {
		about := valuesOf(rs.Resource.Attributes)
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				o.spans = append(o.spans, exported{span, about})
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func valuesOf(attributes []*common.KeyValue) map[string]string {
	values := map[string]string{}
	for _, a := range attributes {
		values[a.Key] = a.Value.GetStringValue()
	}
	return values
}

// of are the spans of an event, by name.
func (o *otlp) of(event string) map[string]exported {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := map[string]exported{}
	for _, span := range o.spans {
		if valuesOf(span.Attributes)["messaging.message.id"] == event {
			found[span.Name] = span
		}
	}
	return found
}

// takeAll gives the brand an endpoint that takes everything.
func takeAll(t *testing.T, c *child, look func(*http.Request)) {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { look(r) }))
	t.Cleanup(receiver.Close)
	endpoint := httpapi.EndpointRequest{ID: "hook", URL: receiver.URL, Purpose: webhook.PurposeStatus}
	if _, _, err := c.client(t).CreateEndpoint(t.Context(), "acme", endpoint); err != nil {
		t.Fatal(err)
	}
}

// startTraced starts a process whose spans are exported at once.
func startTraced(t testing.TB, redisAddr, to string, args ...string) *child {
	t.Helper()
	cmd := serveCommand("", append(args, "--tracing-otlp-endpoint="+to)...)
	cmd.Env = []string{"OTEL_BSP_SCHEDULE_DELAY=20", "OTEL_EXPORTER_OTLP_HEADERS=authorization=" + otlpKey}
	return startChild(t, redisAddr, cmd)
}

// otlpKey is what our collectors are shown.
const otlpKey = "secret-of-a-collector"

// publishUnder publishes with a traceparent, whose caller is sampled or not.
func publishUnder(t *testing.T, c *child, id string, flags trace.TraceFlags) trace.SpanContext {
	t.Helper()
	caller := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags})
	event := httpapi.PublishRequest{ID: id, Type: "message.read", Payload: []byte(`{}`)}
	if _, err := c.client(t).Publish(trace.ContextWithSpanContext(t.Context(), caller), "acme", event); err != nil {
		t.Fatal(err)
	}
	return caller
}

// What an API and a worker export is one trace with their caller's span; nothing of it is lost when they end.
func TestServeExportsTraces(t *testing.T) {
	t.Parallel()
	to := newOTLP(t)
	store := redistest.Start(t)
	flags := []string{"--tracing-otlp-endpoint=" + to.url, "--tracing-propagate=true", "--tracing-sample-ratio=0"}
	api := startServe(t, store.Addr(), append(flags, "--role=api")...)
	worker := startServe(t, store.Addr(), append(flags, "--role=worker")...)
	headers := make(chan http.Header, 10)
	takeAll(t, api, func(r *http.Request) { headers <- r.Header })
	caller := publishUnder(t, api, "sampled", trace.FlagsSampled)
	publishUnder(t, api, "unsampled", 0)
	if got := api.publish(t, "--type=message.read", "--id=alone", "--data={}"); got.code != exitDone { // no caller, and the ratio is 0
		t.Fatalf("publish: %+v", got)
	}
	for _, id := range []string{"sampled", "unsampled", "alone"} {
		awaitState(t, api.client(t), id, webhook.StateDelivered)
	}
	for _, c := range []*child{worker, api} {
		c.terminate(t)
		if code := c.exit(); code != exitDone {
			t.Errorf("exit code %d", code)
		}
	}
	found := to.of("sampled")
	published, waited, delivered := found["publish message.read"], found["wait message.read"], found["deliver message.read"]
	if len(found) != 3 || len(to.of("unsampled"))+len(to.of("alone")) > 0 {
		t.Fatalf("spans %v", to.spans)
	}
	id := caller.SpanID()
	if string(published.ParentSpanId) != string(id[:]) || string(waited.ParentSpanId) != string(published.SpanId) || string(delivered.ParentSpanId) != string(published.SpanId) {
		t.Errorf("parents %x, %x, %x", published.ParentSpanId, waited.ParentSpanId, delivered.ParentSpanId)
	}
	traceID := caller.TraceID()
	for name, span := range found {
		if string(span.TraceId) != string(traceID[:]) || span.resource["service.name"] != "outhook" || span.resource["service.version"] != buildVersion() || span.resource["service.instance.id"] == "" {
			t.Errorf("%s: trace %x of %v", name, span.TraceId, span.resource)
		}
	}
	if published.resource["outhook.role"] != "api" || delivered.resource["outhook.role"] != "worker" {
		t.Errorf("roles %v, %v", published.resource, delivered.resource)
	}
	want := fmt.Sprintf("00-%x-%x-01", delivered.TraceId, delivered.SpanId)
	for range 3 {
		if h := <-headers; h.Get("Webhook-Id") == "sampled" && h.Get("Traceparent") != want || h.Get("Webhook-Id") != "sampled" && h.Get("Traceparent") != "" {
			t.Errorf("%s has traceparent %q, want %q", h.Get("Webhook-Id"), h.Get("Traceparent"), want)
		}
	}
	for _, asked := range to.asked {
		if asked != "POST /v1/traces " {
			t.Errorf("asked for %q", asked)
		}
	}
}

// A collector that is not there, or fails, or does not answer: what is delivered is delivered, one line says so, and the process ends.
func TestACollectorThatFailsHindersNothing(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	failing, hanging := 0, make(chan struct{}, 100)
	var mu sync.Mutex
	fails := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		failing++
		mu.Unlock()
		if r.Header.Get("Authorization") != otlpKey {
			t.Errorf("the collector was shown %q", r.Header.Get("Authorization"))
		}
		http.Error(w, "no\x1b[31m"+strings.Repeat("x", 10_000), http.StatusInternalServerError)
	}))
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		hanging <- struct{}{}
		<-hold
	}))
	t.Cleanup(func() { close(hold); fails.Close(); hangs.Close() })
	for name, tt := range map[string]struct {
		url string
		// ready tells when there is something to see.
		ready func(c *child) bool
		lines int
		last  int
	}{
		"not there": {"http://" + freeAddress(t), func(c *child) bool { return len(c.logged(notExported)) > 0 }, 1, 0},
		"fails":     {fails.URL, func(*child) bool { mu.Lock(); defer mu.Unlock(); return failing > 2 }, 1, 0},
		"hangs":     {hangs.URL, func(*child) bool { return len(hanging) > 0 }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startTraced(t, redistest.Start(t).Addr(), tt.url)
			takeAll(t, c, func(*http.Request) {})
			n := 0
			dispatchertest.Eventually(t, func() bool {
				n++
				id := fmt.Sprint("e", n)
				if got := c.publish(t, "--type=message.read", "--id="+id, "--data={}"); got.code != exitDone {
					t.Fatalf("publish: %+v", got)
				}
				awaitState(t, c.client(t), id, webhook.StateDelivered)
				return tt.ready(c)
			})
			c.terminate(t)
			if code := c.exit(); code != exitDone {
				t.Errorf("exit code %d", code)
			}
			if lines, last := c.logged(notExported), c.logged("the last spans are not exported"); len(lines) != tt.lines || len(last) != tt.last {
				t.Errorf("said %v, at the end %v", lines, last)
			}
			if log := string(c.log()); strings.Contains(log, strings.Repeat("x", 2*saidBytes)) || strings.ContainsAny(log, "\x1b") || strings.Contains(log, `\u001b`) {
				t.Errorf("the log has %d bytes: %.3000s", len(log), log)
			}
		})
	}
}

// notExported is what a process says once a minute.
const notExported = "spans are not exported, and dropped; said once a minute"

func TestTracesURL(t *testing.T) {
	for given, want := range map[string]string{
		"http://a:4318": "http://a:4318/v1/traces", "https://a/": "https://a/v1/traces", "http://a/in": "http://a/in", "http://[::1]:1": "http://[::1]:1/v1/traces",
	} {
		if got := tracesURL(given); got != want {
			t.Errorf("%s: %s, want %s", given, got, want)
		}
	}
}

// A daemon that does not come to run leaves nothing behind; the leak check of the package would see it.
func TestADaemonThatDoesNotRunEndsItsTracer(t *testing.T) {
	d := daemonWith(t, roleAPI, "OUTHOOK_TRACING_OTLP_ENDPOINT=http://127.0.0.1:1")
	_, span := d.traces.provider.Tracer("test").Start(t.Context(), "x")
	span.End()
	d.end()
}
