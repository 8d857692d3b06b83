package dispatcher_test

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// The matrix: what one brand's key can do to another brand on every route of the
// OpenAPI document, so that a new route cannot be forgotten. Nothing; and each
// request that is denied is one that its owner makes successfully.

const matrixAdmin = "the-admin-key-of-the-matrix-0123456789"

// operation is one of the document.
type operation struct {
	method, path string
	parameters   map[string]bool // of the query
	body         string          // its example
}

// matrixAPI is the whole program but for its listeners, with two brands in it.
type matrixAPI struct {
	*dispatchertest.Dispatcher
	url string
	// keys by brand, and the admin's under "".
	keys map[string]string
	// key is the id of one that may be revoked; jobs are ids of one of each brand.
	key  string
	jobs map[string]string
	// hooks are receivers of a brand's own, answers of which are 200, but 410 on /gone.
	hook string
}

type matrixAnswer struct {
	status int
	body   string
}

func startMatrix(t *testing.T) *matrixAPI {
	t.Helper()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.AdminKeyHash = sha256.Sum256([]byte(matrixAdmin)) })
	handler, err := httpapi.New(httpapi.Config{Service: d.Dispatcher, Identify: httpapi.NewAuthenticator(d.Authenticate).Identify})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusGone)
		}
	}))
	t.Cleanup(hook.Close)
	m := &matrixAPI{Dispatcher: d, url: server.URL, keys: map[string]string{"": matrixAdmin}, jobs: map[string]string{}, hook: hook.URL}
	for _, brand := range []string{"alpha", "beta"} {
		_, text, err := d.CreateKey(t.Context(), webhook.APIKey{Brand: brand})
		if err != nil {
			t.Fatal(err)
		}
		m.keys[brand] = text
		m.populate(t, brand)
		j, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobDelete, Brand: brand, EventIDs: []string{"none"}})
		if err != nil {
			t.Fatal(err)
		}
		m.jobs[brand] = awaitJob(t, d, j.ID).ID
	}
	return m
}

// populate gives a brand endpoints, events, attempts and dead letters, whose ids begin with it.
func (m *matrixAPI) populate(t *testing.T, brand string) {
	t.Helper()
	for _, e := range []webhook.Endpoint{
		{ID: brand + "-ok", URL: m.hook + "/ok", Purpose: webhook.PurposeStatus},
		{ID: brand + "-more", URL: m.hook + "/more", Purpose: webhook.PurposeStatus},
		{ID: brand + "-gone", URL: m.hook + "/gone", Purpose: webhook.PurposeInbound},
	} {
		e.Brand = brand
		if _, _, err := m.CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []webhook.Event{{ID: brand + "-event", Type: "message.read"}, {ID: brand + "-other", Type: "message.failed"}} {
		e.Brand, e.Payload = brand, []byte(`{"of":"`+brand+`"}`)
		publish(t, m.Dispatcher, e)
		m.WaitDelivered(t, brand, e.ID)
	}
	for _, id := range []string{brand + "-dead", brand + "-dead-too"} {
		publish(t, m.Dispatcher, webhook.Event{ID: id, Brand: brand, Type: "interaction.sms.reply", Payload: []byte(`{}`)})
		dispatchertest.Eventually(t, func() bool {
			status, err := m.Event(t.Context(), webhook.EventRef{Brand: brand, ID: id})
			return err == nil && len(status.Deliveries) == 1 && !status.Deliveries[0].State.Open()
		})
		if id == brand+"-dead" {
			update(t, m.Dispatcher, webhook.EndpointRef{Brand: brand, ID: brand + "-gone"}, func(e *webhook.Endpoint) { e.DisabledReason = "" })
		}
	}
}

func (m *matrixAPI) send(t *testing.T, as, method, path, body string) matrixAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, m.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+m.keys[as])
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return matrixAnswer{answer.StatusCode, string(text)}
}

// operations reads the document; those that end something come last.
func (m *matrixAPI) operations(t *testing.T) []operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name, In string }
			RequestBody *struct {
				Content map[string]struct{ Example json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal([]byte(m.send(t, "", "GET", "/openapi.json", "").body), &document); err != nil {
		t.Fatal(err)
	}
	var found []operation
	for path, item := range document.Paths {
		for method, described := range item {
			op := operation{method: strings.ToUpper(method), path: path, parameters: map[string]bool{}}
			for _, p := range described.Parameters {
				if p.In == "query" {
					op.parameters[p.Name] = true
				}
			}
			if described.RequestBody != nil {
				op.body = string(described.RequestBody.Content["application/json"].Example)
				if op.body == "" {
					t.Errorf("%s %s: no example of a body", op.method, path)
				}
			}
			found = append(found, op)
		}
	}
	if len(found) < 21 {
		t.Fatalf("%d operations", len(found))
	}
	slices.SortFunc(found, func(a, b operation) int { return strings.Compare(a.order(), b.order()) })
	return found
}

func (op operation) order() string {
	first := "a"
	switch {
	case strings.HasSuffix(op.path, "/erase"):
		first = "c"
	case op.method == http.MethodDelete:
		first = "b"
	}
	return first + op.path + op.method
}

// in names the path of the operation in a brand, and what of another brand it is about.
func (m *matrixAPI) in(t *testing.T, op operation, brand, owner string) string {
	t.Helper()
	id := ""
	switch {
	case strings.Contains(op.path, "/endpoints/{id}"):
		id = owner + "-ok"
	case strings.Contains(op.path, "/events/{id}"):
		id = owner + "-event"
	case strings.Contains(op.path, "/keys/{id}"):
		id = m.key
	case strings.Contains(op.path, "/jobs/{id}"):
		id = m.jobs[owner]
	}
	path := strings.NewReplacer("{brand}", brand, "{id}", id).Replace(op.path)
	if strings.Contains(path, "{") || strings.Contains(path, "//") {
		t.Fatalf("%s: whose id is in it? Teach the matrix", op.path)
	}
	if strings.HasSuffix(op.path, "/request") {
		path += "?endpointId=" + owner + "-ok"
	}
	return path
}

var exampleEndpoint = regexp.MustCompile(`"endpointId":\s*"[^"]*"`)

// asked is the body of a request: the example, its addresses on this machine, and an endpoint in it beta's.
func (m *matrixAPI) asked(op operation) string {
	body := strings.ReplaceAll(op.body, "https://example.com", m.hook)
	return exampleEndpoint.ReplaceAllString(body, `"endpointId":"beta-ok"`)
}
