package asynqredis_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// envChild makes this test binary a worker on the Redis that it names.
const envChild = "OUTHOOK_TEST_CHILD_REDIS"

// workAsChild has four handlers, each of which works until SIGTERM, and takes more tasks than they can have.
func workAsChild() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	inner := redis.NewUniversalClient(redistest.OptionsOf(os.Getenv(envChild)))
	client := asynqredis.New(inner, asynqredis.Config{Logger: quiet(), Free: many})
	server := asynq.NewServerFromRedisClient(client, serverConfig(&lines{}, time.Millisecond))
	ending := make(chan struct{})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		<-ending
		return nil
	})); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-term
	close(ending)
	client.Stop()
	server.Shutdown()
	client.Close()
}

// startChild answers when the child holds tasks that none of its handlers has.
func startChild(t *testing.T, server *redistest.Server, direct redis.UniversalClient) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+server.URL())
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, 30*time.Second, "tasks are held", func() bool { return len(lookAt(t, direct).active) > 4 })
	return cmd
}

func TestTerminatedWithTasksHeld(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	direct := server.Client(t)
	fill(t, direct, 40)
	before := lookAt(t, direct)
	cmd := startChild(t, server, direct)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("child: %v", err)
	}
	after := lookAt(t, direct)
	if len(after.active) > 0 || len(after.leases) > 0 {
		t.Errorf("stranded: %v, %v", after.active, after.leases)
	}
	if n := len(after.pending); n < 30 || n > 36 || !slices.Equal(after.pending, before.pending[:n]) { // handlers that ended may have had others after them
		t.Errorf("pending: %v", after.pending)
	}
}

// Nobody gives back what a killed worker held: its leases tell, and end.
func TestKilledWithTasksHeld(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	direct := server.Client(t)
	fill(t, direct, 40)
	cmd := startChild(t, server, direct)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	after := lookAt(t, direct)
	if len(after.active) <= 4 || len(after.pending)+len(after.active) != 40 {
		t.Fatalf("after the kill: %v", after)
	}
	latest := float64(asynqLease() + 1)
	for _, id := range after.active {
		if lease := after.leases[id]; lease < latest-30 || lease > latest || after.tasks[id]["state"] != "active" {
			t.Errorf("%s: lease %v, %v", id, lease, after.tasks[id])
		}
	}
	inner := server.Client(t)
	inner.ZAdd(t.Context(), leaseKey, ended(after.active)...) // a minute later
	w := startWorker(t, inner, asynqredis.Config{})           // its recoverer looks at once, and has them retried
	eventually(t, 10*time.Second, "all are handled or wait for their retry", func() bool {
		return len(w.handled) == 40-len(after.active) &&
			int(direct.ZCard(t.Context(), "asynq:{"+queue+"}:retry").Val()) == len(after.active)
	})
}

func ended(ids []string) []redis.Z {
	leases := make([]redis.Z, len(ids))
	for i, id := range ids {
		leases[i] = redis.Z{Score: float64(time.Now().Add(-time.Minute).Unix()), Member: id}
	}
	return leases
}
