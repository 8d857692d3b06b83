package queue_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded"
)

func Example() {
	server, err := embedded.Start()
	if err != nil {
		panic(err)
	}
	defer server.Close()
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer rdb.Close()

	q, err := queue.Open(queue.Config{Redis: rdb, Shards: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	ref := webhook.DeliveryRef{Brand: "acme", EventID: "evt_1", EndpointID: "ep_1"}
	run := webhook.Run{DeliveryRef: ref, Number: 1, Queue: q.QueueFor(ref.Endpoint())}
	ctx, cancel := context.WithCancel(context.Background())
	if err := q.Enqueue(ctx, []webhook.Run{run, run}); err != nil {
		panic(err)
	}
	err = q.Run(ctx, webhook.Handlers{
		Deliver: func(_ context.Context, run webhook.Run) error {
			fmt.Println(run.ID(), "from", run.Queue)
			cancel() // what a signal does in a daemon
			return nil
		},
		Wake: func(context.Context, webhook.EndpointRef, bool) error { return nil },
	})
	fmt.Println("drained:", err == nil)
	// Output:
	// acme:evt_1:ep_1:1 from live-0
	// drained: true
}
