package asynqredis_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

const waitAndPop = "blmove evalsha"

// newLively waits for tasks, and has just been given one: "first" is active.
func newLively(t *testing.T, inner redis.UniversalClient) asker {
	t.Helper()
	return newAsker(t, inner, many).lively(t, inner)
}

func (a asker) lively(t *testing.T, inner redis.UniversalClient) asker {
	t.Helper()
	a.client = asynqredis.New(inner, asynqredis.Config{Logger: quiet(), Free: many})
	t.Cleanup(func() { a.client.Close() })
	enqueueAs(t, inner, "first")
	a.take(t, "first")
	return a
}

// asked is what a dequeue was answered.
type asked struct {
	payload string
	err     error
}

// askBlocked asks, and is back when Redis holds the wait.
func (a asker) askBlocked(t *testing.T, seen *recorder) <-chan asked {
	t.Helper()
	before := seen.countTrips(waitAndPop) + seen.countTrips("blmove")
	answer := make(chan asked, 1)
	go func() {
		payload, err := a.ask(t)
		answer <- asked{payload, err}
	}()
	eventually(t, 10*time.Second, "the client waits", func() bool {
		return seen.countTrips(waitAndPop)+seen.countTrips("blmove") > before
	})
	return answer
}

// askUntil asks, as Asynq would, until there is a task.
func (a asker) askUntil(t *testing.T, want string) {
	t.Helper()
	eventually(t, 10*time.Second, want+" is taken", func() bool {
		got, err := a.ask(t)
		if err == nil && got != want {
			t.Fatalf("took %q, want %q", got, want)
		}
		return err == nil
	})
}

func onEach(t *testing.T, test func(t *testing.T, inner redis.UniversalClient, seen *recorder)) {
	t.Parallel()
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner, seen := open(t), &recorder{}
			inner.AddHook(seen)
			test(t, inner, seen)
		})
	}
}

func TestWaitAndPopAreOneRoundTrip(t *testing.T) {
	onEach(t, func(t *testing.T, inner redis.UniversalClient, seen *recorder) {
		a := newLively(t, inner)
		for i := range 3 {
			answer := a.askBlocked(t, seen)
			trips := seen.countTrips("evalsha")
			id := "t" + strconv.Itoa(i)
			enqueueAs(t, inner, id)
			if got := <-answer; got.err != nil || got.payload != id {
				t.Fatalf("answered %v", got)
			}
			if n := seen.countTrips("evalsha") - trips - 1; n > 0 { // beside the enqueue
				t.Errorf("%d pops after the wait", n)
			}
		}
		if n := seen.countTrips(waitAndPop); n < 3 || seen.countTrips("blmove") > 0 {
			t.Errorf("not together: %v", seen.trips)
		}
		if now := lookAt(t, inner); !slices.Equal(now.active, []string{"t2", "t1", "t0", "first"}) || len(now.leases) != 4 {
			t.Errorf("in the end: %v", now)
		}
	})
}

// Where go-redis would not read on for as long as Redis holds the wait, or for ever, nothing goes with it.
func TestWaitAlone(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]time.Duration{"short": 1500 * time.Millisecond, "endless": -1, "long": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct, seen := embeddedClient(t), &recorder{}
			options := *direct.Options()
			options.ReadTimeout = read
			inner := redis.NewClient(&options)
			t.Cleanup(func() { inner.Close() })
			inner.AddHook(seen)
			a := newLively(t, inner)
			answer := a.askBlocked(t, seen)
			enqueueAs(t, direct, "t0")
			if got := <-answer; got.err != nil || got.payload != "t0" {
				t.Fatalf("answered %v", got)
			}
			if seen.countTrips(waitAndPop) > 0 {
				t.Errorf("sent %v", seen.trips)
			}
		})
	}
}

// A queue without tasks costs no more than the wait.
func TestQuietQueueIsWaitedForAlone(t *testing.T) {
	t.Parallel()
	inner, seen := embeddedClient(t), &recorder{}
	inner.AddHook(seen)
	a := newLively(t, inner)
	eventually(t, 30*time.Second, "waits alone", func() bool {
		_, _ = a.ask(t)
		return seen.countTrips("blmove") > 0
	})
	if seen.countTrips(waitAndPop) < 3 {
		t.Errorf("sent %v", seen.trips)
	}
	before := seen.countTrips(waitAndPop)
	if _, err := a.ask(t); !errors.Is(err, redis.Nil) || seen.countTrips(waitAndPop) > before {
		t.Errorf("answered %v, sent %v", err, seen.trips)
	}
}

// Redis runs the pop after the client has gone: what comes then stays.
func TestStopLeavesNothingActive(t *testing.T) {
	onEach(t, func(t *testing.T, inner redis.UniversalClient, seen *recorder) {
		a := newLively(t, inner)
		answer := a.askBlocked(t, seen)
		if !strings.HasSuffix(t.Name(), "embedded") { // it does not tell
			awaitBlocked(t, inner)
		}
		stopped := time.Now()
		a.client.Stop()
		enqueueAs(t, inner, "late")
		if got := <-answer; !errors.Is(got.err, redis.Nil) {
			t.Errorf("answered %v", got)
		}
		a.client.Close()
		if d := time.Since(stopped); d > 5*time.Second {
			t.Errorf("Close took %v", d)
		}
		now := lookAt(t, inner)
		if !slices.Equal(now.pending, []string{"late"}) || !slices.Equal(now.active, []string{"first"}) || len(now.leases) != 1 {
			t.Errorf("in the end: %v", now)
		}
		if task := now.tasks["late"]; task["state"] != "pending" || task["pending_since"] == "" {
			t.Errorf("the task is %v", task)
		}
	})
}

// A task that comes as the client stops is either answered or pending, and once only.
func TestStopWhileTasksCome(t *testing.T) {
	t.Parallel()
	inner, seen := redistest.Start(t).Client(t), &recorder{}
	inner.AddHook(seen)
	one := newAsker(t, inner, many)
	for range 30 {
		redistest.Admin(t, inner).FlushDB(t.Context())
		a := one.lively(t, inner)
		answer := a.askBlocked(t, seen)
		coming := make(chan struct{})
		go func() {
			defer close(coming)
			fill(t, inner, 3)
		}()
		a.client.Stop()
		got := <-answer
		<-coming
		a.client.Close()
		now := lookAt(t, inner)
		active, pending := []string{"first"}, []string{"t2", "t1", "t0"}
		if got.err == nil {
			active, pending = []string{"t0", "first"}, []string{"t2", "t1"}
		}
		slices.Sort(now.pending) // what came back may be behind what came then
		slices.Sort(pending)
		if !slices.Equal(now.active, active) || !slices.Equal(now.pending, pending) || len(now.leases) != len(active) {
			t.Fatalf("answered %v, in the end: %v", got, now)
		}
	}
}

// The network is lost after the wait is over and a task is taken.
func TestAnswerLostBehindAWait(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "a network is staged before one server")
	server := redistest.Start(t)
	direct, proxy, seen := server.Client(t), redistest.StartProxy(t, server.Addr()), &recorder{}
	inner := redis.NewClient(redistest.Options(proxy.Addr()))
	t.Cleanup(func() { inner.Close() })
	inner.AddHook(seen)
	a := newLively(t, inner)
	answer := a.askBlocked(t, seen)
	awaitBlocked(t, direct)
	proxy.Delay(5 * time.Second)
	enqueueAs(t, direct, "t0")
	eventually(t, 2*time.Second, "it is taken", func() bool { return len(lookAt(t, direct).active) == 2 })
	proxy.Cut()
	proxy.Resume()
	if got := <-answer; got.err == nil || errors.Is(got.err, redis.Nil) {
		t.Errorf("without an answer: %v", got)
	}
	a.askUntil(t, "t0")
	if now := lookAt(t, direct); !slices.Equal(now.active, []string{"t0", "first"}) || len(now.pending) > 0 || len(now.leases) != 2 {
		t.Errorf("in the end: %v", now)
	}
}

// The network is lost while Redis holds the wait, and Redis does not hear of it.
func TestPopComesTrueLate(t *testing.T) {
	onEach(t, func(t *testing.T, inner redis.UniversalClient, _ *recorder) {
		a, lost := newLively(t, inner), &answers{}
		inner.AddHook(lost)
		lost.instead.Store(insteadOf(func(_ redis.ProcessPipelineHook, _ context.Context, cmds []redis.Cmder) error {
			lost.pop = cmds[1].Args()
			return errSilent
		}))
		if _, err := a.ask(t); !errors.Is(err, errSilent) {
			t.Fatalf("answered %v", err)
		}
		if _, err := a.ask(t); !errors.Is(err, redis.Nil) { // has given the batch back
			t.Fatalf("answered %v", err)
		}
		enqueueAs(t, inner, "t0")
		if taken, err := inner.Do(t.Context(), lost.pop...).Slice(); err != nil || len(taken) > 0 {
			t.Errorf("took %v, %v", taken, err)
		}
		a.askUntil(t, "t0")
	})
}

// answers changes what a wait and the pop behind it are answered.
type answers struct {
	redis.Hook
	instead atomic.Value // a func, called once
	pop     []any
}

type insteadOf func(next redis.ProcessPipelineHook, ctx context.Context, cmds []redis.Cmder) error

func (h *answers) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (h *answers) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h *answers) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		instead, _ := h.instead.Load().(insteadOf)
		if instead == nil || cmds[0].Name() != "blmove" {
			return next(ctx, cmds)
		}
		h.instead.Store(insteadOf(nil))
		return instead(next, ctx, cmds)
	}
}

// What a pop has taken is worked whatever became of the wait before it.
func TestTaskBehindARefusedWait(t *testing.T) {
	t.Parallel()
	inner, refused := redistest.Start(t).Client(t), &answers{}
	inner.AddHook(refused)
	a := newLively(t, inner)
	for i, end := range []error{errors.New("OOM command not allowed when used memory > 'maxmemory'."), redis.Nil} {
		refused.instead.Store(insteadOf(func(next redis.ProcessPipelineHook, ctx context.Context, cmds []redis.Cmder) error {
			enqueueAs(t, inner, "t"+strconv.Itoa(i))
			_ = next(ctx, cmds)
			cmds[0].SetErr(end)
			return end
		}))
		a.take(t, "t"+strconv.Itoa(i))
	}
	if now := lookAt(t, inner); !slices.Equal(now.active, []string{"t1", "t0", "first"}) || len(now.pending) > 0 {
		t.Errorf("in the end: %v", now)
	}
}

// Redis takes nothing from a queue while it is full, and goes on afterwards.
func TestFullRedisBehindAWait(t *testing.T) {
	t.Parallel()
	inner, seen := redistest.Start(t).Client(t), &recorder{}
	inner.AddHook(seen)
	admin := redistest.Admin(t, inner)
	a := newLively(t, inner)
	answer := a.askBlocked(t, seen)
	redistest.Configure(t, admin, "maxmemory", "1")
	if got := <-answer; got.err == nil {
		t.Fatalf("answered %v", got)
	}
	if _, err := a.ask(t); !redis.HasErrorPrefix(err, "OOM") {
		t.Fatalf("answered %v", err)
	}
	redistest.Configure(t, admin, "maxmemory", "0")
	enqueueAs(t, inner, "t0")
	a.askUntil(t, "t0")
}

// Redis has lost the script while it held the wait.
func TestLostScriptBehindAWait(t *testing.T) {
	onEach(t, func(t *testing.T, inner redis.UniversalClient, seen *recorder) {
		a := newLively(t, inner)
		answer := a.askBlocked(t, seen)
		redistest.Each(t, redistest.Admin(t, inner), func(ctx context.Context, node *redis.Client) error {
			return node.ScriptFlush(ctx).Err()
		})
		enqueueAs(t, inner, "t0")
		if got := <-answer; got.err != nil || got.payload != "t0" {
			t.Fatalf("answered %v", got)
		}
		if now := lookAt(t, inner); !slices.Equal(now.active, []string{"t0", "first"}) || len(now.pending) > 0 {
			t.Errorf("in the end: %v", now)
		}
	})
}

func TestPausedBehindAWait(t *testing.T) {
	onEach(t, func(t *testing.T, inner redis.UniversalClient, seen *recorder) {
		inspector := asynq.NewInspectorFromRedisClient(inner)
		a := newLively(t, inner)
		answer := a.askBlocked(t, seen)
		scripts := seen.countTrips("evalsha")
		if err := inspector.PauseQueue(queue); err != nil {
			t.Fatal(err)
		}
		enqueueAs(t, inner, "t0")
		if got := <-answer; !errors.Is(got.err, redis.Nil) {
			t.Fatalf("answered %v", got)
		}
		if n := seen.countTrips("evalsha") - scripts - 1; n > 0 { // beside the enqueue
			t.Errorf("%d pops after the one that was in vain", n)
		}
		waits := seen.countTrips(waitAndPop) + seen.countTrips("blmove")
		if _, err := a.ask(t); !errors.Is(err, redis.Nil) { // a second, and a look at the pause
			t.Fatalf("answered %v", err)
		}
		if n := seen.countTrips(waitAndPop) + seen.countTrips("blmove") - waits; n > 0 {
			t.Errorf("%d waits in a pause", n)
		}
		if now := lookAt(t, inner); !slices.Equal(now.pending, []string{"t0"}) {
			t.Errorf("paused: %v", now)
		}
		if err := inspector.UnpauseQueue(queue); err != nil {
			t.Fatal(err)
		}
		a.askUntil(t, "t0")
	})
}
