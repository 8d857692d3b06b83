package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// In a cluster only what stands on a server that is full makes room there.
func TestReliefOfOneServerOfACluster(t *testing.T) {
	rdb := redistest.StartCluster(t).Client(t)
	admin := redistest.Admin(t, rdb).(*redis.ClusterClient)
	store := open(t, redisstore.Config{Redis: rdb})
	streams := map[string]int{} // by server
	for i := range 30 {
		e := endpointOf(fmt.Sprint("ep", i))
		if _, _, err := store.CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		stream := strings.Replace(redisstore.LineKey(e.Ref()), ":l:", ":h:", 1)
		if err := admin.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, ID: "1000-1", Values: []string{"h", "1"}}).Err(); err != nil {
			t.Fatal(err)
		}
		node, err := admin.MasterForKey(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		streams[node.Options().Addr]++
	}
	relief := store.Relief()
	if share, high, err := relief.Measure(t.Context(), 0.5); share != 0 || high || err != nil {
		t.Fatalf("without maxmemory: %v, %t, %v", share, high, err)
	}
	full, err := admin.MasterForKey(t.Context(), redisstore.LineKey(endpointOf("ep0").Ref()))
	if err != nil {
		t.Fatal(err)
	}
	if err := full.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	if share, high, err := relief.Measure(t.Context(), 0.5); share < 0.5 || !high || err != nil {
		t.Fatalf("with a full server: %v, %t, %v", share, high, err)
	}
	if oldest, err := relief.Oldest(t.Context(), redisstore.HistoryResponses, []string{brand, "another"}); err != nil ||
		!oldest[0].Equal(time.Unix(1, 0)) || !oldest[1].IsZero() {
		t.Errorf("the oldest is of %v, %v", oldest, err)
	}
	for _, tt := range []struct{ before, want int }{{1, 0}, {2, streams[full.Options().Addr]}, {3, 0}} {
		dropped, _, err := relief.Drop(t.Context(), redisstore.HistoryResponses, brand, time.Unix(int64(tt.before), 0))
		if err != nil || dropped != tt.want {
			t.Errorf("dropped %d before %d s, want %d of %v; %v", dropped, tt.before, tt.want, streams, err)
		}
	}
	var left atomic.Int64
	err = admin.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
		if node.Options().Addr == full.Options().Addr {
			return nil
		}
		keys, err := node.Keys(ctx, "oh:*:h:*").Result()
		for _, key := range keys {
			left.Add(node.XLen(ctx, key).Val())
		}
		return err
	})
	if want := 30 - streams[full.Options().Addr]; err != nil || int(left.Load()) != want {
		t.Errorf("%d are left elsewhere, want %d; %v", left.Load(), want, err)
	}
}

// An event that has only just ended stays, however little room there is, and so does what was never settled.
func TestReliefSparesTheYoung(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	want := w.pastAndPresent()
	want["late"] = "m" // its two hours would not be enough otherwise
	relief := w.Relief()
	dropped, more, err := relief.Drop(t.Context(), redisstore.HistoryEvents, brand, w.clock.Now().Add(time.Hour))
	if err != nil || dropped != 4 || more {
		t.Errorf("dropped %d, %t, %v", dropped, more, err)
	}
	w.wantBodies(want)
	if oldest, err := relief.Oldest(t.Context(), redisstore.HistoryEvents, []string{brand}); err != nil || !oldest[0].IsZero() {
		t.Errorf("what was passed by is looked at again: %v, %v", oldest, err)
	}
	w.clock.pass(11 * time.Second)
	relief.Rewind()
	if dropped, _, err := relief.Drop(t.Context(), redisstore.HistoryEvents, brand, w.clock.Now()); err != nil || dropped != 1 {
		t.Errorf("dropped %d, %v, want the one that is no longer young", dropped, err)
	}
}

// Of what was passed by the newest is looked at again at once.
func TestReliefLooksAgainAtWhatHasJustCome(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.settle(w.run("e1", "a"), delivered())
	relief := w.Relief()
	drop := func(want int) {
		t.Helper()
		if dropped, _, err := relief.Drop(t.Context(), redisstore.HistoryEvents, brand, w.clock.Now().Add(time.Minute)); err != nil || dropped != want {
			t.Fatalf("dropped %d, %v, want %d", dropped, err, want)
		}
	}
	drop(0)
	w.clock.pass(11 * time.Second)
	drop(0)
	relief.Begin()
	drop(1)
}
