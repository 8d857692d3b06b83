package asynqredis_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
)

var dequeueKeys = []string{pendingKey, pausedKey, activeKey, leaseKey}

// dequeueSHA is what Asynq calls its dequeue by, seen at a server of its own.
func dequeueSHA(t *testing.T) string {
	t.Helper()
	inner, seen := embeddedClient(t), &recorder{}
	inner.AddHook(seen)
	w := startWorker(t, inner, asynqredis.Config{NoPrefetch: true})
	eventually(t, 10*time.Second, "a dequeue", func() bool { return seen.count("evalsha", pendingKey) > 0 })
	w.shutdown()
	return seen.find("evalsha", pendingKey)[0][1].(string)
}

// staged is a queue in Redis as far as the wait can see, on the clock of a synctest bubble.
type staged struct {
	redis.UniversalClient // nil: nothing else may be called

	mu      sync.Mutex
	pending int
	paused  bool
	refuse  error
	lost    bool // the script was forgotten
	sent    map[string]int
	pushed  chan struct{}
}

func newStaged() *staged {
	return &staged{sent: map[string]int{}, pushed: make(chan struct{}, 1000)}
}

func (s *staged) EvalSha(ctx context.Context, sha1 string, _ []string, _ ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, "evalsha", sha1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent["evalsha"]++
	switch {
	case s.refuse != nil:
		cmd.SetErr(s.refuse)
	case s.lost:
		cmd.SetErr(redis.ErrNoScript)
	case s.paused || s.pending == 0:
		cmd.SetErr(redis.Nil)
	default:
		s.pending--
		cmd.SetVal("task")
	}
	return cmd
}

func (s *staged) BLMove(ctx context.Context, from, to, pop, push string, timeout time.Duration) *redis.StringCmd {
	cmd := redis.NewStringCmd(ctx, "blmove", from, to, pop, push, timeout)
	s.mu.Lock()
	s.sent["blmove"]++
	pending, refuse := s.pending, s.refuse
	s.mu.Unlock()
	switch {
	case refuse != nil:
		cmd.SetErr(refuse)
	case pending > 0:
		cmd.SetVal("id")
	default: // its context does not interrupt it, as with a real one
		select {
		case <-s.pushed:
			cmd.SetVal("id")
		case <-time.After(timeout):
			cmd.SetErr(redis.Nil)
		}
	}
	return cmd
}

func (s *staged) Exists(ctx context.Context, keys ...string) *redis.IntCmd {
	cmd := redis.NewIntCmd(ctx, "exists", keys[0])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent["exists"]++
	switch {
	case s.refuse != nil:
		cmd.SetErr(s.refuse)
	case s.paused:
		cmd.SetVal(1)
	}
	return cmd
}

func (s *staged) set(change func(*staged)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *staged) commands() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sent := range s.sent {
		n += sent
	}
	return n
}

// fetch dequeues as Asynq's loop does, with its TaskCheckInterval of a millisecond, until the time is over.
func fetch(t *testing.T, c *asynqredis.Client, sha string, span time.Duration) (tasks int) {
	t.Helper()
	for end := time.Now().Add(span); time.Now().Before(end); {
		err := c.EvalSha(t.Context(), sha, dequeueKeys).Err()
		if err == nil {
			tasks++
		}
		if errors.Is(err, redis.Nil) {
			time.Sleep(time.Millisecond)
		}
	}
	return tasks
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// silent answers a BLMOVE as late as go-redis lets it.
type silent struct{ *staged }

func (s *silent) BLMove(ctx context.Context, from, to, pop, push string, _ time.Duration) *redis.StringCmd {
	return s.staged.BLMove(ctx, from, to, pop, push, 11*time.Second)
}

// asynqLease is the end of a lease as Asynq gives it.
func asynqLease() int64 { return time.Now().Add(30 * time.Second).Unix() }
