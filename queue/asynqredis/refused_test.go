package asynqredis_test

import (
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// The end of a task has not been written when Redis refused the connection, though others' ends went with it.
func TestAnEndIsNotWrittenByARefusedConnection(t *testing.T) {
	redistest.OneServer(t, "users are changed of one server")
	server := redistest.Start(t)
	options := redistest.Options(server.Addr())
	options.Username, options.Password = "default", "the one before"
	inner := redis.NewClient(options)
	defer inner.Close()
	c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
	defer c.Close()
	if err := server.Admin(t).Do(t.Context(), "ACL", "SETUSER", "default", "on", "resetpass", ">another").Err(); err != nil {
		t.Fatal(err)
	}
	keys := []string{activeKey, leaseKey, taskPrefix + "1"}
	var ending sync.WaitGroup
	for range 50 {
		ending.Go(func() {
			if err := c.Eval(t.Context(), "return 'OK'", keys).Err(); err == nil {
				t.Error("no error")
			}
		})
	}
	ending.Wait()
}
