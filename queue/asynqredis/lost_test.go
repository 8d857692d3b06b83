package asynqredis_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// The network is lost after Redis has taken a batch, and before the answer arrives. A client that then asked once more would
// get the next batch, and the first one would be nobody's.
func TestAnswerLost(t *testing.T) {
	redistest.OneServer(t, "a network is staged before one server")
	server := redistest.Start(t)
	direct, proxy := server.Client(t), redistest.StartProxy(t, server.Addr())
	inner := redis.NewClient(redistest.Options(proxy.Addr()))
	t.Cleanup(func() { inner.Close() })
	a := newAsker(t, inner, many)
	if _, err := a.ask(t); !errors.Is(err, redis.Nil) { // Redis knows the script from now on
		t.Fatal(err)
	}
	fill(t, direct, 20)
	before := lookAt(t, direct).pending

	proxy.Delay(5 * time.Second)
	asked := make(chan error)
	go func() {
		_, err := a.ask(t)
		asked <- err
	}()
	eventually(t, 2*time.Second, "a batch is taken", func() bool { return len(lookAt(t, direct).active) == 10 })
	proxy.Cut()
	proxy.Resume()
	if err := <-asked; err == nil || errors.Is(err, redis.Nil) {
		t.Errorf("without an answer: %v", err)
	}
	a.take(t, "t0")
	a.take(t, "t1")
	a.client.Close()
	if now := lookAt(t, direct); !slices.Equal(now.pending, before[:18]) || !slices.Equal(now.active, []string{"t1", "t0"}) {
		t.Errorf("in the end: %v", now)
	}
}

// A request that was given up may still be on its way, and arrive when the network is back.
func TestRequestArrivesLate(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			inner, direct := open(t), &delayed{}
			inner.AddHook(direct)
			a := newAsker(t, inner, many)
			if _, err := a.ask(t); !errors.Is(err, redis.Nil) { // Redis knows the script from now on
				t.Fatal(err)
			}
			fill(t, inner, 20)
			direct.catch()
			if _, err := a.ask(t); !errors.Is(err, errSilent) {
				t.Fatalf("answered %v", err)
			}
			a.take(t, "t0")
			before := lookAt(t, inner)
			if taken, err := inner.Do(t.Context(), direct.caught...).Slice(); err != nil || len(taken) > 0 {
				t.Errorf("took %v, %v", taken, err)
			}
			if after := lookAt(t, inner); !slices.Equal(after.pending, before.pending) || !slices.Equal(after.active, before.active) {
				t.Errorf("before %v, after %v", before, after)
			}
		})
	}
}

var errSilent = errors.New("i/o timeout")

// delayed is a network that keeps one request for later.
type delayed struct {
	redis.Hook
	mu     sync.Mutex
	next   bool
	caught []any
}

func (d *delayed) catch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = true
}

func (d *delayed) keeps(cmd redis.Cmder) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.next {
		return false
	}
	d.next, d.caught = false, cmd.Args()
	return true
}

func (d *delayed) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *delayed) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (d *delayed) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !d.keeps(cmd) {
			return next(ctx, cmd)
		}
		return errSilent
	}
}

// tardy answers a pop with two tasks, after a while, and refuses to take any back for some time.
type tardy struct {
	*staged
	after, refuse time.Duration
	began         time.Time
	pops, given   int
}

func (s *tardy) Process(_ context.Context, cmd redis.Cmder) error {
	time.Sleep(s.after)
	s.pops++
	cmd.(interface{ SetVal(any) }).SetVal([]any{"a", "message a", "1", "b", "message b", "2"})
	return nil
}

func (s *tardy) EvalSha(ctx context.Context, _ string, _ []string, _ ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	if time.Since(s.began) < s.refuse {
		cmd.SetErr(errSilent)
		return cmd
	}
	s.given++
	cmd.SetVal(int64(2))
	return cmd
}

// Who has not heard of its leases for long may have lost them: others may have the tasks by now.
func TestNothingOldIsHandedOver(t *testing.T) {
	sha := dequeueSHA(t)
	for name, tt := range map[string]struct {
		after time.Duration
		want  error
	}{
		"answered within the time that go-redis waits": {3 * time.Second, nil},
		"answered late": {6 * time.Second, redis.Nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := &tardy{staged: newStaged(), after: tt.after, began: time.Now()}
				c := asynqredis.New(inner, asynqredis.Config{Logger: quiet(), Free: many, NoIdleWait: true})
				err := c.EvalSha(t.Context(), sha, dequeueKeys, asynqLease(), taskPrefix).Err()
				if !errors.Is(err, tt.want) {
					t.Errorf("answered %v", err)
				}
				c.Close()
				if inner.given != 1 {
					t.Errorf("given back %d times", inner.given)
				}
			})
		})
	}
}

// Tasks that cannot be given back must not stop the queue for longer than their leases last: then they are the reconciler's.
func TestGivesUpWithTheLease(t *testing.T) {
	sha := dequeueSHA(t)
	synctest.Test(t, func(t *testing.T) {
		inner := &tardy{staged: newStaged(), refuse: time.Hour, began: time.Now()}
		c := asynqredis.New(inner, asynqredis.Config{Logger: quiet(), Free: many, NoIdleWait: true})
		defer c.Close()
		ask := func() error { return c.EvalSha(t.Context(), sha, dequeueKeys, asynqLease(), taskPrefix).Err() }
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := ask(); !errors.Is(err, errSilent) || inner.pops != 1 {
			t.Errorf("while a batch is owed: %v, %d pops", err, inner.pops)
		}
		time.Sleep(30 * time.Second)
		if err := ask(); err != nil || inner.pops != 2 {
			t.Errorf("after the leases: %v, %d pops", err, inner.pops)
		}
	})
}
