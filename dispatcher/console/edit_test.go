package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// oneEndpoint has an endpoint, which changes a millisecond later each time.
type oneEndpoint struct {
	Service
	is webhook.Endpoint
}

func (*oneEndpoint) EventTypes() []webhook.EventType { return nil }

func (o *oneEndpoint) Endpoint(context.Context, webhook.EndpointRef) (webhook.Endpoint, error) {
	return o.is, nil
}

func (o *oneEndpoint) UpdateEndpoint(_ context.Context, _ webhook.EndpointRef, change func(*webhook.Endpoint) error) (webhook.Endpoint, error) {
	next := o.is
	if err := change(&next); err != nil {
		return o.is, err
	}
	next.UpdatedAt = next.UpdatedAt.Add(time.Millisecond)
	o.is = next
	return next, nil
}

func TestAnOldFormUndoesNothing(t *testing.T) {
	o := &oneEndpoint{is: webhook.Endpoint{ID: "hook", Brand: "acme", URL: "https://example.com/a", Purpose: "status", UpdatedAt: time.Unix(1, 5e6)}}
	h, err := New(Config{Service: o, Identify: func(*http.Request) (webhook.Identity, error) { return webhook.Identity{Brand: "acme"}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, body string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(method, "/console/brands/acme/endpoints/hook/edit", strings.NewReader(body)))
		return answer
	}
	changed := regexp.MustCompile(`name="changed" value="([^"]+)"`)
	shown := changed.FindStringSubmatch(ask(http.MethodGet, "").Body.String())
	if shown == nil {
		t.Fatal("the form does not say what it shows")
	}
	form := func(to string) string {
		return url.Values{"kind": {"status"}, "url": {"https://example.com/" + to}, "changed": {shown[1]}}.Encode()
	}
	if got := ask(http.MethodPost, form("b")); got.Code != http.StatusSeeOther || o.is.URL != "https://example.com/b" {
		t.Errorf("the first: %d, %s", got.Code, o.is.URL)
	}
	if got := ask(http.MethodPost, form("b")); got.Code != http.StatusSeeOther {
		t.Errorf("the same form twice: %d", got.Code)
	}
	got := ask(http.MethodPost, form("a"))
	if got.Code != http.StatusUnprocessableEntity || o.is.URL != "https://example.com/b" || !strings.Contains(got.Body.String(), "was changed since") {
		t.Errorf("the second, of the same age: %d, %s", got.Code, o.is.URL)
	}
	if again := changed.FindStringSubmatch(got.Body.String()); again == nil || again[1] != shown[1] {
		t.Errorf("shown again, it says %q", again)
	}
}
