package redisstore_test

import (
	"testing"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// A plain client may talk to a server in cluster mode that holds all slots: it
// refuses scripts with keys of several tags, and everything works without them.
func TestOneServerInClusterMode(t *testing.T) {
	redistest.OneServer(t, "it is about one server that holds all slots")
	w := newWorld(t, redisstore.Config{}, "--cluster-enabled", "yes")
	w.must(w.rdb.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	for w.rdb.ClusterInfo(t.Context()).Val() == "" || w.rdb.Set(t.Context(), "probe", "1", 0).Err() != nil {
		if t.Context().Err() != nil {
			t.Fatal("the server does not serve its slots")
		}
	}
	w.must(w.rdb.Del(t.Context(), "probe").Err())
	w.endpoint("a")
	run := w.run("e1", "a")
	w.claim(run, webhook.ClaimGo)
	w.settle(run, delivered())
	w.run("e2", "a")
}
