package redisstore_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
)

// storedFile is everything that the version before this one had in a Redis, one line a key. Write it anew, with -update,
// only when a version is out, and then with that version.
const storedFile = "stored.jsonl"

// storedRing is the encryption key of that Redis; it guards nothing.
func storedRing(t testing.TB) redisstore.KeyRing {
	return parseRing(t, "fixed:"+strings.Repeat("A", 43)+"=")
}

// storedKey is one key of Redis with what it holds.
type storedKey struct {
	Key     string              `json:"key"`
	Ends    bool                `json:"ends,omitempty"` // has a time to live
	String  []byte              `json:"string,omitempty"`
	Hash    map[string]string   `json:"hash,omitempty"`
	Set     []string            `json:"set,omitempty"`
	Scores  map[string]float64  `json:"scores,omitempty"`
	Entries []map[string]string `json:"entries,omitempty"` // of a stream; its id is under ""
}

// readStored answers the keys, and when they were read.
func readStored(t testing.TB) ([]storedKey, time.Time) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", storedFile))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	var at int64
	if err := decoder.Decode(&at); err != nil {
		t.Fatal(err)
	}
	var keys []storedKey
	for decoder.More() {
		var k storedKey
		if err := decoder.Decode(&k); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys, time.UnixMilli(at).UTC()
}

// restored is a store of today on what the version before had written, at that time.
func restored(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, redisstore.Config{})
	keys, at := readStored(t)
	w.keys, w.clock.now = storedRing(t), at
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: w.keys, Now: w.clock.Now})
	for _, k := range keys {
		k.restore(w)
	}
	return w
}

func (k storedKey) restore(w *world) {
	w.Helper()
	ctx := w.Context()
	switch {
	case k.String != nil:
		w.must(w.rdb.Set(ctx, k.Key, k.String, 0).Err())
	case k.Hash != nil:
		w.must(w.rdb.HSet(ctx, k.Key, k.Hash).Err())
	case k.Set != nil:
		for _, member := range k.Set {
			w.must(w.rdb.SAdd(ctx, k.Key, member).Err())
		}
	case k.Scores != nil:
		for member, score := range k.Scores {
			w.must(w.rdb.ZAdd(ctx, k.Key, redis.Z{Member: member, Score: score}).Err())
		}
	default:
		for _, entry := range k.Entries {
			id := entry[""]
			delete(entry, "")
			w.must(w.rdb.XAdd(ctx, &redis.XAddArgs{Stream: k.Key, ID: id, Values: entry}).Err())
		}
	}
	if k.Ends {
		w.must(w.rdb.PExpire(ctx, k.Key, time.Hour).Err())
	}
}

// store writes down everything that this Redis holds.
func (w *world) store() {
	w.Helper()
	var out strings.Builder
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	w.must(lines.Encode(w.clock.Now().UnixMilli()))
	keys := keysOf(w, w.rdb, "")
	slices.Sort(keys)
	for _, key := range keys {
		if kindOf(key) != "lock" {
			w.must(lines.Encode(w.read(key)))
		}
	}
	w.must(os.WriteFile(filepath.Join("testdata", storedFile), []byte(out.String()), 0o644))
}

func (w *world) read(key string) storedKey {
	w.Helper()
	ctx, k := w.Context(), storedKey{Key: key, Ends: w.ttl(key) > 0}
	kind, err := w.rdb.Type(ctx, key).Result()
	w.must(err)
	switch kind {
	case "string":
		k.String, err = w.rdb.Get(ctx, key).Bytes()
	case "hash":
		k.Hash, err = w.rdb.HGetAll(ctx, key).Result()
	case "set":
		k.Set, err = w.rdb.SMembers(ctx, key).Result()
		slices.Sort(k.Set)
	case "zset":
		k.Scores = map[string]float64{}
		var members []redis.Z
		members, err = w.rdb.ZRangeWithScores(ctx, key, 0, -1).Result()
		for _, m := range members {
			k.Scores[m.Member.(string)] = m.Score
		}
	case "stream":
		var entries []redis.XMessage
		entries, err = w.rdb.XRange(ctx, key, "-", "+").Result()
		for _, e := range entries {
			entry := map[string]string{"": e.ID}
			for name, value := range e.Values {
				entry[name] = value.(string)
			}
			k.Entries = append(k.Entries, entry)
		}
	default:
		w.Fatalf("%s is a %s", key, kind)
	}
	w.must(err)
	return k
}
