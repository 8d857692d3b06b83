package redistest

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"
)

// StartReplica runs a server as [Start] does that copies another one, and returns once it has all of it. It may be killed
// and frozen like any other.
func StartReplica(t testing.TB, of *Server, opts ...string) *Server {
	t.Helper()
	primary := of.admin(t)
	// By default a primary waits seconds for more replicas before it sends its data.
	if err := primary.ConfigSet(t.Context(), "repl-diskless-sync-delay", "0").Err(); err != nil {
		t.Fatalf("start replica: %v", err)
	}
	opts = append([]string{"--replicaof", "127.0.0.1", strconv.Itoa(of.port)}, opts...)
	if of.users != "" {
		opts = append(opts, "--masteruser", admin, "--masterauth", Password)
	}
	s := startOne(t, opts...)
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	online := ",port=" + strconv.Itoa(s.port) + ",state=online,"
	for !strings.Contains(primary.Info(ctx, "replication").Val(), online) {
		select {
		case <-ctx.Done():
			t.Fatalf("start replica: not in step within %v", readyWithin)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return s
}

// allowCopying lets a server with users copy another one, whenever it is to.
func (s *Server) allowCopying(t testing.TB) {
	t.Helper()
	for key, value := range map[string]string{"masteruser": admin, "masterauth": Password} {
		if err := s.admin(t).ConfigSet(t.Context(), key, value).Err(); err != nil {
			t.Fatalf("allow copying: %v", err)
		}
	}
}
