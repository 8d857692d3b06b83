package redisstore_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// The bars of Redis memory, in bytes: a delivery that waits, and an event that
// was delivered and is kept as history. Measured figures: testdata/memory.txt.
const (
	waitingBar = 900
	historyBar = 1300
)

func TestMemory(t *testing.T) {
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		t.Skip("set OUTHOOK_TEST_LONG=1")
	}
	const deliveries = 50_000
	w := newWorld(t, redisstore.Config{})
	w.endpoint("ep_" + strings.Repeat("0", 32))
	before := w.usedMemory()
	runs := w.publishMany(deliveries, "ep_"+strings.Repeat("0", 32))
	w.reportMemory("waiting", before, deliveries, waitingBar)
	w.deliverAll(runs, deliveries)
	w.reportMemory("history", before, deliveries, historyBar)
}

// publishMany publishes n events of 350 bytes to one endpoint, and answers what was released.
func (w *world) publishMany(n int, endpoint string) []webhook.Run {
	const batch = 500
	var runs []webhook.Run
	for range n / batch {
		var fanouts []webhook.Fanout
		var refs []webhook.Event
		for range batch {
			e := w.event(webhook.NewID(webhook.EventPrefix))
			e.Payload = fmt.Appendf(nil, `{"filler":%q}`, bytes.Repeat([]byte("x"), 350-len(`{"filler":""}`)))
			fanouts = append(fanouts, webhook.Fanout{Event: e, Endpoints: []string{endpoint}})
			refs = append(refs, e)
		}
		answers, err := w.Admit(w.Context(), fanouts)
		w.must(err)
		w.must(w.Finish(w.Context(), refs))
		for _, a := range answers {
			runs = append(runs, a.Runs()...)
		}
		w.clock.pass(1e6)
	}
	return runs
}

// deliverAll works until everything is delivered at the first attempt.
func (w *world) deliverAll(runs []webhook.Run, want int) {
	done := 0
	for ; len(runs) > 0; done++ {
		run := runs[0]
		w.claim(run, webhook.ClaimGo)
		runs = append(runs[1:], w.settle(run, delivered())...)
	}
	if done != want {
		w.Fatalf("%d delivered, want %d", done, want)
	}
}

func (w *world) usedMemory() int {
	w.Helper()
	info, err := w.rdb.InfoMap(w.Context(), "memory").Result()
	w.must(err)
	n, err := strconv.Atoi(info["Memory"]["used_memory"])
	w.must(err)
	return n
}

// reportMemory logs what n deliveries take, by kind of key, and holds it against the bar.
func (w *world) reportMemory(what string, before, n, bar int) {
	w.Helper()
	each := (w.usedMemory() - before) / n
	w.Logf("%s: %d bytes each", what, each)
	byKind := map[string][]string{}
	for _, key := range keysOf(w, w.rdb, "") {
		byKind[kindOf(key)] = append(byKind[kindOf(key)], key)
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		keys := byKind[kind]
		sample := keys[:min(len(keys), 500)]
		total := int64(0)
		for _, key := range sample {
			size, err := w.rdb.MemoryUsage(w.Context(), key, 0).Result()
			w.must(err)
			total += size
		}
		w.Logf("%s: kind %-9s %6d keys, %4d bytes per delivery", what, kind, len(keys),
			total*int64(len(keys))/int64(len(sample))/int64(n))
	}
	if each > bar {
		w.Errorf("%s: %d bytes each, bar %d", what, each, bar)
	}
}
