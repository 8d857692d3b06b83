package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func problemIn(t *testing.T, got answer) httpapi.Problem {
	t.Helper()
	var p httpapi.Problem
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	return p
}

const (
	noKey    = `Bearer realm="outhook"`
	wrongKey = `Bearer realm="outhook", error="invalid_token"`
)

func TestEveryOperationWantsAKey(t *testing.T) {
	a := start(t)
	for _, op := range a.operations(t) {
		for value, challenge := range map[string]string{
			"": noKey, "Bearer": noKey, "Bearer ": noKey, "Basic " + adminKey: noKey, adminKey: noKey,
			"Bearer  " + adminKey: noKey, "Bearer " + adminKey + ", Bearer x": noKey, "Bearer wrong": wrongKey,
		} {
			got := a.send(t, op.method, op.pathFor("acme"), "{}", "Authorization", value)
			if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != challenge {
				t.Errorf("%s with %q: %d %v", op.id, value, got.status, got.header)
			}
		}
		for _, name := range []string{"key", "access_token", "token"} {
			path, _, _ := strings.Cut(op.pathFor("acme"), "?")
			got := a.send(t, op.method, path+"?"+name+"="+adminKey, "{}", "Authorization", "")
			if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != noKey {
				t.Errorf("%s with a key in the query: %d %v", op.id, got.status, got.header)
			}
		}
	}
	if got := a.send(t, "GET", "/v1/nothing", "", "Authorization", ""); got.status != http.StatusUnauthorized {
		t.Errorf("an unknown path without a key: %d", got.status)
	}
	if a.service.calls != 0 {
		t.Errorf("the service was called %d times", a.service.calls)
	}
}

// TestWhatABrandMayNotSeeIsLikeAMissingID tries every operation, and methods
// that there are not, on what belongs to another brand or to admins.
func TestWhatABrandMayNotSeeIsLikeAMissingID(t *testing.T) {
	a := start(t)
	asked := func(method, path string) answer {
		got := a.send(t, method, path, "no JSON", "Authorization", "Bearer brand-acme")
		got.header.Del("Date")
		return got
	}
	missing := asked("GET", "/v1/brands/acme/events/missing")
	if missing.status != http.StatusNotFound {
		t.Fatalf("%d %s", missing.status, missing.body)
	}
	calls := a.service.calls
	for _, op := range a.operations(t) {
		if op.id == "listEventTypes" || strings.HasPrefix(op.path, "/v1/jobs") {
			continue // is for everybody; whose job it is, TestAnothersJobIsLikeAMissingOne
		}
		for _, method := range []string{op.method, "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			for _, query := range []string{"", "limit=x&unknown=1"} {
				path, _, _ := strings.Cut(op.pathFor("other"), "?")
				if diff := cmp.Diff(missing, asked(method, path+"?"+query), cmp.AllowUnexported(answer{})); diff != "" {
					t.Errorf("%s %s: %s", method, op.id, diff)
				}
			}
		}
	}
	for _, path := range []string{"/v1/brands/acme/endpoints/a%2Fb", "/v1/brands/a.c/events/x", "/v1/brands/acme/events/a.b", "/v1/brands/acme/nothing", "/v1/brands/%61cme%2F/endpoints", "/nothing"} {
		if diff := cmp.Diff(missing, asked("GET", path), cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if a.service.calls != calls {
		t.Error("the service was asked")
	}
}

func TestABrandSeesItself(t *testing.T) {
	a := start(t)
	got := a.send(t, "POST", publishPath, `{"type":"message.read","payload":{}}`, "Authorization", "Bearer brand-acme")
	if got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", got.header)
	}
}

func TestOtherMethodsAreNamed(t *testing.T) {
	a := start(t)
	for _, c := range []struct{ key, path, allow string }{
		{adminKey, endpointPath, "GET, POST"},
		{"brand-acme", endpointPath, "GET, POST"},
		{"brand-acme", "/v1/brands/%61cme/endpoints", "GET, POST"},
		{adminKey, "/v1/keys", "GET, POST"},
		{adminKey, "/v1/keys/key_1", "DELETE"},
		{"brand-acme", "/v1/event-types", "GET"},
		{"brand-acme", "/docs", "GET"},
	} {
		got := a.send(t, "PUT", c.path, "{}", "Authorization", "Bearer "+c.key)
		checkProblem(t, got, http.StatusMethodNotAllowed, "", "")
		if allow := got.header.Get("Allow"); allow != c.allow {
			t.Errorf("%s: Allow is %q", c.path, allow)
		}
	}
}

func TestErrorsOfIdentify(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		wait   string
		is     error
	}{
		{webhook.ErrUnauthorized, 401, "", webhook.ErrUnauthorized},
		{http.ErrNoCookie, 401, "", webhook.ErrUnauthorized},
		{webhook.ErrBusy, 429, "1", webhook.ErrBusy},
		{webhook.ErrUnavailable, 503, "1", webhook.ErrUnavailable},
	} {
		a := start(t, func(config *httpapi.Config) {
			config.Identify = func(*http.Request) (webhook.Identity, error) { return webhook.Identity{}, c.err }
		})
		for _, path := range []string{keysPath, endpointPath, "/v1/nothing"} {
			got := a.send(t, "GET", path, "")
			checkProblem(t, got, c.status, "", "")
			if got.header.Get("Retry-After") != c.wait || (got.header.Get("WWW-Authenticate") != "") != (c.status == 401) {
				t.Errorf("%v: %v", c.err, got.header)
			}
		}
		_, err := a.Keys(t.Context(), httpapi.Page{})
		wantIs(t, err, c.is)
		if strings.Contains(a.log.String()+err.Error(), adminKey) {
			t.Errorf("the key is told: %s %v", a.log, err)
		}
	}
}
