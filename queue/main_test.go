package queue_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
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
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait more than they work
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// backends are the servers on which everything must work.
var backends = map[string]func(t testing.TB) redis.UniversalClient{
	"embedded": func(t testing.TB) redis.UniversalClient { return embeddedClient(t) },
	"redis":    func(t testing.TB) redis.UniversalClient { return redistest.Start(t).Client(t) },
	"cluster":  func(t testing.TB) redis.UniversalClient { return redistest.StartCluster(t).Client(t) },
}

func onEveryBackend(t *testing.T, test func(t *testing.T, rdb redis.UniversalClient)) {
	t.Helper()
	for name, connect := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, connect(t))
		})
	}
}

func embeddedClient(t testing.TB) *redis.Client {
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

// withoutPrefetch tells whether no queue prefetches.
func withoutPrefetch() bool { return strings.Contains(os.Getenv("OUTHOOK_TEST_WITHOUT"), "prefetch") }

// open returns a queue that logs nothing unless cfg says otherwise. OUTHOOK_TEST_WITHOUT names what all queues are to do without.
func open(t testing.TB, cfg queue.Config) *queue.Queue {
	t.Helper()
	if err := cfg.Switches.UnmarshalText([]byte(os.Getenv("OUTHOOK_TEST_WITHOUT"))); err != nil {
		t.Fatal(err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	q, err := queue.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

type handle = func(context.Context, webhook.Run) error

// only has nothing to do for wake-ups.
func only(h handle) webhook.Handlers {
	return webhook.Handlers{Deliver: h, Wake: func(context.Context, webhook.EndpointRef, bool) error { return nil }}
}

// work runs the queue's deliveries until the returned function is called, which answers what Run returned.
func work(t testing.TB, q *queue.Queue, h handle) (stop func() error) {
	t.Helper()
	return workAll(t, q, only(h))
}

// workAll is work for wake-ups too.
func workAll(t testing.TB, q *queue.Queue, do webhook.Handlers) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx, do) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return stop
}

// runOf names run 1 of event n for endpoint n, in the endpoint's live queue.
func runOf(q *queue.Queue, n int) webhook.Run {
	ref := webhook.DeliveryRef{Brand: "acme", EventID: fmt.Sprintf("evt_%d", n), EndpointID: fmt.Sprintf("ep_%d", n)}
	return webhook.Run{DeliveryRef: ref, Number: 1, Queue: q.QueueFor(ref.Endpoint())}
}

func runsOf(q *queue.Queue, n int) []webhook.Run {
	runs := make([]webhook.Run, n)
	for i := range runs {
		runs[i] = runOf(q, i)
	}
	return runs
}

func enqueue(t testing.TB, q *queue.Queue, runs ...webhook.Run) {
	t.Helper()
	if err := q.Enqueue(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
}

// enqueueRaw makes a task that is not necessarily one of ours, in the queue named.
func enqueueRaw(t testing.TB, rdb redis.UniversalClient, queue, id, kind string, payload []byte) {
	t.Helper()
	_, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask(kind, payload),
		asynq.Queue(queue), asynq.TaskID(id), asynq.MaxRetry(1<<30), asynq.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
}

func stateOf(t testing.TB, q *queue.Queue, run webhook.Run) webhook.TaskState {
	t.Helper()
	states, err := q.Inspect(t.Context(), []webhook.Run{run})
	if err != nil || len(states) != 1 {
		t.Fatalf("inspect: %v, %v", states, err)
	}
	return states[0]
}

// eventually waits for what another goroutine or process is about to do.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// taskIn waits until Asynq has the task in the given state.
func taskIn(t testing.TB, rdb redis.UniversalClient, queue, id string, state asynq.TaskState) *asynq.TaskInfo {
	t.Helper()
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	var info *asynq.TaskInfo
	eventually(t, fmt.Sprintf("task %s in state %s", id, state), func() bool {
		var err error
		info, err = inspector.GetTaskInfo(queue, id)
		return err == nil && info.State == state
	})
	return info
}

// keysOf lists what Redis holds of a queue.
func keysOf(t testing.TB, rdb redis.UniversalClient, queue string) []string {
	t.Helper()
	return redistest.Keys(t, redistest.Admin(t, rdb), "asynq:{"+queue+"}:*")
}

func mustNotContain(t testing.TB, where, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds %q: %s", where, secret, text)
		}
	}
}

// long skips a test that waits for Asynq's own times, unless OUTHOOK_TEST_LONG is set.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		t.Skip("takes long: set OUTHOOK_TEST_LONG=1")
	}
}
