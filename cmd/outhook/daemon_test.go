package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// daemonWith is a daemon that does not run, and has no Redis.
func daemonWith(t *testing.T, is role, env ...string) *daemon {
	t.Helper()
	c, err := config.Load(config.Sources{Env: append([]string{"OUTHOOK_REDIS_URL=redis://127.0.0.1:1",
		"OUTHOOK_AUTH_ADMIN_KEY=" + testKey, "OUTHOOK_SECRETS_KEYS=" + testSecretKey}, env...)})
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDaemon(c, is, newLogger(io.Discard, c.Log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.rdb.Close() })
	return d
}

// The limits and keys of the configuration are those that a request meets.
func TestSettingsReachTheHandlers(t *testing.T) {
	d := daemonWith(t, roleAPI, "OUTHOOK_LIMITS_PAYLOAD_BYTES=100", "OUTHOOK_LIMITS_REQUEST_BYTES=300", "OUTHOOK_LIMITS_BATCH_EVENTS=2",
		"OUTHOOK_ASYNQMON_READ_ONLY=true", "OUTHOOK_CATALOG_VALIDATION=enforce",
		"OUTHOOK_CATALOG_TYPES=[{name: order.paid, description: paid, schema: {required: [total]}}]")
	const events = "/v1/brands/acme/events"
	event := func(kind, payload string) string { return `{"type":"` + kind + `","payload":` + payload + `}` }
	long := func(n int) string { return `{"a":"` + strings.Repeat("x", n) + `"}` }
	three := strings.Repeat(`{},`, 2) + `{}`
	for name, tc := range map[string]struct {
		handler   http.Handler
		path, key string
		body      string
		status    int
		detail    string
	}{
		"no key":          {d.api.Handler, events, "", "{}", 401, "a valid key is required"},
		"another key":     {d.api.Handler, events, testKey + "x", "{}", 401, "a valid key is required"},
		"request too big": {d.api.Handler, events, testKey, event("message.read", long(300)), 413, "at most 300 bytes"},
		"payload too big": {d.api.Handler, events, testKey, event("message.read", long(100)), 422, "at most 100 bytes"},
		"batch too big":   {d.api.Handler, events + "/batch", testKey, `{"events":[` + three + `]}`, 422, "at most 2 events"},
		"unknown type":    {d.api.Handler, events, testKey, event("order.sent", "{}"), 422, "body.type"},
		"schema":          {d.api.Handler, events, testKey, event("order.paid", "{}"), 422, "body.payload"},
		"no redis":        {d.api.Handler, events, testKey, event("order.paid", `{"total":1}`), 503, "repeating with the same id is safe"},
		"asynqmon":        {d.admin.Handler, "/asynqmon/api/queues/live-0:pause", testKey, "", 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := httptest.NewRequest(http.MethodPost, tc.path, strings.NewReader(tc.body))
			request.Header.Set("Content-Type", "application/json")
			if tc.key != "" {
				request.Header.Set("Authorization", "Bearer "+tc.key)
			}
			answer := httptest.NewRecorder()
			tc.handler.ServeHTTP(answer, request)
			if answer.Code != tc.status || !strings.Contains(answer.Body.String(), tc.detail) {
				t.Errorf("answer %d %s, want %d and %q", answer.Code, answer.Body, tc.status, tc.detail)
			}
		})
	}
}

// Nothing is answered without a key, whatever it is asked about.
func TestTheServerItselfIsBehindTheKeyToo(t *testing.T) {
	d, l := daemonWith(t, roleAPI), newPipes()
	var serving sync.WaitGroup
	serving.Go(func() { _ = d.api.Serve(l) })
	t.Cleanup(func() {
		d.api.Close()
		serving.Wait()
	})
	conn := l.dial()
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n") }()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("%+v, %v", response, err)
	}
}

func TestWhatIsSaidOfAnAdminKey(t *testing.T) {
	for err, want := range map[error]int{
		nil: 200, webhook.ErrUnauthorized: 401, webhook.ErrBusy: 429, webhook.ErrUnavailable: 503, io.EOF: 401,
	} {
		page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
		handler := requireAdmin(page, func(*http.Request, string) (string, error) { return "", err })
		for _, key := range []string{testKey, ""} {
			request, answer := httptest.NewRequest(http.MethodGet, "/asynqmon/", nil), httptest.NewRecorder()
			want := want
			if request.SetBasicAuth("anybody", key); key == "" {
				want = 401
			}
			handler.ServeHTTP(answer, request)
			waits := map[int]string{429: "1", 503: "1"}[want]
			if answer.Code != want || answer.Header().Get("Retry-After") != waits || answer.Body.Len() == 0 && want != 200 {
				t.Errorf("%v: %d %v, want %d", err, answer.Code, answer.Header(), want)
			}
		}
	}
}

func TestRolesHaveTheirListeners(t *testing.T) {
	for is, api := range map[role]bool{roleAll: true, roleAPI: true, roleWorker: false} {
		d := daemonWith(t, is)
		if (d.api != nil) != api || d.admin == nil {
			t.Errorf("role %s: api %t, admin %t", is, d.api != nil, d.admin != nil)
		}
	}
}

func TestAdminKeyAsPassword(t *testing.T) {
	d := daemonWith(t, roleWorker)
	for password, want := range map[string]int{testKey: 200, "": 401, testKey[:32]: 401} {
		request := httptest.NewRequest(http.MethodGet, "/debug/pprof/symbol", nil)
		request.SetBasicAuth("anybody", password)
		answer := httptest.NewRecorder()
		d.admin.Handler.ServeHTTP(answer, request)
		if answer.Code != want {
			t.Errorf("password of %d bytes: %d, want %d", len(password), answer.Code, want)
		}
		if answer.Code == 401 && len(answer.Header().Values("WWW-Authenticate")) != 2 {
			t.Errorf("headers %v", answer.Header())
		}
	}
}
