package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestEraseBrand(t *testing.T) {
	a := start(t)
	got := must[httpapi.Job](t)(a.EraseBrand(t.Context(), "acme"))
	want := httpapi.Job{ID: got.ID, Kind: "brandErase", Brand: "acme", State: "running", StartedAt: milliseconds(epoch)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(begun{Kind: webhook.JobErase, Brand: "acme"}, a.service.lastAsked()); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{"", "{}"} {
		if got := a.send(t, "POST", erasePath, body); got.status != http.StatusAccepted {
			t.Errorf("%q: %d %s", body, got.status, got.body)
		}
	}
}

// To a brand's key there is no erase, of its own brand neither.
func TestNoBrandErases(t *testing.T) {
	a := start(t)
	asked := func(method, path string) answer {
		got := a.send(t, method, path, "", "Authorization", "Bearer brand-acme")
		got.header.Del("Date")
		return got
	}
	missing := asked("POST", "/v1/brands/acme/nothing")
	if missing.status != http.StatusNotFound {
		t.Fatalf("%d %s", missing.status, missing.body)
	}
	for _, path := range []string{erasePath, "/v1/brands/other/erase", "/v1/brands/%61cme/erase"} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			if diff := cmp.Diff(missing, asked(method, path), cmp.AllowUnexported(answer{})); diff != "" {
				t.Errorf("%s %s: %s", method, path, diff)
			}
		}
	}
	_, err := a.as(t, "acme").EraseBrand(t.Context(), "acme")
	if wantIs(t, err, webhook.ErrNotFound); a.service.calls != 0 {
		t.Error("the service was asked")
	}
}

func TestBrandHealth(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{URL: "https://example.com/", Purpose: "status"})
	a.service.brandHealth = webhook.BrandHealth{
		Disabled: 2, Failing: 3, InFlight: 4, Waiting: 5, Retrying: 6, OldestWaitingAt: epoch,
		LastHour: webhook.Traffic{Attempts: 7, Delivered: 8, Mean: 9900 * time.Microsecond, Max: 10 * time.Second, Busy: 0.25},
	}
	want := httpapi.BrandHealth{
		Endpoints: 1, Disabled: 2, Failing: 3, InFlight: 4, Waiting: 5, Retrying: 6, OldestWaitingAt: milliseconds(epoch),
		LastHour: httpapi.Traffic{Attempts: 7, Delivered: 8, MeanMs: 9, MaxMs: 10_000, Busy: 0.25},
	}
	for name, c := range map[string]*httpapi.Client{"admin": a.Client, "owner": a.as(t, "acme")} {
		if diff := cmp.Diff(want, must[httpapi.BrandHealth](t)(c.BrandHealth(t.Context(), "acme"))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	a.service.brandHealth = webhook.BrandHealth{}
	got := a.send(t, "GET", "/v1/brands/none/health", "")
	const nothing = `{"endpoints":0,"disabled":0,"failing":0,"inFlight":0,"waiting":0,"retrying":0,` +
		`"lastHour":{"attempts":0,"delivered":0,"meanMs":0,"maxMs":0,"busy":0}}` + "\n"
	if got.body != nothing || a.service.lastAsked() != "none" {
		t.Errorf("a brand without endpoints: %d %s", got.status, got.body)
	}
}

func TestEndpointsTellWhatDisabledThem(t *testing.T) {
	a := start(t)
	a.create(t, "acme", patched())
	a.service.disable("ep-1", webhook.DisabledFailing)
	read := must[httpapi.Endpoint](t)(a.Endpoint(t.Context(), "acme", "ep-1"))
	if read.DisabledReason != "failing" || read.DisabledAt != milliseconds(epoch) || read.DisabledAnswer != "timeout" {
		t.Errorf("reason %q, at %s, answer %q", read.DisabledReason, read.DisabledAt, read.DisabledAnswer)
	}
	for name, change := range map[string]func() (httpapi.Endpoint, error){
		"patch":  func() (httpapi.Endpoint, error) { return a.patch(t, httpapi.EndpointPatch{"disabled": false}) },
		"action": func() (httpapi.Endpoint, error) { return a.EnableEndpoint(t.Context(), "acme", "ep-1") },
	} {
		a.service.disable("ep-1", webhook.DisabledFailing)
		must[httpapi.Endpoint](t)(change())
		stored := a.service.endpoints[webhook.EndpointRef{Brand: "acme", ID: "ep-1"}].stored
		if !stored.DisabledAt.IsZero() || stored.DisabledAnswer != "" {
			t.Errorf("%s: stored at %s, answer %q", name, stored.DisabledAt, stored.DisabledAnswer)
		}
	}
	a.service.disable("ep-1", "")
	if got := a.send(t, "GET", endpointPath+"/ep-1", ""); got.status != 200 || strings.Contains(got.body, "disabledA") {
		t.Errorf("an enabled one: %s", got.body)
	}
}
