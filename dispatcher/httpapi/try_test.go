package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func stageTest(f *fakeService) {
	f.tested = webhook.Attempt{
		ID: "att-t", Ref: webhook.DeliveryRef{EventID: "evt-t"}, Number: 1, StartedAt: epoch, Duration: 30 * time.Millisecond,
		Phases: webhook.Phases{DNS: time.Millisecond, FirstByte: 20 * time.Millisecond},
		URL:    "https://example.com/hook", Status: 204, Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK,
		ResponseHeader: http.Header{"X-Served-By": {"a"}}, ResponseBody: []byte("thanks"),
	}
}

func TestTestEndpoint(t *testing.T) {
	a := start(t)
	stageTest(a.service)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/hook", Purpose: "status"})
	got := must[httpapi.Attempt](t)(a.TestEndpoint(t.Context(), "acme", "ep-1", "message.read"))
	want := httpapi.Attempt{
		ID: "att-t", EventID: "evt-t", EndpointID: "ep-1", Type: "message.read", Number: 1, Trigger: "test",
		StartedAt: httpapi.Time{Time: epoch.Truncate(time.Millisecond)}, DurationMs: 30,
		Phases: httpapi.AttemptPhases{DNSMs: 1, FirstByteMs: 20},
		Request: httpapi.AttemptRequest{URL: "https://example.com/hook", Headers: map[string]string{
			"smobi-attempt": "1", "smobi-event-type": "message.read", "webhook-id": "evt-t", "webhook-timestamp": "1738324800",
		}},
		Status: new(204), Outcome: "delivered", Reason: "ok",
		Response: &httpapi.AttemptResponse{Headers: map[string]string{"x-served-by": "a"}, Body: "thanks"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := must[httpapi.Attempt](t)(a.TestEndpoint(t.Context(), "acme", "ep-1", "")); got.Type != "message.delivered" {
		t.Errorf("the first type is %q", got.Type)
	}
	_, err := a.TestEndpoint(t.Context(), "acme", "ep-2", "")
	wantIs(t, err, webhook.ErrNotFound)
}

func TestBodiesThatMayBeLeftOut(t *testing.T) {
	a := start(t)
	stageTest(a.service)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/hook", Purpose: "status"})
	for _, action := range []string{"/test", "/secret/rotate", "/enable", "/disable"} {
		path := endpointPath + "/ep-1" + action
		for _, body := range []string{"", "{}"} {
			if got := a.send(t, "POST", path, body); got.status != http.StatusOK {
				t.Errorf("%s with %q: %d %s", action, body, got.status, got.body)
			}
		}
		if got := a.send(t, "POST", path, "", "Content-Type", ""); got.status != http.StatusOK {
			t.Errorf("%s without a content type: %d %s", action, got.status, got.body)
		}
	}
}

func TestCheckURL(t *testing.T) {
	a := start(t)
	stageCheck(a.service)
	got := must[httpapi.Check](t)(a.CheckURL(t.Context(), "acme", "https://example.com/?a=1&b=2"))
	want := httpapi.Check{
		URL: "https://example.com/?a=1&b=2", Reachable: true, Status: new(405),
		CertificateEndsAt: httpapi.Time{Time: epoch.Truncate(time.Millisecond)},
		Phases: []httpapi.CheckPhase{
			{Name: "policy", Result: "ok", Detail: "allowed"}, {Name: "dns", Result: "ok", DurationMs: 3}, {Name: "connect", Result: "skipped"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"acme", want.URL}, a.service.lastAsked()); diff != "" {
		t.Error(diff)
	}
	a.service.checked = webhook.Check{}
	if got := must[httpapi.Check](t)(a.CheckURL(t.Context(), "acme", "x")); got.Reachable || got.Status != nil || got.Phases == nil {
		t.Errorf("nothing found: %+v", got)
	}
}

func TestCheckIsAnIDAllTheSame(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "check", URL: "https://example.com/", Purpose: "status"})
	must[httpapi.Check](t)(a.CheckURL(t.Context(), "acme", "https://example.com/"))
	if got := must[httpapi.Endpoint](t)(a.Endpoint(t.Context(), "acme", "check")); got.ID != "check" {
		t.Errorf("got %+v", got)
	}
	if got := must[httpapi.Endpoint](t)(a.DisableEndpoint(t.Context(), "acme", "check")); !got.Disabled {
		t.Errorf("got %+v", got)
	}
	must[httpapi.Endpoint](t)(a.UpdateEndpoint(t.Context(), "acme", "check", httpapi.EndpointPatch{"description": "x"}))
	if err := a.DeleteEndpoint(t.Context(), "acme", "check"); err != nil {
		t.Error(err)
	}
}
