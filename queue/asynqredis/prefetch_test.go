package asynqredis_test

import (
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
)

// dequeue asks as Asynq does.
func dequeue(t *testing.T, c *asynqredis.Client, sha string) *redis.Cmd {
	t.Helper()
	return c.EvalSha(t.Context(), sha, dequeueKeys, asynqLease(), taskPrefix)
}

func TestTasksAreTakenInBatches(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			inner, seen := open(t), &recorder{}
			inner.AddHook(seen)
			for i := range 50 {
				enqueue(t, inner, strconv.Itoa(i))
			}
			w := startWorker(t, inner, asynqredis.Config{Free: func() int { return 16 }})
			got := map[string]int{}
			for range 50 {
				got[<-w.handled]++
			}
			w.shutdown()
			for i := range 50 {
				if n := got[strconv.Itoa(i)]; n != 1 {
					t.Errorf("task %d was handled %d times", i, n)
				}
			}
			// 16, 16, 9, 5, 2, 1, 1
			if n := seen.count("evalsha", pendingKey) + seen.count("eval", pendingKey); n > 12 {
				t.Errorf("%d pops", n)
			}
			if n := left(t, inner); n != 0 {
				t.Errorf("%d entries are left", n)
			}
		})
	}
}
