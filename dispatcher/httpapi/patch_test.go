package httpapi_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// patched is the endpoint that every patch is tried on.
func patched() httpapi.EndpointRequest {
	return httpapi.EndpointRequest{
		ID: "ep-1", URL: "https://example.com/hook", EventTypes: []string{"message.read"}, Description: "CRM",
		Metadata: map[string]string{"team": "blue", "tier": "gold"}, Headers: map[string]string{"x-team": "b", "x-key": "k"},
		MaxInFlight: 8, TimeoutMs: 5000, RateLimit: &httpapi.RateLimit{PerSecond: 20, Burst: 5},
	}
}

func TestUpdateEndpoint(t *testing.T) {
	a := start(t)
	for _, c := range []struct {
		name  string
		patch httpapi.EndpointPatch
		want  func(*httpapi.Endpoint)
	}{
		{"nothing", httpapi.EndpointPatch{}, func(*httpapi.Endpoint) {}},
		{"url", httpapi.EndpointPatch{"url": "https://example.com/new?a=1&b=<2>"}, func(e *httpapi.Endpoint) { e.URL = "https://example.com/new?a=1&b=<2>" }},
		{"purpose instead of event types", httpapi.EndpointPatch{"eventTypes": nil, "purpose": "status"}, func(e *httpapi.Endpoint) { e.EventTypes, e.Purpose = nil, "status" }},
		{"event types", httpapi.EndpointPatch{"eventTypes": []string{"message.*", "message.failed"}}, func(e *httpapi.Endpoint) { e.EventTypes = []string{"message.*", "message.failed"} }},
		{"purpose that is none already", httpapi.EndpointPatch{"purpose": nil}, func(*httpapi.Endpoint) {}},
		{"description", httpapi.EndpointPatch{"description": "new"}, func(e *httpapi.Endpoint) { e.Description = "new" }},
		{"no description", httpapi.EndpointPatch{"description": nil}, func(e *httpapi.Endpoint) { e.Description = "" }},
		{"metadata by key", httpapi.EndpointPatch{"metadata": map[string]any{"team": "red", "tier": nil, "Team": "x", "none": nil}}, func(e *httpapi.Endpoint) {
			e.Metadata = map[string]string{"team": "red", "Team": "x"}
		}},
		{"no metadata", httpapi.EndpointPatch{"metadata": nil}, func(e *httpapi.Endpoint) { e.Metadata = nil }},
		{"empty metadata", httpapi.EndpointPatch{"metadata": map[string]any{}}, func(*httpapi.Endpoint) {}},
		{"the last metadata", httpapi.EndpointPatch{"metadata": map[string]any{"team": nil, "tier": nil}}, func(e *httpapi.Endpoint) { e.Metadata = nil }},
		{"headers in any case", httpapi.EndpointPatch{"headers": map[string]any{"X-Team": "c", "X-KEY": nil, "x-new": "n"}}, func(e *httpapi.Endpoint) {
			e.Headers = map[string]string{"X-Team": "c", "x-new": "n"}
		}},
		{"no headers", httpapi.EndpointPatch{"headers": nil}, func(e *httpapi.Endpoint) { e.Headers = nil }},
		{"numbers", httpapi.EndpointPatch{"maxInFlight": 16, "timeoutMs": 30000}, func(e *httpapi.Endpoint) { e.MaxInFlight, e.TimeoutMs = 16, 30000 }},
		{"default numbers", httpapi.EndpointPatch{"maxInFlight": nil, "timeoutMs": nil}, func(e *httpapi.Endpoint) { e.MaxInFlight, e.TimeoutMs = 0, 0 }},
		{"default timeout as 0", httpapi.EndpointPatch{"timeoutMs": 0}, func(e *httpapi.Endpoint) { e.TimeoutMs = 0 }},
		{"disabled", httpapi.EndpointPatch{"disabled": true}, func(e *httpapi.Endpoint) { e.Disabled, e.DisabledReason = true, "manual" }},
		{"not disabled", httpapi.EndpointPatch{"disabled": false}, func(*httpapi.Endpoint) {}},
		{"rate limit", httpapi.EndpointPatch{"rateLimit": map[string]any{"perSecond": 0.5, "burst": 3}}, func(e *httpapi.Endpoint) {
			e.RateLimit = &httpapi.RateLimit{PerSecond: 0.5, Burst: 3}
		}},
		{"burst", httpapi.EndpointPatch{"rateLimit": map[string]any{"burst": 9}}, func(e *httpapi.Endpoint) {
			e.RateLimit = &httpapi.RateLimit{PerSecond: 20, Burst: 9}
		}},
		{"no burst", httpapi.EndpointPatch{"rateLimit": map[string]any{"burst": nil}}, func(e *httpapi.Endpoint) {
			e.RateLimit = &httpapi.RateLimit{PerSecond: 20}
		}},
		{"no rate limit", httpapi.EndpointPatch{"rateLimit": nil}, func(e *httpapi.Endpoint) { e.RateLimit = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			delete(a.service.endpoints, webhook.EndpointRef{Brand: "acme", ID: "ep-1"})
			want := a.create(t, "acme", patched())
			want.Secret, want.UpdatedAt = "", httpapi.Time{Time: epoch.Add(time.Minute).Truncate(time.Millisecond)}
			c.want(&want)
			got := must[httpapi.Endpoint](t)(a.UpdateEndpoint(t.Context(), "acme", "ep-1", c.patch))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUpdateGivesMapsToWhatHadNone(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/", Purpose: "status"})
	got := must[httpapi.Endpoint](t)(a.UpdateEndpoint(t.Context(), "acme", "ep-1", httpapi.EndpointPatch{
		"headers": map[string]any{"x-a": "1", "x-b": nil}, "metadata": map[string]any{"b": "2"},
	}))
	if diff := cmp.Diff(map[string]string{"x-a": "1"}, got.Headers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"b": "2"}, got.Metadata); diff != "" {
		t.Error(diff)
	}
}

func TestBothMediaTypesOfAPatch(t *testing.T) {
	a := start(t)
	a.create(t, "acme", patched())
	for kind, want := range map[string]int{
		"application/json": 200, "application/merge-patch+json": 200, "application/merge-patch+json; charset=utf-8": 200,
		"application/json-patch+json": 415, "text/plain": 415, "": 415,
	} {
		if got := a.send(t, "PATCH", endpointPath+"/ep-1", `{"description":"x"}`, "Content-Type", kind); got.status != want {
			t.Errorf("%q: %d %s, want %d", kind, got.status, got.body, want)
		}
	}
	if got := a.send(t, "POST", endpointPath, endpoint(""), "Content-Type", "application/merge-patch+json"); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("a create takes a patch: %d", got.status)
	}
}

func TestDisableKeepsTheReason(t *testing.T) {
	a := start(t)
	a.create(t, "acme", patched())
	a.service.disable("ep-1", webhook.DisabledGone)
	for name, change := range map[string]func() (httpapi.Endpoint, error){
		"patch":  func() (httpapi.Endpoint, error) { return a.patch(t, httpapi.EndpointPatch{"disabled": true}) },
		"action": func() (httpapi.Endpoint, error) { return a.DisableEndpoint(t.Context(), "acme", "ep-1") },
	} {
		if got := must[httpapi.Endpoint](t)(change()); !got.Disabled || got.DisabledReason != webhook.DisabledGone {
			t.Errorf("%s: disabled=%v, reason %q", name, got.Disabled, got.DisabledReason)
		}
	}
	for name, change := range map[string]func() (httpapi.Endpoint, error){
		"patch":  func() (httpapi.Endpoint, error) { return a.patch(t, httpapi.EndpointPatch{"disabled": false}) },
		"null":   func() (httpapi.Endpoint, error) { return a.patch(t, httpapi.EndpointPatch{"disabled": nil}) },
		"action": func() (httpapi.Endpoint, error) { return a.EnableEndpoint(t.Context(), "acme", "ep-1") },
	} {
		a.service.disable("ep-1", webhook.DisabledGone)
		if got := must[httpapi.Endpoint](t)(change()); got.Disabled || got.DisabledReason != "" {
			t.Errorf("%s: disabled=%v, reason %q", name, got.Disabled, got.DisabledReason)
		}
	}
}

func (a api) patch(t *testing.T, p httpapi.EndpointPatch) (httpapi.Endpoint, error) {
	return a.UpdateEndpoint(t.Context(), "acme", "ep-1", p)
}

var badPatches = []struct{ name, body, location, rule string }{
	{"id", `{"id":"other"}`, "body.id", "cannot be changed: create another"},
	{"secret", `{"secret":null}`, "body.secret", "secret/rotate"},
	{"signature", `{"signature":"hmac"}`, "body.signature", "cannot be changed: create another"},
	{"created", `{"createdAt":"2025-01-31T12:00:00Z"}`, "body.createdAt", "read-only"},
	{"disabled reason", `{"disabledReason":"gone"}`, "body.disabledReason", "set disabled"},
	{"disabled at", `{"disabledAt":null}`, "body.disabledAt", "read-only: set disabled"},
	{"disabled answer", `{"disabledAnswer":"410"}`, "body.disabledAnswer", "read-only: set disabled"},
	{"health", `{"health":{}}`, "body.health", "read-only"},
	{"rate limit", `{"rateLimit":{"perSecond":-1}}`, "body.rateLimit.perSecond", "must be positive"},
	{"unknown", `{"urls":"x"}`, "body.urls", "is not a field"},
	{"no object", `[]`, "body", "must be an object"},
	{"null", `null`, "body", "must be an object"},
	{"twice", `{"description":"a","description":"b"}`, "body.description", "is given twice"},
	{"no url", `{"url":null}`, "body.url", "cannot be taken away"},
	{"type of url", `{"url":1}`, "body.url", "must be a string"},
	{"type of event types", `{"eventTypes":{}}`, "body.eventTypes", "array of strings"},
	{"type of metadata", `{"metadata":"x"}`, "body.metadata", "must be an object"},
	{"type of an entry", `{"metadata":{"a":{"b":1}}}`, "body.metadata.a", "must be a string"},
	{"type of a header", `{"headers":{"X-Team":7}}`, "body.headers.X-Team", "must be a string"},
	{"header in two cases", `{"headers":{"X-Team":"a","x-team":null}}`, "body.headers.x-team", "is given twice, in different case"},
	{"fraction", `{"maxInFlight":1.5}`, "body.maxInFlight", "whole number"},
	{"negative", `{"maxInFlight":-1}`, "body.maxInFlight", "0 (the default) or more"},
	{"timeout", `{"timeoutMs":30001}`, "body.timeoutMs", "between 1000 and 30000"},
	{"timeout that overflows", `{"timeoutMs":9223372036854775807}`, "body.timeoutMs", "between 1000 and 30000"},
	{"type of disabled", `{"disabled":1}`, "body.disabled", "true or false"},
	{"not UTF-8", "{\"description\":\"\xff\"}", "body.description", "valid UTF-8"},
	{"nested deeply", `{"metadata":` + nested(65) + `}`, "body.metadata.a", "must be a string"},
	{"nested too deeply", `{"metadata":` + nested(20_000) + `}`, "body", "deeper than 64"},
}

func TestBadPatchesAreRefusedBeforeTheServiceIsAsked(t *testing.T) {
	a := start(t)
	a.create(t, "acme", patched())
	calls := a.service.calls
	for _, c := range badPatches {
		t.Run(c.name, func(t *testing.T) {
			checkProblem(t, a.send(t, "PATCH", endpointPath+"/ep-1", c.body), 422, c.location, c.rule)
		})
	}
	for _, body := range []string{"", "{", `{"url":}`} {
		checkProblem(t, a.send(t, "PATCH", endpointPath+"/ep-1", body), 400, "body", "")
	}
	if a.service.calls != calls {
		t.Errorf("the service was called %d times", a.service.calls-calls)
	}
}

func TestPatchesThatTheServiceRefuses(t *testing.T) {
	a := start(t)
	a.create(t, "acme", patched())
	for body, location := range map[string]string{
		`{"purpose":"status"}`:                 "body.eventTypes",
		`{"eventTypes":null}`:                  "body.eventTypes",
		`{"eventTypes":["other.*"]}`:           "body.eventTypes",
		`{"url":"https://example.com:81/"}`:    "body.url",
		`{"headers":{"Webhook-Id":"x"}}`:       "body.headers.Webhook-Id",
		`{"headers":{"X-Team":"a\r\nX-B: b"}}`: "body.headers.X-Team",
	} {
		checkProblem(t, a.send(t, "PATCH", endpointPath+"/ep-1", body), 422, location, "")
	}
	want := patched()
	if got := must[httpapi.Endpoint](t)(a.Endpoint(t.Context(), "acme", "ep-1")); got.URL != want.URL || !cmp.Equal(got.EventTypes, want.EventTypes) {
		t.Errorf("something was changed: %+v", got)
	}
}

func TestPatchOfADeletedEndpoint(t *testing.T) {
	a := start(t)
	a.create(t, "acme", patched())
	if err := a.DeleteEndpoint(t.Context(), "acme", "ep-1"); err != nil {
		t.Fatal(err)
	}
	_, err := a.patch(t, httpapi.EndpointPatch{"description": "x"})
	wantIs(t, err, webhook.ErrNotFound)
	wantIs(t, a.DeleteEndpoint(t.Context(), "acme", "ep-1"), webhook.ErrNotFound)
	_, _, err = a.CreateEndpoint(t.Context(), "acme", patched())
	wantIs(t, err, webhook.ErrConflict)
	if errors.Is(err, webhook.ErrNotFound) {
		t.Error("a conflict passes for a missing endpoint")
	}
}
