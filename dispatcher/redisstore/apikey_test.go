package redisstore_test

import (
	"errors"
	"testing"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// A key that was cut off as it was made is not in force, and its repetition makes it.
func TestAKeyIsListedBeforeItIsInForce(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	mended := false
	w.client.AddHook(cutOff("set", &mended))
	if err := w.CreateKey(t.Context(), keyOf("key_a")); !errors.Is(err, webhook.ErrUnavailable) {
		t.Fatalf("cut off: %v", err)
	}
	w.wantKeys()
	if n := w.rdb.SCard(t.Context(), w.only("keys")).Val(); n != 1 {
		t.Fatalf("%d ids listed, want 1", n)
	}
	mended = true
	w.must(w.CreateKey(t.Context(), keyOf("key_a")))
	w.wantKeys("key_a")
}

// A deletion ends the key first, whatever comes after, and its repetition ends the rest.
func TestADeletedKeyIsNotInForceBeforeItIsUnlisted(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.must(w.CreateKey(t.Context(), keyOf("key_a")))
	mended := false
	w.client.AddHook(cutOff("srem", &mended))
	if err := w.DeleteKey(t.Context(), "key_a"); !errors.Is(err, webhook.ErrUnavailable) {
		t.Fatalf("cut off: %v", err)
	}
	w.wantKeys()
	if _, err := w.Key(t.Context(), "key_a"); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("the key: %v", err)
	}
	mended = true
	if err := w.DeleteKey(t.Context(), "key_a"); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("again: %v", err)
	}
	if keys := keysOf(t, w.rdb, ""); len(keys) != 0 {
		t.Fatalf("%v are left", keys)
	}
}

func (w *world) wantKeys(ids ...string) {
	w.Helper()
	keys, err := w.Keys(w.Context())
	w.must(err)
	if len(keys) != len(ids) {
		w.Fatalf("keys %v, want %v", keys, ids)
	}
	for i, k := range keys {
		if k != keyOf(ids[i]) {
			w.Errorf("key %+v, want %+v", k, keyOf(ids[i]))
		}
	}
}
