package plain

import (
	"context"
	"net/http"
	"time"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/signer"
)

// Timeout bounds an attempt, as outhook's default does.
const Timeout = 15 * time.Second

// Redis says where the tasks are.
type Redis struct {
	Addr string
	// Pool is how many connections there may be.
	Pool int
}

func (r Redis) options() asynq.RedisClientOpt {
	return asynq.RedisClientOpt{Addr: r.Addr, PoolSize: r.Pool}
}

// Publisher enqueues webhooks. Close it.
type Publisher struct{ client *asynq.Client }

// NewPublisher returns one that connects when it is used.
func (r Redis) NewPublisher() Publisher { return Publisher{asynq.NewClient(r.options())} }

// Publish enqueues a webhook.
func (p Publisher) Publish(ctx context.Context, w Webhook) error { return Enqueue(ctx, p.client, w) }

// Close closes the connections.
func (p Publisher) Close() error { return p.client.Close() }

// Work delivers what is enqueued, so many at once, until ctx ends. Polling and retries are Asynq's defaults; the transport keeps
// as many connections as outhook's. Errors: that of Asynq, when Redis is not there.
func (r Redis) Work(ctx context.Context, concurrency int, secret signer.Secret) error {
	transport := &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 256, DisableCompression: true}
	defer transport.CloseIdleConnections()
	server := asynq.NewServer(r.options(), asynq.Config{Concurrency: concurrency, LogLevel: asynq.ErrorLevel})
	if err := server.Start(Deliver(&http.Client{Timeout: Timeout, Transport: transport}, secret)); err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}
