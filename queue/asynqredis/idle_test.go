package asynqredis_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
)

func TestCommandsWhileThereIsNothingToDo(t *testing.T) {
	refused := errors.New("LOADING Redis is loading the dataset in memory")
	tests := []struct {
		name  string
		stage func(*staged)
		most  int // commands in a minute
	}{
		{"idle", func(*staged) {}, 70},
		{"paused and empty", func(s *staged) { s.paused = true }, 70},
		{"paused with pending tasks", func(s *staged) { s.paused, s.pending = true, 3 }, 70},
		{"refused", func(s *staged) { s.refuse = refused }, 130},
		{"refused with pending tasks", func(s *staged) { s.refuse, s.pending = refused, 3 }, 130},
	}
	sha := dequeueSHA(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newStaged()
				tt.stage(inner)
				c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
				defer c.Close()
				if n := fetch(t, c, sha, time.Minute); n > 0 {
					t.Errorf("got %d tasks", n)
				}
				if n := inner.commands(); n > tt.most || n < 30 {
					t.Errorf("%d commands in a minute, want 30 to %d: %v", n, tt.most, inner.sent)
				}
			})
		})
	}
}

func TestGoesOnWithinASecond(t *testing.T) {
	refused := errors.New("OOM command not allowed when used memory > 'maxmemory'")
	tests := []struct {
		name   string
		before func(*staged)
		after  func(*staged)
	}{
		{"pushed to an idle queue", func(*staged) {}, func(s *staged) { s.pushed <- struct{}{} }},
		{"resumed", func(s *staged) { s.paused = true }, func(s *staged) { s.paused = false }},
		{"no longer refused", func(s *staged) { s.refuse = refused }, func(s *staged) { s.refuse = nil }},
	}
	sha := dequeueSHA(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newStaged()
				if tt.name != "pushed to an idle queue" {
					inner.pending = 3
				}
				tt.before(inner)
				c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
				defer c.Close()
				fetch(t, c, sha, time.Minute)
				inner.set(func(s *staged) { s.pending = 3 })
				inner.set(tt.after)
				if n := fetch(t, c, sha, 1100*time.Millisecond); n != 3 {
					t.Errorf("got %d tasks within a second, want 3", n)
				}
			})
		})
	}
}

// Another worker takes every task first: each push wakes this one in vain.
func TestLosingTheRaceBacksOff(t *testing.T) {
	sha := dequeueSHA(t)
	synctest.Test(t, func(t *testing.T) {
		inner := newStaged()
		c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
		defer c.Close()
		for range 1000 {
			inner.pushed <- struct{}{}
		}
		fetch(t, c, sha, 10*time.Second)
		if n := inner.commands(); n > 300 {
			t.Errorf("%d commands in 10 s", n)
		}
		for len(inner.pushed) > 0 {
			<-inner.pushed
		}
		fetch(t, c, sha, 2*time.Second) // it waits again
		before := time.Now()
		inner.set(func(s *staged) { s.pending = 1 })
		if err := c.EvalSha(t.Context(), sha, dequeueKeys).Err(); err != nil || time.Since(before) > 0 {
			t.Errorf("a task that is there was answered with %v after %v", err, time.Since(before))
		}
	})
}

func TestStop(t *testing.T) {
	tests := []struct {
		name  string
		stage func(*staged)
	}{
		{"in the wait for a task", func(*staged) {}},
		{"in the wait of a paused queue", func(s *staged) { s.paused, s.pending = true, 3 }},
		{"in the wait after an error", func(s *staged) { s.refuse = errors.New("READONLY You can't write against a read only replica") }},
	}
	sha := dequeueSHA(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newStaged()
				tt.stage(inner)
				c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
				fetch(t, c, sha, 10*time.Second)

				ended := make(chan error)
				go func() { ended <- c.EvalSha(context.Background(), sha, dequeueKeys).Err() }()
				synctest.Wait()
				stopped := time.Now()
				c.Stop()
				if err := <-ended; err == nil {
					t.Error("the wait ended with a task")
				}
				sent := inner.commands()
				for range 100 {
					if err := c.EvalSha(t.Context(), sha, dequeueKeys).Err(); !errors.Is(err, redis.Nil) {
						t.Errorf("a dequeue after Stop answered %v", err)
					}
				}
				if d := time.Since(stopped); d != 0 {
					t.Errorf("took %v", d)
				}
				if n := inner.commands() - sent; n > 0 {
					t.Errorf("%d commands after Stop", n)
				}
				c.Close()
				if d := time.Since(stopped); d > time.Second {
					t.Errorf("Close took %v", d)
				}
			})
		})
	}
}

// A silent Redis must not keep the worker for the eleven seconds that go-redis would read on.
func TestSilentRedisIsAnError(t *testing.T) {
	sha := dequeueSHA(t)
	synctest.Test(t, func(t *testing.T) {
		inner := &silent{newStaged()}
		c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
		defer c.Close()
		c.EvalSha(t.Context(), sha, dequeueKeys)
		err := c.EvalSha(t.Context(), sha, dequeueKeys).Err()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("answered %v", err)
		}
	})
}

// Asynq sends the text when Redis has lost the script: both must be recognised, and nothing come between them.
func TestLostScript(t *testing.T) {
	sha := dequeueSHA(t)
	synctest.Test(t, func(t *testing.T) {
		inner := newStaged()
		inner.lost, inner.pending = true, 1
		c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
		defer c.Close()
		before := time.Now()
		for range 10 {
			if err := c.EvalSha(t.Context(), sha, dequeueKeys).Err(); !errors.Is(err, redis.ErrNoScript) {
				t.Fatalf("answered %v", err)
			}
		}
		if d := time.Since(before); d != 0 {
			t.Errorf("held back for %v", d)
		}
	})
}

func TestUnknownScriptsPass(t *testing.T) {
	tests := []struct {
		name   string
		sha    string
		keys   []string
		warned int
	}{
		{"another dequeue", "00000000000000000000000000000000000000ff", dequeueKeys, 1},
		{"three keys", "00000000000000000000000000000000000000ff", dequeueKeys[:3], 0},
		{"keys of two queues", "00000000000000000000000000000000000000ff", []string{pendingKey, "asynq:{other}:paused", activeKey, leaseKey}, 0},
		{"other keys", "00000000000000000000000000000000000000ff", []string{"a", "b", "c", "d"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner, log := newStaged(), &lines{}
				c := asynqredis.New(inner, asynqredis.Config{Logger: slog.New(slog.NewTextHandler(log, nil))})
				defer c.Close()
				for range 5 {
					if err := c.EvalSha(t.Context(), tt.sha, tt.keys).Err(); !errors.Is(err, redis.Nil) {
						t.Fatalf("answered %v", err)
					}
				}
				inner.pending = 1
				if got, err := c.EvalSha(t.Context(), tt.sha, tt.keys).Result(); err != nil || got != "task" {
					t.Fatalf("answered %v, %v", got, err)
				}
				if inner.sent["evalsha"] != 6 || inner.commands() != 6 {
					t.Errorf("sent %v, want the script six times", inner.sent)
				}
				if n := log.count("not known"); n != tt.warned {
					t.Errorf("warned %d times, want %d", n, tt.warned)
				}
			})
		})
	}
}
