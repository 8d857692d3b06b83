package monitor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.smobi.com/outhook/queue/monitor"
)

func TestEveryRequestNeedsAnAdminKey(t *testing.T) {
	s := serve(t, monitor.Config{Redis: connect(t)})
	for name, test := range map[string]struct {
		auth func(*http.Request)
		want int
	}{
		"bearer":            {header("Authorization", "Bearer "+s.key), 200},
		"bearer, any case":  {header("Authorization", "bearer "+s.key), 200},
		"basic":             {basic("", s.key), 200},
		"basic, any user":   {basic("alice", s.key), 200},
		"nothing":           {func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"empty bearer":      {header("Authorization", "Bearer "), 401},
		"wrong bearer":      {header("Authorization", "Bearer "+s.key+"x"), 401},
		"empty basic":       {basic("", ""), 401},
		"key as user":       {basic(s.key, ""), 401},
		"wrong basic":       {basic("admin", "admin"), 401},
		"key, no scheme":    {header("Authorization", s.key), 401},
		"key, other scheme": {header("Authorization", "Digest "+s.key), 401},
		"key in the query":  {func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "key=" + s.key }, 401},
	} {
		for _, path := range []string{"/asynqmon/", "/asynqmon/api/queues", "/asynqmon/api/metrics", "/asynqmon/favicon.ico"} {
			want := test.want
			if want == 200 && path == "/asynqmon/api/metrics" {
				want = 404
			}
			if got, _ := s.do("GET", path, test.auth); got != want {
				t.Errorf("%s, %s: %d", name, path, got)
			}
		}
	}
	if got, _ := s.do("POST", "/asynqmon/api/queues/live-0:pause", basic("", "x")); got != 401 {
		t.Errorf("pause without a key: %d", got)
	}
}

// An open callback must not turn "no key" into a key.
func TestEmptyKeyIsNeverAsked(t *testing.T) {
	h, err := monitor.New(monitor.Config{Redis: connect(t), AdminKey: anyone, StillAdmin: func(context.Context, string) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, auth := range []string{"", "Bearer", "Bearer  ", "Basic Og=="} {
		req := httptest.NewRequest("GET", "/asynqmon/", nil)
		req.Header.Set("Authorization", auth)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != 401 {
			t.Errorf("%q: %d", auth, rec.Code)
		}
	}
}

func TestStateChangesComeFromThePagesOnly(t *testing.T) {
	rdb := connect(t)
	run := oneTask(t, rdb)
	s := serve(t, monitor.Config{Redis: rdb})
	paused := func() bool { return rdb.Exists(t.Context(), "asynq:{live-0}:paused").Val() == 1 }

	for name, forged := range map[string]func(*http.Request){
		"another site":      header("Sec-Fetch-Site", "cross-site"),
		"another subdomain": header("Sec-Fetch-Site", "same-site"),
		"another origin":    header("Origin", "https://example.com"),
		"no origin":         header("Origin", "null"),
	} {
		if status, _ := s.do("POST", "/asynqmon/api/queues/live-0:pause", basic("", s.key), forged); status != 403 || paused() {
			t.Errorf("%s: %d, paused %t", name, status, paused())
		}
	}
	if status, _ := s.do("POST", "/asynqmon/api/queues/live-0:pause", basic("", s.key), header("Sec-Fetch-Site", "same-origin")); status != 204 || !paused() {
		t.Errorf("the page's own: %d, paused %t", status, paused())
	}
	if status, _ := s.do("POST", "/asynqmon/api/queues/live-0:resume"); status != 204 || paused() {
		t.Errorf("a tool's: %d, paused %t", status, paused())
	}
	if status, _ := s.do("DELETE", "/asynqmon/api/queues/live-0/pending_tasks/"+run.ID()); status != 204 {
		t.Errorf("delete a task: %d", status)
	}
	if n := rdb.LLen(t.Context(), "asynq:{live-0}:pending").Val(); n != 0 {
		t.Errorf("%d tasks left", n)
	}
}

func TestReadOnly(t *testing.T) {
	rdb := connect(t)
	run := oneTask(t, rdb)
	s := serve(t, monitor.Config{Redis: rdb, ReadOnly: true, RootPath: "/ops/asynq/"})
	for _, req := range [][2]string{
		{"POST", "/ops/asynq/api/queues/live-0:pause"}, {"DELETE", "/ops/asynq/api/queues/live-0"},
		{"DELETE", "/ops/asynq/api/queues/live-0/pending_tasks/" + run.ID()},
	} {
		if status, _ := s.do(req[0], req[1]); status != 405 {
			t.Errorf("%s %s: %d", req[0], req[1], status)
		}
	}
	status, body := s.do("GET", "/ops/asynq/api/queues/live-0/pending_tasks")
	if status != 200 || !strings.Contains(body, run.ID()) {
		t.Errorf("list: %d, %s", status, body)
	}
	if _, body := s.do("GET", "/ops/asynq/"); !strings.Contains(body, `window.FLAG_READ_ONLY="true"`) {
		t.Error("the pages do not know that they are read-only")
	}
}
