package asynqredis_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		workAsChild()
		return
	}
	goleak.VerifyTestMain(m)
}

const queue = "live-0"

// backends are the servers on which everything must work.
var backends = map[string]func(t testing.TB) redis.UniversalClient{
	"embedded": func(t testing.TB) redis.UniversalClient { return embeddedClient(t) },
	"redis":    func(t testing.TB) redis.UniversalClient { return redistest.Start(t).Client(t) },
	"cluster":  func(t testing.TB) redis.UniversalClient { return redistest.StartCluster(t).Client(t) },
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

// worker is an Asynq server on the client under test. handled gets each task's payload.
type worker struct {
	server  *asynq.Server
	client  *asynqredis.Client
	handled chan string
	asynq   *lines // what Asynq logs
	warned  *lines // what the client logs
}

// without says that the tests are to run without a part: OUTHOOK_TEST_WITHOUT names some.
func without(part string) bool { return strings.Contains(os.Getenv("OUTHOOK_TEST_WITHOUT"), part) }

// startWorker runs a server on inner with the queue, or those given, until the test ends.
func startWorker(t testing.TB, inner redis.UniversalClient, cfg asynqredis.Config, queues ...string) *worker {
	t.Helper()
	return startWorkerOf(t, make(chan string, 100), inner, cfg, queues...)
}

// startWorkerOf has handlers that end when their task's payload is received or fits into the channel, or the test ends.
func startWorkerOf(t testing.TB, handled chan string, inner redis.UniversalClient, cfg asynqredis.Config, queues ...string) *worker {
	t.Helper()
	w := &worker{handled: handled, asynq: &lines{}, warned: &lines{}}
	cfg.Logger = slog.New(slog.NewTextHandler(w.warned, nil))
	if cfg.Free == nil {
		cfg.Free = func() int { return 4 }
	}
	cfg.NoPrefetch = cfg.NoPrefetch || without("prefetch")
	cfg.NoPipelining = cfg.NoPipelining || without("pipelining")
	w.client = asynqredis.New(inner, cfg)
	w.server = asynq.NewServerFromRedisClient(w.client, serverConfig(w.asynq, time.Millisecond, queues...))
	err := w.server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		select {
		case w.handled <- string(task.Payload()):
		case <-t.Context().Done():
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.shutdown)
	return w
}

func (w *worker) shutdown() {
	w.client.Stop()
	w.server.Shutdown()
	w.client.Close()
}

func serverConfig(log *lines, check time.Duration, queues ...string) asynq.Config {
	weights := map[string]int{}
	for _, q := range queues {
		weights[q] = 1
	}
	if len(queues) == 0 {
		weights[queue] = 1
	}
	return asynq.Config{
		Concurrency:              4,
		Queues:                   weights,
		TaskCheckInterval:        check,
		DelayedTaskCheckInterval: time.Hour,
		JanitorInterval:          time.Hour,
		Logger:                   log,
	}
}

func enqueue(t testing.TB, c redis.UniversalClient, payload string) {
	t.Helper()
	enqueueTo(t, c, queue, payload)
}

func enqueueTo(t testing.TB, c redis.UniversalClient, queue, payload string) {
	t.Helper()
	if _, err := asynq.NewClientFromRedisClient(c).Enqueue(asynq.NewTask("t", []byte(payload)), asynq.Queue(queue)); err != nil {
		t.Fatal(err)
	}
}

func awaitHandled(t testing.TB, w *worker, want string) {
	t.Helper()
	select {
	case got := <-w.handled:
		if got != want {
			t.Fatalf("handled %q, want %q", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%q was not handled; Asynq said: %v", want, w.asynq)
	}
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// awaitBlocked waits until a client hangs in a blocking command of the server.
func awaitBlocked(t testing.TB, c redis.UniversalClient) {
	t.Helper()
	eventually(t, 10*time.Second, "a blocked client", func() (found bool) {
		redistest.Each(t, c, func(ctx context.Context, node *redis.Client) error {
			info, err := node.Info(ctx, "clients").Result()
			found = found || strings.Contains(info, "blocked_clients:1")
			return err
		})
		return found
	})
}

// lines collects a log. It is an asynq.Logger and the writer of a slog handler.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) count(substring string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, substring) {
			n++
		}
	}
	return n
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func (l *lines) Debug(...any)      {}
func (l *lines) Info(args ...any)  { fmt.Fprint(l, args...) }
func (l *lines) Warn(args ...any)  { fmt.Fprint(l, args...) }
func (l *lines) Error(args ...any) { fmt.Fprint(l, args...) }
func (l *lines) Fatal(args ...any) { fmt.Fprint(l, args...) }

// recorder is a go-redis hook that notes every command, and can be asked before the answer has come.
type recorder struct {
	mu       sync.Mutex
	commands [][]any
	trips    []string // names of the commands that went together
}

func (r *recorder) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *recorder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		r.note(cmds...)
		return next(ctx, cmds)
	}
}

func (r *recorder) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.note(cmd)
		return next(ctx, cmd)
	}
}

func (r *recorder) note(cmds ...redis.Cmder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, cmd := range cmds {
		r.commands = append(r.commands, cmd.Args())
		names = append(names, cmd.Name())
	}
	r.trips = append(r.trips, strings.Join(names, " "))
}

// countTrips counts the round trips of commands with these names.
func (r *recorder) countTrips(names string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, trip := range r.trips {
		if trip == names {
			n++
		}
	}
	return n
}

// count counts the commands of this name whose first key, or first argument after it, is key.
func (r *recorder) count(name, key string) int { return len(r.find(name, key)) }

func (r *recorder) find(name, key string) (found [][]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, args := range r.commands {
		at := 1
		if strings.HasPrefix(name, "eval") {
			at = 3
		}
		if args[0] == name && len(args) > at && args[at] == key {
			found = append(found, args)
		}
	}
	return found
}
