package embedded_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"go.smobi.com/outhook/queue/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) (*embedded.Server, *redis.Client) {
	t.Helper()
	s, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	t.Cleanup(func() { c.Close() })
	return s, c
}

func TestKeysExpireByThemselves(t *testing.T) {
	_, c := start(t)
	c.Set(t.Context(), "short", "x", 1500*time.Millisecond)
	c.Set(t.Context(), "long", "x", time.Hour)
	c.Set(t.Context(), "forever", "x", 0)

	for deadline := time.Now().Add(10 * time.Second); ; {
		err := c.Get(t.Context(), "short").Err()
		if errors.Is(err, redis.Nil) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("short-lived key is still there: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := c.Exists(t.Context(), "long", "forever").Val(); n != 2 {
		t.Fatalf("%d of 2 longer-lived keys left", n)
	}
}

func TestServersShareNothing(t *testing.T) {
	_, a := start(t)
	_, b := start(t)
	a.Set(t.Context(), "k", "x", 0)
	if n := b.Exists(t.Context(), "k").Val(); n != 0 {
		t.Fatal("a key of one server is seen in another")
	}
}

// The blocked command is what idle workers always have open; TestMain sees to it that nothing is left of it.
func TestCloseEndsBlockedClients(t *testing.T) {
	s, c := start(t)
	blocked := make(chan error, 1)
	go func() { blocked <- c.BLMove(t.Context(), "l", "l", "RIGHT", "RIGHT", time.Hour).Err() }()
	for c.PoolStats().TotalConns-c.PoolStats().IdleConns == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Close()
	s.Close()
	if err := <-blocked; err == nil {
		t.Fatal("the blocked command got an element out of an empty list")
	}
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Fatal("a closed server answers")
	}
}
