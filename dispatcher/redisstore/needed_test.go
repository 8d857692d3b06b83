package redisstore_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// The key that an endpoint failed by may not be the only one that it needs.
func TestReencryptKeepsEveryKeyThatMayBeNeeded(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2, k3 := newEntry("k1"), newEntry("k2"), newEntry("k3")
	create(t, w.ringOf(k1), guarded("a"), guarded("b"))
	w.must(w.ringOf(k1, k2).CheckKeys(t.Context()))
	ring := parseRing(t, k2)
	w.settings(w.ref("a"), func(kept map[string]any) { // its headers damaged, its secrets not
		kept["headers"] = flip(redisstore.Seal(ring, []byte("{}"), w.ref("a"), "headers"))
	})
	did := reencrypt(t, w.ringOf(k3, k1, k2))
	if did.Moved != 1 || len(did.Failed) != 1 || did.Failed[0].KeyID != "k2" {
		t.Fatalf("%+v", did)
	}
	wantRefused(t, w.ringOf(k3, k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1", Missing: true})
	wantRefused(t, w.ringOf(k3, k1).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k2", Missing: true})
}

// A process may seal with a key while another, that lacks it, lets it go.
func TestAKeyThatIsUsedWhileItIsLetGoIsNeeded(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	create(t, w.ringOf(k2, k1), guarded("a"))
	beside := open(t, redisstore.Config{Redis: w.server.Client(t), Keys: parseRing(t, k1, k2)})
	w.must(beside.CheckKeys(t.Context()))
	made := false
	w.client.AddHook(staged{command: func(next redis.ProcessHook) redis.ProcessHook {
		return func(ctx context.Context, cmd redis.Cmder) error {
			if cmd.Name() == "hdel" && !made {
				made = true
				create(t, beside, guarded("late"))
			}
			return next(ctx, cmd)
		}
	}})
	for range 2 { // the next start has to know, too
		wantRefused(t, w.ringOf(k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1", Missing: true})
	}
	if !made {
		t.Error("nothing was let go")
	}
	reencrypt(t, w.ringOf(k2, k1))
	w.must(w.ringOf(k2).CheckKeys(t.Context()))
}
