package dispatcher_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// diary is a log that a test reads while it is written.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *diary) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// count is how often it has the words.
func (l *diary) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), words)
}

func (l *diary) keep(c *dispatcher.Config) {
	c.Logger = slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// notRun is a dispatcher on a server that has not begun.
func notRun(t *testing.T, rdb redis.UniversalClient, change func(*dispatcher.Config)) *dispatcher.Dispatcher {
	t.Helper()
	cfg := dispatchertest.Config()
	cfg.Redis, cfg.Logger = rdb, slog.New(slog.DiscardHandler)
	change(&cfg)
	d, err := dispatcher.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func set(t *testing.T, server *redistest.Server, parameter, value string) {
	t.Helper()
	redistest.Configure(t, server.Admin(t), parameter, value)
}

// waitsForDisk is a configuration that Redis 7.0 cannot serve.
func waitsForDisk(c *dispatcher.Config) { c.Durable.AOFs = 1 }

func asIs(*dispatcher.Config) {}

// TestRedisThatIsNoneToKeepEventsOn is refused by everything that waits for Redis, with what is wrong and what to set.
func TestRedisThatIsNoneToKeepEventsOn(t *testing.T) {
	t.Parallel()
	evicting := func(policy string) []string { return []string{"--maxmemory", "100mb", "--maxmemory-policy", policy} }
	for name, tt := range map[string]struct {
		options []string
		change  func(*dispatcher.Config)
		want    []string
	}{
		"evicts the oldest":   {evicting("allkeys-lru"), asIs, []string{"maxmemory-policy is allkeys-lru", "set it to noeviction"}},
		"evicts what expires": {evicting("volatile-ttl"), asIs, []string{"maxmemory-policy is volatile-ttl", "set it to noeviction"}},
		"knows no WAITAOF":    {[]string{"--appendonly", "yes"}, waitsForDisk, []string{"redis.durable waitaof:1", "needs Redis 7.2", "this is 7.0."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, tt.options...)
			if strings.Contains(name, "WAITAOF") && !strings.Contains(server.Admin(t).Info(t.Context(), "server").Val(), "redis_version:7.0.") {
				t.Skip("this Redis knows it")
			}
			d := notRun(t, server.Client(t), tt.change)
			ctx, cancel := context.WithTimeout(t.Context(), dispatchertest.Patience) // a Run that goes on ends then
			defer cancel()
			for method, err := range map[string]error{
				"CheckRedis": d.CheckRedis(ctx), "Ready": d.Ready(ctx), "AwaitKeys": d.AwaitKeys(ctx), "Run": d.Run(ctx),
			} {
				if _, ok := errors.AsType[*webhook.ServerError](err); !ok {
					t.Errorf("%s: %v", method, err)
					continue
				}
				for _, words := range tt.want {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("%s: %q lacks %q", method, err, words)
					}
				}
			}
			if d.AwaitRedis(ctx) {
				t.Error("AwaitRedis goes on")
			}
		})
	}
}

// staged has Redis say another version of itself than it is, and nothing else change.
type staged struct{ version string }

func (s staged) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s staged) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s staged) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if info, ok := cmd.(*redis.StringCmd); ok && cmd.Name() == "info" {
			before, after, _ := strings.Cut(info.Val(), "redis_version:")
			_, after, _ = strings.Cut(after, "\r\n")
			info.SetVal(before + "redis_version:" + s.version + "\r\n" + after)
		}
		return err
	}
}

// WAITAOF has to be known, and there has to be a file.
func TestVersionsThatKnowWaitAOF(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "what one server says of itself is staged")
	server := redistest.Start(t, "--appendonly", "yes")
	for _, file := range []string{"yes", "no"} {
		set(t, server, "appendonly", file)
		for version, want := range map[string]string{
			"6.2.14": "needs Redis 7.2", "7.0.15": "needs Redis 7.2", "7.1.241": "needs Redis 7.2",
			"7.2.0": "", "7.4.1": "", "7.10.0": "", "8.0.0": "", "10.1.0": "",
		} {
			if want == "" && file == "no" {
				want = "set appendonly to yes"
			}
			rdb := server.Client(t)
			rdb.AddHook(staged{version})
			err := notRun(t, rdb, waitsForDisk).CheckRedis(t.Context())
			if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, appendonly %s: %v, want %q", version, file, err, want)
			}
		}
	}
}

// TestRedisBeginsToEvict: readiness fails and is back; deliveries go on, as what waits is what could be dropped.
func TestRedisBeginsToEvict(t *testing.T) {
	t.Parallel()
	var log diary
	server := redistest.Start(t, "--maxmemory", "100mb")
	d := onServer(t, server, log.keep)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	if err := d.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	set(t, server, "maxmemory-policy", "allkeys-random")
	dispatchertest.Eventually(t, func() bool { return log.count("redis is not one to keep events on") > 0 }) // also when nobody asks
	err := d.Ready(t.Context())
	if _, ok := errors.AsType[*webhook.ServerError](err); !ok {
		t.Errorf("ready: %v", err)
	}
	if _, err := d.Publish(t.Context(), event("e1")); err != nil {
		t.Error(err)
	}
	r.Wait(t, 1)
	set(t, server, "maxmemory-policy", "noeviction")
	if err := d.Ready(t.Context()); err != nil {
		t.Errorf("ready again: %v", err)
	}
}

// TestReadyNotOnAReplica: one that was demoted takes no writes.
func TestReadyNotOnAReplica(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "it is a replica")
	replica := redistest.StartReplica(t, redistest.Start(t))
	d := notRun(t, replica.Client(t), asIs)
	if err := d.Ready(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
}

// What an operator should know of a Redis is said once, and no more than is true.
func TestCautionsOnce(t *testing.T) {
	t.Parallel()
	const noFile, wouldEvict = "a crash of redis loses", "redis would drop what is stored"
	for name, tt := range map[string]struct {
		options            []string
		noFile, wouldEvict int
	}{
		"no file":                     {nil, 1, 0},
		"a file":                      {[]string{"--appendonly", "yes"}, 0, 0},
		"evicts without a limit":      {[]string{"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"}, 0, 1},
		"a limit, and does not evict": {[]string{"--appendonly", "yes", "--maxmemory", "100mb"}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log diary
			rdb, servers := redistest.Start(t, tt.options...).Client(t), 0
			redistest.Each(t, rdb, func(context.Context, *redis.Client) error { servers++; return nil })
			d := notRun(t, rdb, log.keep)
			for range 2 {
				if !d.AwaitRedis(t.Context()) || d.AwaitKeys(t.Context()) != nil {
					t.Fatal("not ready")
				}
			}
			if got := log.count(noFile); got != servers*tt.noFile {
				t.Errorf("said %d times: %s", got, noFile)
			}
			if got := log.count(wouldEvict); got != servers*tt.wouldEvict {
				t.Errorf("said %d times: %s", got, wouldEvict)
			}
		})
	}
	var log diary
	d := notRun(t, dispatchertest.Embedded(t), log.keep)
	if !d.AwaitRedis(t.Context()) || log.count("redis") != 0 {
		t.Error("something is said of a server that says nothing")
	}
}
