package dispatcher_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// A host serves the console below a path of its own, behind its own identity: here the brand stands in a header.
func TestConsoleOfAHost(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.ConsoleFrameAncestors = []string{"self"} })
	_, _, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "hook", Brand: "acme", URL: "https://example.com", Purpose: webhook.PurposeStatus})
	if err != nil {
		t.Fatal(err)
	}
	host := http.NewServeMux()
	host.Handle("/app/", http.StripPrefix("/app", d.Handler(func(r *http.Request) (string, bool) {
		brand := r.Header.Get("X-Brand")
		return brand, brand != ""
	})))
	ask := func(path, brand string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("X-Brand", brand)
		answer := httptest.NewRecorder()
		host.ServeHTTP(answer, r)
		return answer.Result()
	}
	for path, want := range map[string]int{
		"/app/console/brands/acme/": 200, "/app/console/brands/acme/endpoints/hook": 200, "/app/console/brands/globex/": 404, "/app/console/jobs": 404,
		"/app/console/login": 404, "/app/console/enter": 404, "/app/console/": 303, "/app/console": 303, "/app/v1/brands/acme/endpoints": 200,
	} {
		if got := ask(path, "acme").StatusCode; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if to := ask("/app/console/", "acme").Header.Get("Location"); to != "/app/console/brands/acme/" {
		t.Errorf("led to %q", to)
	}
	page := ask("/app/console/brands/acme/", "acme")
	body, _ := io.ReadAll(page.Body)
	for _, want := range []string{`href="/app/console/brands/acme/endpoints/hook"`, `src="/app/console/static/htmx`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(string(body), "Sign out") || !strings.HasSuffix(page.Header.Get("Content-Security-Policy"), "frame-ancestors 'self'") {
		t.Errorf("of a host: %v\n%s", page.Header, body)
	}
	stranger := ask("/app/console/brands/acme/", "")
	body, _ = io.ReadAll(stranger.Body)
	if stranger.StatusCode != 401 || strings.Contains(string(body), "password") {
		t.Errorf("a stranger: %d\n%s", stranger.StatusCode, body)
	}
}

func TestConsoleFrameAncestorsAreChecked(t *testing.T) {
	c := dispatchertest.Config()
	c.Redis = dispatchertest.Embedded(t)
	c.ConsoleFrameAncestors = []string{"https://a.example.com; script-src *"}
	if _, err := dispatcher.New(c); err == nil || !strings.Contains(err.Error(), "ConsoleFrameAncestors") {
		t.Errorf("%v", err)
	}
}
