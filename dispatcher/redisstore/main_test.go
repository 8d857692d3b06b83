package redisstore_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/storetest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The kind of Redis is that of OUTHOOK_TEST_REDIS.
func TestConformanceOnRedis(t *testing.T) {
	conform(t, redistest.Start(t).Client(t))
}

func TestConformanceOnCluster(t *testing.T) {
	conform(t, redistest.StartCluster(t).Client(t))
}

func TestConformanceOnEmbedded(t *testing.T) {
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { rdb.Close() })
	conform(t, rdb)
}

func conform(t *testing.T, rdb redis.UniversalClient) {
	admin := redistest.Admin(t, rdb)
	storetest.Run(t, func(t *testing.T, s storetest.Settings) webhook.Store {
		flush(t, admin)
		return open(t, redisstore.Config{
			Redis: rdb, Now: s.Now, MaxAge: s.MaxAge, MaxInFlight: s.MaxInFlight, EndpointsPerBrand: s.EndpointsPerBrand,
		})
	})
}

// open returns a store; keys and queues are the test's own unless given.
func open(t testing.TB, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	if cfg.Keys.IsZero() {
		cfg.Keys = redisstore.NewKeyRing()
	}
	cfg.QueueFor = func(webhook.EndpointRef) string { return "live-1" }
	store, err := redisstore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func flush(t testing.TB, rdb redis.UniversalClient) {
	t.Helper()
	redistest.Each(t, rdb, func(ctx context.Context, node *redis.Client) error { return node.FlushAll(ctx).Err() })
}
