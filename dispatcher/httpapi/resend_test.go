package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// stageEvent has evt-1 of stageHistory, and the endpoint ep-1, with a header.
func (a api) stageEvent(t *testing.T) {
	t.Helper()
	stageHistory(a.service)
	a.create(t, "acme", httpapi.EndpointRequest{
		ID: "ep-1", URL: "https://example.com/hook?token=1&x=<2>", Purpose: "status", Headers: map[string]string{"X-Api-Key": "the key"},
	})
}

func TestResendAndCancelAnEvent(t *testing.T) {
	a := start(t)
	a.stageEvent(t)
	for _, endpointID := range []string{"", "ep-1"} {
		want := 4
		if endpointID != "" {
			want = 1
		}
		found := must[[]httpapi.Delivery](t)(a.ResendEvent(t.Context(), "acme", "evt-1", endpointID))
		if diff := cmp.Diff(resent{"acme", "evt-1", endpointID}, a.service.lastAsked()); diff != "" {
			t.Error(diff)
		}
		first := httpapi.Delivery{EventID: "evt-1", EndpointID: "ep-1", State: "running", Attempts: 2, UpdatedAt: milliseconds(epoch.Add(5 * time.Second))}
		if diff := cmp.Diff(first, found[0]); diff != "" || len(found) != want {
			t.Errorf("%q: %d deliveries, %s", endpointID, len(found), diff)
		}
		found = must[[]httpapi.Delivery](t)(a.CancelEvent(t.Context(), "acme", "evt-1", endpointID))
		if diff := cmp.Diff(cancelled{"acme", "evt-1", endpointID}, a.service.lastAsked()); diff != "" {
			t.Error(diff)
		}
		if first.State = "cancelled"; len(found) != want || found[0] != first {
			t.Errorf("%q: cancelled %+v", endpointID, found)
		}
	}
}

func milliseconds(at time.Time) httpapi.Time {
	return httpapi.Time{Time: at.Truncate(time.Millisecond)}
}

func TestBodiesOfResendAndCancel(t *testing.T) {
	a := start(t)
	a.stageEvent(t)
	for action, status := range map[string]int{"/resend": http.StatusAccepted, "/cancel": http.StatusOK} {
		path := publishPath + "/evt-1" + action
		for _, body := range []string{"", " ", "{}", `{"endpointId":"ep-1"}`} {
			if got := a.send(t, "POST", path, body); got.status != status || !strings.HasPrefix(got.body, `{"deliveries":[{"eventId":"evt-1",`) {
				t.Errorf("%s with %q: %d %s", action, body, got.status, got.body)
			}
		}
		if got := a.send(t, "POST", path, "", "Content-Type", ""); got.status != status {
			t.Errorf("%s without a content type: %d", action, got.status)
		}
		a.service.states[webhook.EventRef{Brand: "acme", ID: "evt-1"}] = nil
		if got := a.send(t, "POST", path, ""); got.body != `{"deliveries":[]}`+"\n" {
			t.Errorf("%s of none: %s", action, got.body)
		}
		stageHistory(a.service)
		asked := len(a.service.asked)
		for body, rule := range map[string]string{
			`{"endpointId":""}`:        "body.endpointId: must not be empty: leave it out for all",
			`{"endpointId":null}`:      "body.endpointId: must not be empty: leave it out for all",
			`{"endpointId":"a.b"}`:     "body.endpointId: must match",
			`{"endpointId":["ep-1"]}`:  "body.endpointId: must be a string",
			`{"endpointIds":["ep-1"]}`: "body.endpointIds: is not a field",
			`{"EndpointId":"ep-1"}`:    "body.EndpointId: is not a field",
			`["ep-1"]`:                 "body: must be an object",
		} {
			got := a.send(t, "POST", path, body)
			location, message, _ := strings.Cut(rule, ": ")
			checkProblem(t, got, http.StatusUnprocessableEntity, location, message)
		}
		if len(a.service.asked) != asked {
			t.Errorf("%s: the service was asked %v", action, a.service.asked[asked:])
		}
	}
}

func TestResendOfWhatIsNotThere(t *testing.T) {
	a := start(t)
	a.stageEvent(t)
	for name, c := range map[string]struct{ event, endpoint string }{
		"event": {"evt-0", ""}, "event, to an endpoint": {"evt-0", "ep-1"}, "endpoint": {"evt-1", "ep-0"},
	} {
		_, err := a.ResendEvent(t.Context(), "acme", c.event, c.endpoint)
		wantIs(t, err, webhook.ErrNotFound)
		_, err = a.CancelEvent(t.Context(), "acme", c.event, c.endpoint)
		wantIs(t, err, webhook.ErrNotFound)
		if c.endpoint == "" {
			c.endpoint = "ep-1"
		}
		if _, err = a.SignedRequest(t.Context(), "acme", c.event, c.endpoint); err == nil {
			t.Errorf("%s: there is a request", name)
		}
		wantIs(t, err, webhook.ErrNotFound)
	}
	calls := a.service.calls
	for _, path := range []string{"/a.b/resend", "/a.b/cancel"} {
		checkProblem(t, a.send(t, "POST", publishPath+path, ""), http.StatusNotFound, "", "")
	}
	checkProblem(t, a.send(t, "GET", publishPath+"/a.b/request?endpointId=ep-1", ""), http.StatusNotFound, "", "")
	if a.service.calls != calls {
		t.Error("the service was asked for ids that cannot be")
	}
}

func TestResendWithoutThePayload(t *testing.T) {
	a := start(t)
	a.stageEvent(t)
	ref := webhook.EventRef{Brand: "acme", ID: "evt-1"}
	e := a.service.events[ref]
	e.Payload = nil
	a.service.events[ref] = e
	_, err := a.ResendEvent(t.Context(), "acme", "evt-1", "")
	wantIs(t, err, webhook.ErrConflict)
	if err == nil || !strings.Contains(err.Error(), "payload is no longer kept") {
		t.Errorf("it says %v", err)
	}
	must[[]httpapi.Delivery](t)(a.CancelEvent(t.Context(), "acme", "evt-1", ""))
	got := must[httpapi.SignedRequest](t)(a.SignedRequest(t.Context(), "acme", "evt-1", "ep-1"))
	if raw := a.send(t, "GET", publishPath+"/evt-1/request?endpointId=ep-1", ""); got.Body != "" || strings.Contains(raw.body, `"body"`) {
		t.Errorf("it has a body: %s", raw.body)
	}
}

func TestSignedRequest(t *testing.T) {
	a := start(t)
	a.stageEvent(t)
	got := must[httpapi.SignedRequest](t)(a.SignedRequest(t.Context(), "acme", "evt-1", "ep-1"))
	want := httpapi.SignedRequest{
		Method: "POST", URL: "https://example.com/hook?token=1&x=<2>",
		Headers: map[string]string{"webhook-id": "evt-1", "x-api-key": "the key"},
		Body:    string(a.service.event("acme", "evt-1").Payload),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(webhook.DeliveryRef{Brand: "acme", EventID: "evt-1", EndpointID: "ep-1"}, a.service.lastAsked()); diff != "" {
		t.Error(diff)
	}
	if raw := a.send(t, "GET", publishPath+"/evt-1/request?endpointId=ep-1", ""); raw.header.Get("Cache-Control") != "no-store" {
		t.Errorf("it may be kept: %v", raw.header)
	}
	if a.log.Len() != 0 {
		t.Errorf("logged: %s", a.log)
	}
}

// The text of the body is the payload, byte for byte, for every payload.
func TestBodyOfASignedRequest(t *testing.T) {
	a := start(t)
	a.stageEvent(t)
	for name, payload := range oddPayloads {
		receipt := must[httpapi.Receipt](t)(a.Publish(t.Context(), "acme", status(payload)))
		raw := a.send(t, "GET", publishPath+"/"+receipt.ID+"/request?endpointId=ep-1", "")
		var read struct{ Body string }
		if err := json.Unmarshal([]byte(raw.body), &read); err != nil || read.Body != payload {
			t.Errorf("%s: %q, want %q, %v", name, read.Body, payload, err)
		}
	}
}

func TestBadQueriesOfASignedRequest(t *testing.T) {
	a := start(t)
	for query, rule := range map[string]string{
		"": "", "?endpointId=": "must not be empty", "?endpointId=a.b": "must match", "?endpointId=a&endpointId=b": "given twice",
	} {
		got := a.send(t, "GET", publishPath+"/evt-1/request"+query, "")
		checkProblem(t, got, http.StatusUnprocessableEntity, "query.endpointId", rule)
	}
	if a.service.calls != 0 {
		t.Error("the service was asked")
	}
}
