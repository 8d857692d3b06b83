package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// In a cluster each master is waited for that holds a part: of the event, or of one of its deliveries.
func TestAPublishWaitsForEveryMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	rdb := cluster.Client(t)
	s := open(t, redisstore.Config{Redis: rdb, Durable: webhook.Durability{Replicas: 1, Timeout: 200 * time.Millisecond}})
	replicas := map[string]*redistest.Server{}
	servers, err := s.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range servers {
		replicas[one.Address] = cluster.AddReplica(t, one.Address)
	}
	master := func(key string) string {
		t.Helper()
		node, err := rdb.MasterForKey(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return node.Options().Addr
	}
	ref := endpointOf("a").Ref()
	if _, _, err := s.CreateEndpoint(t.Context(), endpointOf("a")); err != nil {
		t.Fatal(err)
	}
	home := master(redisstore.LineKey(ref))
	e := eventOf("e0", time.Now())
	for i := 0; master(redisstore.EventKey(e.Ref())) == home; i++ {
		e.ID = fmt.Sprint("e", i)
	}
	refused := func(why string) {
		t.Helper()
		if _, err := publishDurably(t, s, e, "a"); !errors.Is(err, webhook.ErrUnavailable) {
			t.Fatalf("%s: error %v, want unavailable", why, err)
		}
	}
	replicas[home].Stop(t)
	refused("the endpoint's replica is away")
	if err := s.Finish(t.Context(), []webhook.Event{e}); err != nil {
		t.Fatal(err)
	}
	refused("it is still away, and the fan-out finished by another")
	replicas[home].Continue(t)
	if a, err := accepted(t, s, e, "a"); err != nil || !a.Duplicate {
		t.Fatalf("all are there: %+v, %v", a, err)
	}
	moved := eventOf("moved", time.Now())
	for i := 0; master(redisstore.EventKey(moved.Ref())) == home; i++ {
		moved.ID = fmt.Sprint("moved", i)
	}
	moveSlot(t, redistest.Admin(t, rdb).(*redis.ClusterClient), redisstore.EventKey(moved.Ref()), home)
	if _, err := publishDurably(t, s, moved, "a"); err != nil && strings.Contains(err.Error(), "MOVED") { // not of a slow replica
		t.Errorf("it was not sent again after its slot: %v", err)
	}
	if _, err := accepted(t, s, moved, "a"); err != nil {
		t.Errorf("on another master: %v", err)
	}
	replicas[master(redisstore.EventKey(e.Ref()))].Stop(t)
	refused("the event's replica is away")
}

// moveSlot gives the slot of a key, which holds nothing, to another master. Clients do not know yet.
func moveSlot(t *testing.T, admin *redis.ClusterClient, key, to string) {
	t.Helper()
	slot := admin.ClusterKeySlot(t.Context(), key).Val()
	var id string
	each := func(do func(ctx context.Context, node *redis.Client) error) {
		t.Helper()
		if err := admin.ForEachMaster(t.Context(), do); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	each(func(ctx context.Context, node *redis.Client) error {
		own, err := node.Do(ctx, "CLUSTER", "MYID").Text()
		mu.Lock()
		defer mu.Unlock()
		if node.Options().Addr == to {
			id = own
		}
		return err
	})
	each(func(ctx context.Context, node *redis.Client) error {
		return node.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", id).Err()
	})
}
