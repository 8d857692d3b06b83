package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// masterName is what the sentinel calls what it watches.
	masterName = "outhook"
	// sentinelDown is how long a master has to be silent to be down.
	sentinelDown = time.Second
	// sentinelAgain bounds a failover; one that came to nothing is tried again after twice as long.
	sentinelAgain = 10 * time.Second
)

// Sentinel is a master with a replica, and a sentinel that has the replica take over when the master has been silent for a second.
type Sentinel struct {
	Master, Replica *Server // which is which at the start
	watch           *Server
}

// StartSentinel runs all three until the test ends, and returns once the sentinel knows the replica. The arguments are those of
// master and replica, as for [Start].
func StartSentinel(t testing.TB, opts ...string) *Sentinel {
	t.Helper()
	s := &Sentinel{Master: startOne(t, opts...)}
	s.Replica = StartReplica(t, s.Master, opts...)
	if s.Master.users != "" { // it may come back as a replica
		s.Master.allowCopying(t)
	}
	s.watch = &Server{binary: findServer(t), dir: t.TempDir(), opts: []string{"--sentinel"}}
	s.watch.file = filepath.Join(s.watch.dir, "sentinel.conf")
	if err := os.WriteFile(s.watch.file, []byte(s.configuration()), 0o600); err != nil {
		t.Fatalf("start sentinel: %v", err)
	}
	if err := s.watch.begin(t); err != nil {
		t.Fatalf("start sentinel: %v", err)
	}
	s.awaitReplica(t)
	return s
}

func (s *Sentinel) configuration() string {
	lines := []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1", masterName, s.Master.port),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", masterName, sentinelDown.Milliseconds()),
		fmt.Sprintf("sentinel failover-timeout %s %d", masterName, sentinelAgain.Milliseconds()),
	}
	if s.Master.users != "" {
		lines = append(lines, "sentinel auth-user "+masterName+" "+admin, "sentinel auth-pass "+masterName+" "+Password)
	}
	return strings.Join(lines, "\n") + "\n"
}

// awaitReplica waits until the sentinel knows a replica that could take over.
func (s *Sentinel) awaitReplica(t testing.TB) {
	t.Helper()
	ask := redis.NewSentinelClient(&redis.Options{Addr: s.watch.Addr()})
	defer func() { _ = ask.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	for {
		replicas, err := ask.Replicas(ctx, masterName).Result()
		if err == nil && len(replicas) == 1 && replicas[0]["flags"] == "slave" && replicas[0]["master-link-status"] == "ok" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("start sentinel: it knows no replica within %v: %v, %v", readyWithin, replicas, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL is where the sentinel is, for the user of [Options].
func (s *Sentinel) URL() string {
	return "redis-sentinel://" + userInfo() + s.watch.Addr() + "/?master=" + masterName
}

// Server is all of it, as [Start] would answer it.
func (s *Sentinel) Server() *Server { return &Server{whole: s} }
