package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const adminKey = "admin-key-of-at-least-32-characters"

// api is a running API, its client, and the service behind both.
type api struct {
	*httpapi.Client
	service *fakeService
	url     string
	http    *http.Client
	log     *strings.Builder
}

// start serves the API on loopback. Keys other than the admin's are the names of
// the brands that they see.
func start(t *testing.T, change ...func(*httpapi.Config)) api {
	t.Helper()
	service, log := newFake(), &strings.Builder{}
	c := httpapi.Config{
		Service: service, Identify: identify,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	handler, err := httpapi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, err := httpapi.NewClient(server.URL, adminKey, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return api{Client: client, service: service, url: server.URL, http: server.Client(), log: log}
}

// identify knows the admin, and a key "brand-B" for each brand B.
func identify(r *http.Request) (webhook.Identity, error) {
	return httpapi.NewAuthenticator(func(_ context.Context, key string) (webhook.Identity, error) {
		if key == adminKey {
			return webhook.Identity{}, nil
		}
		if brand, ok := strings.CutPrefix(key, "brand-"); ok {
			return webhook.Identity{Brand: brand}, nil
		}
		return webhook.Identity{}, webhook.ErrUnauthorized
	}).Identify(r)
}

// answer is what came back of a raw request.
type answer struct {
	status int
	header http.Header
	body   string
}

// send makes a raw request as the admin; headers may change that.
func (a api) send(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := a.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}
