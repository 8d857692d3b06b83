package redistest_test

import (
	"context"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRestartKeepsWhatTheArgumentsKeep(t *testing.T) {
	tests := []struct {
		name string
		opts []string
		kept bool
	}{
		{"nothing by default", nil, false},
		{"append-only file", []string{"--appendonly", "yes", "--appendfsync", "always"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := redistest.Start(t, tt.opts...)
			c, addr := redistest.Admin(t, s.Client(t)), s.Addr()
			if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			s.Kill()
			if err := c.Get(t.Context(), "k").Err(); err == nil {
				t.Fatal("a killed server answers")
			}
			s.Restart(t)
			if s.Addr() != addr {
				t.Fatalf("restarted at %s, was at %s", s.Addr(), addr)
			}
			n, err := c.Exists(t.Context(), "k").Result()
			if err != nil || (n == 1) != tt.kept {
				t.Fatalf("key kept: %v, want %v (error %v)", n == 1, tt.kept, err)
			}
		})
	}
}

func TestStoppedServerAnswersAfterContinue(t *testing.T) {
	s := redistest.Start(t)
	options := redistest.Options(s.Addr())
	options.ReadTimeout, options.MaxRetries = 100*time.Millisecond, -1
	c := redis.NewClient(options)
	t.Cleanup(func() { c.Close() })
	s.Stop(t)
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Fatal("a stopped server answers")
	}
	s.Continue(t)
	if err := s.Client(t).Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestClusterServesEverySlot(t *testing.T) {
	c := redistest.Admin(t, redistest.StartCluster(t).Client(t)).(*redis.ClusterClient)
	for i := range 100 {
		if err := c.Set(t.Context(), "key"+strconv.Itoa(i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var nodes atomic.Int32
	if err := c.ForEachMaster(t.Context(), func(ctx context.Context, n *redis.Client) error {
		if n.DBSize(ctx).Val() > 0 {
			nodes.Add(1)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if nodes.Load() != 3 {
		t.Fatalf("keys lie on %d nodes, want 3", nodes.Load())
	}
}

func TestReplicaCopies(t *testing.T) {
	primary := redistest.Start(t)
	if err := primary.Admin(t).Set(t.Context(), "before", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	replica := redistest.StartReplica(t, primary)
	if n := replica.Admin(t).Exists(t.Context(), "before").Val(); n != 1 {
		t.Fatal("the replica is not in step")
	}
	if n := primary.Admin(t).(*redis.Client).Wait(t.Context(), 1, 0).Val(); n != 1 {
		t.Fatalf("%d replicas, want 1", n)
	}
}

func TestClusterReplicaCopies(t *testing.T) {
	c := redistest.StartCluster(t)
	rdb := redistest.Admin(t, c.Client(t)).(*redis.ClusterClient)
	if err := rdb.Set(t.Context(), "key", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	master, err := rdb.MasterForKey(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	if n := c.AddReplica(t, master.Options().Addr).Admin(t).DBSize(t.Context()).Val(); n != 1 {
		t.Fatalf("the replica has %d keys, want 1", n)
	}
}

func TestWithoutServerOnPath(t *testing.T) {
	for require, want := range map[string]string{"": "skip", "chrome": "skip", "redis": "fatal", "chrome,redis": "fatal"} {
		t.Run("require "+require, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			t.Setenv("OUTHOOK_TEST_REQUIRE", require)
			fake := &verdict{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				redistest.Start(fake)
			}()
			<-done
			if fake.got != want {
				t.Fatalf("the test would %q, want %q", fake.got, want)
			}
		})
	}
}

// verdict notes how a test would have ended, and ends the goroutine as a real one does.
type verdict struct {
	testing.TB
	got string
}

func (v *verdict) Skip(...any) {
	v.got = "skip"
	runtime.Goexit()
}

func (v *verdict) Fatal(...any) {
	v.got = "fatal"
	runtime.Goexit()
}
