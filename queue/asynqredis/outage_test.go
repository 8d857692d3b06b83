package asynqredis_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

const (
	away = 5 * time.Second

	// Asynq repeats every five seconds what it could not write. A task it never writes off comes again after about a minute.
	writtenWithin = 15 * time.Second
)

// A task that ends while Redis is away is written off once Redis is back. Otherwise it would stay active until its lease is
// over and be delivered again.
func TestTaskFinishedWhileRedisIsAwayEnds(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "it is killed and started again")
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	inner := server.Client(t)
	var runs atomic.Int32
	started, finish := make(chan struct{}, 10), make(chan struct{})
	client := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
	log := &lines{}
	worker := asynq.NewServerFromRedisClient(client, serverConfig(log, time.Millisecond))
	if err := worker.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		runs.Add(1)
		started <- struct{}{}
		<-finish
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Stop()
		worker.Shutdown()
		client.Close()
	})

	enqueue(t, inner, "once")
	<-started
	server.Kill()
	back := time.After(away)
	close(finish)
	eventually(t, 30*time.Second, "Asynq cannot write the end", func() bool { return log.count("Will retry syncing") > 0 })
	<-back
	server.Restart(t)
	fresh := redistest.Admin(t, server.Client(t)) // the worker's may still be telling the error of its last dial
	if left(t, fresh) == 0 {
		t.Fatal("nothing of the task is in the restarted Redis")
	}
	eventually(t, writtenWithin, "the task has ended", func() bool { return left(t, fresh) == 0 })
	if n := runs.Load(); n != 1 {
		t.Fatalf("the task ran %d times", n)
	}
}

// left counts what there is of tasks: entries in the active list and among the leases, and tasks themselves.
func left(t testing.TB, c redis.UniversalClient) int64 {
	t.Helper()
	c = redistest.Admin(t, c) // it lists keys
	var active, leases *redis.IntCmd
	if _, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		active, leases = p.LLen(t.Context(), activeKey), p.ZCard(t.Context(), leaseKey)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return active.Val() + leases.Val() + int64(len(redistest.Keys(t, c, "asynq:{"+queue+"}:t:*")))
}
