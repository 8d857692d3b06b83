package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Whoever is nobody, or of another brand, gets the same answer on every route there is, and nothing is asked for them: the
// service has no methods.
func TestEveryRouteIsForItsBrandAlone(t *testing.T) {
	h, err := New(Config{
		Service: struct{ Service }{}, Rehearsal: struct{ Rehearsal }{},
		Identify: func(r *http.Request) (webhook.Identity, error) {
			brand := r.Header.Get("X-Brand")
			if brand == "" {
				return webhook.Identity{}, webhook.ErrUnauthorized
			}
			return webhook.Identity{Brand: brand}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, brand string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("X-Brand", brand)
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		return answer
	}
	missing := ask(http.MethodGet, "/console/nothing", "acme")
	if missing.Code != http.StatusNotFound {
		t.Fatalf("what is not there: %d", missing.Code)
	}
	fill := strings.NewReplacer("{brand}", "globex", "{id}", "hook", "{event}", "evt_1", "{attempt}", "att_1", "{job}", "job_1", "{$}", "")
	for _, pattern := range h.patterns {
		method, path, ok := strings.Cut(fill.Replace(pattern), " ")
		if !ok || path == "/console/" {
			continue // for everybody who is known
		}
		if got := ask(method, path, ""); got.Code != http.StatusUnauthorized {
			t.Errorf("%s, by nobody: %d", pattern, got.Code)
		}
		got := ask(method, path, "acme")
		if live := strings.HasSuffix(path, "/live"); got.Code != http.StatusNotFound || !live && got.Body.String() != missing.Body.String() {
			t.Errorf("%s, by another brand: %d\n%s", pattern, got.Code, got.Body)
		}
	}
	if len(h.patterns) < 30 {
		t.Errorf("only %d routes", len(h.patterns))
	}
}
