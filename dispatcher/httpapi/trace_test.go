package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// watching keeps what the context of the last publish held.
type watching struct {
	*fakeService
	last trace.SpanContext
}

func (w *watching) Publish(ctx context.Context, e webhook.Event) (webhook.Receipt, error) {
	w.last = trace.SpanContextFromContext(ctx)
	return w.fakeService.Publish(ctx, e)
}

const (
	aTrace  = "0af7651916cd43dd8448eb211c80319c"
	aSpan   = "b7ad6b7169203331"
	aParent = "00-" + aTrace + "-" + aSpan + "-01"
)

// tracedAPI answers a client of an API whose service is watched; between is middleware of the host.
func tracedAPI(t *testing.T, on bool, between func(http.Handler) http.Handler) (*watching, string) {
	t.Helper()
	w := &watching{fakeService: newFake()}
	handler, err := httpapi.New(httpapi.Config{Service: w, Traced: on, Identify: func(r *http.Request) (webhook.Identity, error) {
		if r.Header.Get("Authorization") != "Bearer "+adminKey {
			return webhook.Identity{}, webhook.ErrUnauthorized
		}
		return webhook.Identity{}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if between != nil {
		handler = between(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return w, server.URL
}

func publishWith(t *testing.T, ctx context.Context, url string, headers http.Header) {
	t.Helper()
	client, err := httpapi.NewClient(url, adminKey, &http.Client{Transport: adding(headers)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if _, err := client.Publish(ctx, "acme", httpapi.PublishRequest{Type: "message.delivered", Payload: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
}

// adding adds headers to every request.
type adding http.Header

func (a adding) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, values := range a {
		r.Header[name] = append(r.Header[name], values...)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestATraceparentIsTheParentOfAPublish(t *testing.T) {
	w, url := tracedAPI(t, true, nil)
	publishWith(t, t.Context(), url, http.Header{"Traceparent": {aParent}, "Tracestate": {"vendor=15552223333"}})
	if got := w.last; got.TraceID().String() != aTrace || got.SpanID().String() != aSpan || !got.IsSampled() || !got.IsRemote() || got.TraceState().Len() != 0 {
		t.Errorf("the publish is under %+v", got)
	}
}

func TestAHostileTraceparentIsNone(t *testing.T) {
	w, url := tracedAPI(t, true, nil)
	for name, values := range map[string][]string{
		"none": nil, "empty": {""}, "two": {aParent, aParent}, "zero trace": {"00-00000000000000000000000000000000-" + aSpan + "-01"},
		"zero span": {"00-" + aTrace + "-0000000000000000-01"}, "version ff": {"ff-" + aTrace + "-" + aSpan + "-01"},
		"upper case": {"00-0AF7651916CD43DD8448EB211C80319C-" + aSpan + "-01"}, "short": {"00-" + aTrace + "-b7ad-01"}, "more": {aParent + "-00"},
		"no hex": {"00-" + aTrace + "-b7ad6b716920333g-01"}, "text": {"<script>alert(1)</script>"},
	} {
		publishWith(t, t.Context(), url, http.Header{"Traceparent": values})
		if w.last.IsValid() {
			t.Errorf("%s: the publish is under %+v", name, w.last)
		}
	}
}

func TestATraceparentIsNotReadWithoutTracing(t *testing.T) {
	w, url := tracedAPI(t, false, nil)
	publishWith(t, t.Context(), url, http.Header{"Traceparent": {aParent}})
	if w.last.IsValid() {
		t.Errorf("the publish is under %+v", w.last)
	}
}

// What the host's own middleware began counts, and not what its client says.
func TestTheHostsSpanIsTheParent(t *testing.T) {
	own := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	w, url := tracedAPI(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(trace.ContextWithSpanContext(r.Context(), own)))
		})
	})
	publishWith(t, t.Context(), url, http.Header{"Traceparent": {aParent}})
	if !w.last.Equal(own) {
		t.Errorf("the publish is under %+v", w.last)
	}
}

func TestTheClientNamesItsCallersSpan(t *testing.T) {
	w, url := tracedAPI(t, true, nil)
	own := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	publishWith(t, trace.ContextWithSpanContext(t.Context(), own), url, nil)
	if w.last.TraceID() != own.TraceID() || w.last.SpanID() != own.SpanID() || !w.last.IsSampled() {
		t.Errorf("the publish is under %+v", w.last)
	}
}
