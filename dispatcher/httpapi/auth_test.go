package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// document is what the tests read of /openapi.json.
type document struct {
	OpenAPI    string                                   `json:"openapi"`
	Paths      map[string]map[string]map[string]any     `json:"paths"`
	Components struct{ Schemas map[string]interface{} } `json:"components"`
}

func (a api) document(t *testing.T) document {
	t.Helper()
	got := a.send(t, "GET", "/openapi.json", "", "Authorization", "")
	var d document
	if err := json.Unmarshal([]byte(got.body), &d); err != nil || got.status != http.StatusOK {
		t.Fatalf("%d %v", got.status, err)
	}
	return d
}

// operations calls visit for every documented operation, with its path for a brand.
func (a api) operations(t *testing.T, brand string, visit func(method, path string)) {
	t.Helper()
	seen := 0
	for path, item := range a.document(t).Paths {
		for method := range item {
			visit(strings.ToUpper(method), strings.NewReplacer("{brand}", brand, "{id}", "some-id").Replace(path))
			seen++
		}
	}
	if seen < 7 {
		t.Errorf("only %d operations are documented", seen)
	}
}

func TestEveryOperationWantsAKey(t *testing.T) {
	a := start(t)
	a.operations(t, "acme", func(method, path string) {
		for _, value := range []string{"", "Bearer", "Bearer wrong", "Basic " + adminKey, adminKey, "Bearer  " + adminKey} {
			got := a.send(t, method, path, "{}", "Authorization", value)
			if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s with %q: %d", method, path, value, got.status)
			}
		}
	})
	if got := a.send(t, "GET", "/v1/nothing", "", "Authorization", ""); got.status != http.StatusUnauthorized {
		t.Errorf("an unknown path without a key: %d", got.status)
	}
	if a.service.calls != 0 {
		t.Errorf("the service was called %d times", a.service.calls)
	}
}

func TestAnotherBrandIsLikeAMissingID(t *testing.T) {
	a := start(t)
	missing := a.send(t, "GET", "/v1/brands/acme/events/missing", "", "Authorization", "Bearer brand-acme")
	if missing.status != http.StatusNotFound {
		t.Fatalf("%d %s", missing.status, missing.body)
	}
	missing.header.Del("Date")
	calls := a.service.calls
	a.operations(t, "other", func(method, path string) {
		for _, query := range []string{"", "?limit=x&unknown=1"} {
			got := a.send(t, method, path+query, "no JSON", "Authorization", "Bearer brand-acme")
			got.header.Del("Date")
			if diff := cmp.Diff(missing, got, cmp.AllowUnexported(answer{})); diff != "" {
				t.Errorf("%s %s: %s", method, path, diff)
			}
		}
	})
	for _, path := range []string{"/v1/brands/acme/endpoints/a%2Fb", "/v1/brands/a.c/events/x", "/v1/brands/acme/events/a.b", "/v1/brands/acme/nothing", "/nothing"} {
		got := a.send(t, "GET", path, "", "Authorization", "Bearer brand-acme")
		if got.status != http.StatusNotFound || got.body != missing.body {
			t.Errorf("%s: %d %s", path, got.status, got.body)
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
	got := a.send(t, "PUT", endpointPath, "{}")
	checkProblem(t, got, http.StatusMethodNotAllowed, "", "")
	if allow := got.header.Get("Allow"); allow != "GET, POST" {
		t.Errorf("Allow is %q", allow)
	}
}

func TestBearerKey(t *testing.T) {
	for _, c := range []struct {
		name, key string
		headers   []string
		want      bool
	}{
		{"right", adminKey, []string{"Bearer " + adminKey}, true},
		{"scheme in another case", adminKey, []string{"bEARER " + adminKey}, true},
		{"twice", adminKey, []string{"Bearer " + adminKey, "Bearer " + adminKey}, false},
		{"wrong one beside", adminKey, []string{"Bearer " + adminKey, "Bearer x"}, false},
		{"beginning", adminKey, []string{"Bearer " + adminKey[:10]}, false},
		{"longer", adminKey, []string{"Bearer " + adminKey + "x"}, false},
		{"space after", adminKey, []string{"Bearer " + adminKey + " "}, false},
		{"none", adminKey, nil, false},
		{"no key set", "", []string{"Bearer "}, false},
		{"no key set, no scheme", "", []string{""}, false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = c.headers
		if who, ok := httpapi.BearerKey(c.key)(r); ok != c.want || who.Brand != "" {
			t.Errorf("%s: %+v %v, want %v", c.name, who, ok, c.want)
		}
	}
}

func TestOpenAPIDocument(t *testing.T) {
	a := start(t)
	d := a.document(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("version %q", d.OpenAPI)
	}
	if _, ok := d.Components.Schemas["ErrorModel"]; ok {
		t.Error("the schema of another kind of error is documented")
	}
	for path, item := range d.Paths {
		for method, op := range item {
			if _, ok := op["requestBody"]; ok != (method == "post") {
				t.Errorf("%s %s: body documented is %v", method, path, ok)
			}
		}
	}
	text, _ := json.Marshal(d)
	for name := range d.Components.Schemas {
		if !bytes.Contains(text, []byte(`"#/components/schemas/`+name+`"`)) {
			t.Errorf("schema %s is not used", name)
		}
	}
}
