package monitor_test

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/queue/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T) *redis.Client {
	t.Helper()
	s, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	t.Cleanup(func() { c.Close() })
	return c
}

// site is a monitor on a listener, and the key that opens it.
type site struct {
	t       *testing.T
	handler *monitor.Handler
	server  *httptest.Server
	key     string
}

func serve(t *testing.T, cfg monitor.Config) *site {
	t.Helper()
	key := rand.Text()
	cfg.AdminKey = func(_ *http.Request, candidate string) (string, error) {
		if subtle.ConstantTimeCompare([]byte(candidate), []byte(key)) != 1 {
			return "", webhook.ErrUnauthorized
		}
		return "key_1", nil
	}
	if cfg.StillAdmin == nil {
		cfg.StillAdmin = func(context.Context, string) error { return nil }
	}
	h, err := monitor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(h.RootPath()+"/", h)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &site{t: t, handler: h, server: server, key: key}
}

// do sends a request with the key and answers status and body.
func (s *site) do(method, path string, edit ...func(*http.Request)) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	for _, e := range edit {
		e(req)
	}
	res, err := s.server.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode == http.StatusUnauthorized && len(res.Header.Values("WWW-Authenticate")) != 2 {
		s.t.Errorf("challenges: %q", res.Header.Values("WWW-Authenticate"))
	}
	return res.StatusCode, string(body)
}

func anyone(*http.Request, string) (string, error) { return "", nil }

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func basic(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// oneTask enqueues a delivery and answers its run.
func oneTask(t *testing.T, rdb redis.UniversalClient) webhook.Run {
	t.Helper()
	q, err := queue.Open(queue.Config{Redis: rdb})
	if err != nil {
		t.Fatal(err)
	}
	run := webhook.Run{DeliveryRef: webhook.DeliveryRef{Brand: "acme", EventID: "evt_1", EndpointID: "ep_1"}, Number: 3, Queue: "live-0"}
	if err := q.Enqueue(t.Context(), []webhook.Run{run}); err != nil {
		t.Fatal(err)
	}
	return run
}

func TestNewNamesTheField(t *testing.T) {
	rdb := connect(t)
	ever := func(context.Context, string) error { return nil }
	for field, cfgs := range map[string][]monitor.Config{
		"asynqmon.redis":      {{AdminKey: anyone, StillAdmin: ever}},
		"asynqmon.adminKey":   {{Redis: rdb, StillAdmin: ever}},
		"asynqmon.stillAdmin": {{Redis: rdb, AdminKey: anyone}},
		"asynqmon.sessionKey": {{Redis: rdb, AdminKey: anyone, StillAdmin: ever, SessionKey: make([]byte, 31)}},
		"asynqmon.rootPath": {
			{Redis: rdb, AdminKey: anyone, StillAdmin: ever, RootPath: "/"}, {Redis: rdb, AdminKey: anyone, StillAdmin: ever, RootPath: "asynqmon"},
			{Redis: rdb, AdminKey: anyone, StillAdmin: ever, RootPath: "/a/../b"}, {Redis: rdb, AdminKey: anyone, StillAdmin: ever, RootPath: "/{x}"},
			{Redis: rdb, AdminKey: anyone, StillAdmin: ever, RootPath: "/a;b"},
		},
	} {
		for _, cfg := range cfgs {
			_, err := monitor.New(cfg)
			invalid, ok := errors.AsType[*webhook.FieldError](err)
			if !ok || invalid.Field != field {
				t.Errorf("%s, root path %q: %v", field, cfg.RootPath, err)
			}
		}
	}
}

func TestPages(t *testing.T) {
	for name, rdb := range map[string]redis.UniversalClient{"embedded": connect(t), "redis": redistest.Start(t).Client(t)} {
		t.Run(name, func(t *testing.T) {
			run := oneTask(t, rdb)
			s := serve(t, monitor.Config{Redis: rdb})
			for path, want := range map[string]string{
				"/asynqmon":                                   "",
				"/asynqmon/":                                  `window.FLAG_ROOT_PATH="\/asynqmon"`,
				"/asynqmon/queues/live-0":                     "<div id=\"root\">",
				"/asynqmon/api/queues":                        `"queue":"live-0"`,
				"/asynqmon/api/queues/live-0":                 `"pending":1`,
				"/asynqmon/api/queues/live-0/pending_tasks":   run.ID(),
				"/asynqmon/api/queues/live-0/active_tasks":    `"tasks":[]`,
				"/asynqmon/api/queues/live-0/scheduled_tasks": `"tasks":[]`,
				"/asynqmon/api/queues/live-0/retry_tasks":     `"tasks":[]`,
				"/asynqmon/api/queues/live-0/archived_tasks":  `"tasks":[]`,
				"/asynqmon/api/queues/live-0/completed_tasks": `"tasks":[]`,
				"/asynqmon/api/queue_stats":                   "live-0",
				"/asynqmon/api/servers":                       `"servers":[]`,
				"/asynqmon/api/scheduler_entries":             `"entries":[]`,
				"/asynqmon/api/redis_info":                    fmt.Sprintf(`"cluster":%t`, isCluster(rdb)),
			} {
				status, body := s.do("GET", path)
				if status != 200 || !strings.Contains(body, want) {
					t.Errorf("%s: %d, no %q in %.300s", path, status, want, body)
				}
			}
			_, index := s.do("GET", "/asynqmon/")
			for _, part := range strings.Split(index, `src="`)[1:] {
				script, _, _ := strings.Cut(part, `"`)
				if status, body := s.do("GET", script); status != 200 || strings.HasPrefix(body, "<!doctype") {
					t.Errorf("script %s: %d", script, status)
				}
			}
		})
	}
}

const shownWhole = `brand     acme
event     evt_1
endpoint  ep_1
run       3
explain   outhook event explain --brand acme \
            evt_1
          GET /v1/brands/acme/events/evt_1/deliveries`

func TestTasksShowIDsOnly(t *testing.T) {
	rdb := connect(t)
	run := oneTask(t, rdb)
	client := asynq.NewClientFromRedisClient(rdb)
	const secret = "15552223333"
	if _, err := client.Enqueue(asynq.NewTask("other", []byte(secret)), asynq.Queue("live-0"), asynq.TaskID("other")); err != nil {
		t.Fatal(err)
	}
	s := serve(t, monitor.Config{Redis: rdb})

	_, body := s.do("GET", "/asynqmon/api/queues/live-0/tasks/"+run.ID())
	var task struct{ Payload, Type string }
	if err := json.Unmarshal([]byte(body), &task); err != nil {
		t.Fatal(err)
	}
	if task.Type != "delivery" || task.Payload != shownWhole {
		t.Errorf("shown as %+v", task)
	}
	// A finished task with a result, as some other program might leave it.
	pipe := rdb.Pipeline()
	pipe.LRem(t.Context(), "asynq:{live-0}:pending", 1, "other")
	pipe.ZAdd(t.Context(), "asynq:{live-0}:completed", redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: "other"})
	pipe.HSet(t.Context(), "asynq:{live-0}:t:other", "state", "completed", "result", secret)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/asynqmon/api/queues/live-0/completed_tasks", "/asynqmon/api/queues/live-0/tasks/other"} {
		status, body := s.do("GET", path)
		if status != 200 || !strings.Contains(body, "unreadable, 11 bytes") || strings.Contains(body, secret) {
			t.Errorf("%s: %d, %s", path, status, body)
		}
	}
}

func TestCloseLeavesTheHostsClient(t *testing.T) {
	rdb := connect(t)
	s := serve(t, monitor.Config{Redis: rdb})
	s.do("GET", "/asynqmon/api/queues")
	if err := s.handler.Close(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the host's client after Close: %v", err)
	}
}

func isCluster(rdb redis.UniversalClient) bool {
	_, cluster := rdb.(*redis.ClusterClient)
	return cluster
}
