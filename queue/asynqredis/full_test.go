package asynqredis_test

import (
	"strconv"
	"testing"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// What is prefetched goes back to a Redis that is full, too.
func TestAFullRedisTakesTasksBack(t *testing.T) {
	inner := redistest.Start(t).Client(t)
	admin := redistest.Admin(t, inner)
	for i := range 8 {
		enqueue(t, inner, strconv.Itoa(i))
	}
	c := asynqredis.New(inner, asynqredis.Config{Free: func() int { return 4 }, Logger: quiet()})
	if err := c.EvalSha(t.Context(), dequeueSHA(t), dequeueKeys, asynqLease(), taskPrefix).Err(); err != nil {
		t.Fatal(err)
	}
	redistest.Configure(t, admin, "maxmemory", "1")
	c.Close()
	if n := inner.LLen(t.Context(), pendingKey).Val(); n != 7 {
		t.Errorf("%d tasks pending, want all but the one that was handed over", n)
	}
}
