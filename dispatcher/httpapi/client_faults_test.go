package httpapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestClientRefusesWhatCannotBeAsked(t *testing.T) {
	a := start(t)
	_, err := a.Event(t.Context(), "..", "evt-1")
	wantIs(t, err, webhook.ErrInvalid)
	_, err = a.Event(t.Context(), "acme", "a/b")
	wantIs(t, err, webhook.ErrInvalid)
	_, err = a.Endpoint(t.Context(), "acme", "")
	wantIs(t, err, webhook.ErrInvalid)
	_, err = a.Publish(t.Context(), "acme", status(`{},"id":"smuggled","x":{}`))
	wantIs(t, err, webhook.ErrInvalid)
	_, err = a.PublishBatch(t.Context(), "acme", []httpapi.PublishRequest{status(`{}`), status(`{`)})
	if f, ok := errors.AsType[*webhook.FieldError](err); !ok || f.Field != "events[1].payload" {
		t.Errorf("error %v", err)
	}
	if a.service.calls != 0 {
		t.Errorf("the service was called %d times", a.service.calls)
	}
}

func TestNewClientNamesTheField(t *testing.T) {
	for _, c := range []struct{ server, key, field string }{
		{"example.com", "k", "server"}, {"ftp://example.com", "k", "server"}, {"http://", "k", "server"},
		{"http://u:p@example.com", "k", "server"}, {"http://example.com?x=1", "k", "server"}, {"http://exa mple.com", "k", "server"},
		{"http://example.com", "", "key"}, {"http://example.com", "a b", "key"}, {"http://example.com", "a\r\nX: y", "key"},
	} {
		_, err := httpapi.NewClient(c.server, c.key, nil)
		if f, ok := errors.AsType[*webhook.FieldError](err); !ok || f.Field != c.field {
			t.Errorf("%q %q: error %v, want field %s", c.server, c.key, err, c.field)
		}
	}
}

// against returns a client of a server that is not ours.
func against(t *testing.T, h http.HandlerFunc) *httpapi.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return must[*httpapi.Client](t)(httpapi.NewClient(server.URL, "key", server.Client()))
}

func TestClientMakesProblemsOfStrangeAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{http.StatusBadGateway, `{"status":404,"title":"Not Found"}`, webhook.ErrUnavailable},
		{http.StatusBadGateway, "<html>", webhook.ErrUnavailable},
		{http.StatusServiceUnavailable, "", webhook.ErrUnavailable},
		{http.StatusTooManyRequests, "slow down", webhook.ErrBusy},
		{http.StatusNotFound, "404 page not found", webhook.ErrNotFound},
		{http.StatusRequestEntityTooLarge, "{", webhook.ErrInvalid},
		{http.StatusConflict, `{"status":1}`, webhook.ErrConflict},
	} {
		client := against(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			if strings.HasPrefix(c.body, "{") {
				w.Header().Set("Content-Type", "application/problem+json")
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		_, err := client.Event(t.Context(), "acme", "evt-1")
		wantIs(t, err, c.want)
		p, ok := errors.AsType[*httpapi.Problem](err)
		if !ok || p.Status != c.status || p.RetryAfter != 7*time.Second || p.Error() == "" {
			t.Errorf("%d: problem %+v", c.status, p)
		}
	}
}

func TestClientReadsNoEndlessAnswer(t *testing.T) {
	chunk := make([]byte, 1<<20)
	client := against(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := client.Event(t.Context(), "acme", "evt-1"); err == nil {
		t.Error("an endless answer was taken")
	}
}

func TestClientFollowsNoRedirectByItself(t *testing.T) {
	visited := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if visited = visited || r.URL.Path == "/elsewhere"; !visited {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(server.Close)
	client := must[*httpapi.Client](t)(httpapi.NewClient(server.URL, "key", nil))
	_, err := client.Event(t.Context(), "acme", "evt-1")
	if p, ok := errors.AsType[*httpapi.Problem](err); !ok || p.Status != http.StatusTemporaryRedirect || visited {
		t.Errorf("error %v, visited=%v", err, visited)
	}
}

func TestClientOfAServerThatIsAway(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	client := must[*httpapi.Client](t)(httpapi.NewClient(server.URL, "key", server.Client()))
	server.Close()
	_, err := client.Publish(t.Context(), "acme", status(`{}`))
	wantIs(t, err, webhook.ErrUnavailable)
}

func TestClientBehindAPrefix(t *testing.T) {
	handler, err := httpapi.New(httpapi.Config{Service: newFake(), Identify: identify})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/", http.StripPrefix("/webhooks", handler))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for _, base := range []string{"/webhooks", "/webhooks/"} {
		client := must[*httpapi.Client](t)(httpapi.NewClient(server.URL+base, adminKey, server.Client()))
		must[httpapi.Receipt](t)(client.Publish(t.Context(), "acme", status(`{}`)))
	}
}
