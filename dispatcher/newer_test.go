package dispatcher_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// An event in a format that this version does not know, whose delivery is in the queue and whose fan-out is to be finished, is
// left to the version that knows it, and delivered once that one, here the format, is there. Others are not kept waiting.
func TestWhatANewerVersionWroteIsLeftToIt(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := onServer(t, server, idle)
	r := publisher.Receiver(t, "acme", webhook.PurposeStatus)
	publish(t, publisher, event("theirs"))
	publisher.Stop()
	rdb := server.Admin(t)
	key := keyEnding(t, rdb, "e:acme:theirs")
	admitting := key[:len("oh:{s00}:")] + "admitting"
	format := func(b string) {
		t.Helper()
		if err := rdb.SetRange(t.Context(), key, 0, b).Err(); err != nil {
			t.Fatal(err)
		}
	}
	format("9")
	if err := rdb.ZAdd(t.Context(), admitting, redis.Z{Score: 1, Member: "acme:theirs"}).Err(); err != nil {
		t.Fatal(err)
	}
	var log diary
	d := onServer(t, server, log.keep)
	publish(t, d, event("ours"))
	d.WaitDelivered(t, "acme", "ours")
	dispatchertest.Eventually(t, func() bool {
		return log.count("reconciler cannot look after this") > 0 && log.count("handler error, task comes again") > 0
	})
	if rdb.GetRange(t.Context(), key, 0, 0).Val() != "9" || rdb.ZScore(t.Context(), admitting, "acme:theirs").Val() != 1 || len(r.Received()) != 1 {
		t.Errorf("it was touched; received %d", len(r.Received()))
	}
	format("1")
	d.WaitDelivered(t, "acme", "theirs")
	dispatchertest.Eventually(t, func() bool { return rdb.ZCard(t.Context(), admitting).Val() == 0 })
	if n := len(r.Received()); n != 2 {
		t.Errorf("received %d webhooks after %s", n, time.Since(r.Received()[0].At))
	}
}

func keyEnding(t *testing.T, rdb redis.UniversalClient, end string) string {
	t.Helper()
	keys := redistest.Keys(t, rdb, "oh:*:"+end)
	if len(keys) != 1 {
		t.Fatalf("keys ending in %s: %v", end, keys)
	}
	return keys[0]
}
