package redisstore_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// ringOf opens a store beside the world's own, with these keys.
func (w *world) ringOf(entries ...string) *redisstore.Store {
	w.Helper()
	return open(w, redisstore.Config{Redis: w.client, Keys: parseRing(w, entries...), Now: w.clock.Now})
}

// newEntry is an entry of secrets.keys.
func newEntry(id string) string {
	_, entry := randomKey(id)
	return entry
}

// wantRefused expects the refusal of a key, and its words.
func wantRefused(t *testing.T, err error, want webhook.KeyError) {
	t.Helper()
	got, ok := errors.AsType[*webhook.KeyError](err)
	if !ok || *got != want || notThat(err) {
		t.Fatalf("error %v, want the refusal %+v", err, want)
	}
	if text := err.Error(); !strings.Contains(text, `secrets.keys: key "`+want.KeyID+`"`) {
		t.Errorf("error %q does not name the key", text)
	}
}

// everything is what stands in Redis, by key; but for locks, which end by themselves.
func (w *world) everything() map[string]string {
	w.Helper()
	all := map[string]string{}
	for _, key := range keysOf(w, w.rdb, "") {
		if kindOf(key) != "lock" {
			all[key] = w.dump(key)
		}
	}
	return all
}

func TestKeysAreChecked(t *testing.T) {
	good, other := newEntry("k1"), newEntry("k2")
	impostor, fresh := newEntry("k1"), newEntry("k3")
	for name, tt := range map[string]struct {
		ring []string
		want *webhook.KeyError
	}{
		"the same ring":          {[]string{good, other}, nil},
		"another order":          {[]string{other, good}, nil},
		"a new key at the end":   {[]string{good, other, fresh}, nil},
		"a new key at the front": {[]string{fresh, good, other}, nil},
		"without the idle key":   {[]string{good}, nil},
		"another under its id":   {[]string{impostor, other}, &webhook.KeyError{KeyID: "k1"}},
		"another at the end":     {[]string{other, impostor}, &webhook.KeyError{KeyID: "k1"}},
		"another beside a new":   {[]string{fresh, impostor}, &webhook.KeyError{KeyID: "k1"}},
		"without the key":        {[]string{other}, &webhook.KeyError{KeyID: "k1", Missing: true}},
		"only a new key":         {[]string{fresh}, &webhook.KeyError{KeyID: "k1", Missing: true}},
		"the key under a new id": {[]string{"k9" + good[2:]}, &webhook.KeyError{KeyID: "k1", Missing: true}},
	} {
		for _, known := range []bool{true, false} {
			t.Run(name+map[bool]string{true: "", false: ", without canaries"}[known], func(t *testing.T) {
				w := newWorld(t, redisstore.Config{})
				first := w.ringOf(good, other)
				if _, _, err := first.CreateEndpoint(t.Context(), endpointOf("a")); err != nil {
					t.Fatal(err)
				}
				if !known { // as an older version leaves it
					w.must(w.rdb.Del(t.Context(), w.only("canaries")).Err())
				}
				before := w.everything()
				err := w.ringOf(tt.ring...).CheckKeys(t.Context())
				if tt.want == nil {
					w.must(err)
					return
				}
				wantRefused(t, err, *tt.want)
				if diff := cmp.Diff(before, w.everything()); diff != "" {
					t.Errorf("the refused process changed what is stored:\n%s", diff)
				}
			})
		}
	}
}

// On an empty Redis any key is right, and from then on it is the right one.
func TestTheFirstKeyIsTheRightOne(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.must(w.ringOf(newEntry("k1")).CheckKeys(t.Context()))
	wantRefused(t, w.ringOf(newEntry("k1")).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1"})
}

// A process that never checked seals nothing all the same, and leaves nothing.
func TestNothingIsSealedWithAWrongKey(t *testing.T) {
	for name, tt := range map[string]struct {
		ring []string
		want webhook.KeyError
	}{
		"another": {[]string{newEntry("k1")}, webhook.KeyError{KeyID: "k1"}},
		"none":    {[]string{newEntry("k2")}, webhook.KeyError{KeyID: "k1", Missing: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			if _, _, err := w.ringOf(newEntry("k1")).CreateEndpoint(t.Context(), endpointOf("a")); err != nil {
				t.Fatal(err)
			}
			before := w.everything()
			wrong := w.ringOf(tt.ring...)
			_, _, err := wrong.CreateEndpoint(t.Context(), endpointOf("b"))
			wantRefused(t, err, tt.want)
			_, _, err = wrong.UpdateEndpoint(t.Context(), w.ref("a"), func(e *webhook.Endpoint) error {
				t.Error("the change was made")
				return nil
			})
			wantRefused(t, err, tt.want)
			if diff := cmp.Diff(before, w.everything()); diff != "" {
				t.Errorf("stored:\n%s", diff)
			}
		})
	}
}

// Of processes that start at once with different keys under one id, one is right.
func TestOneOfManyAtOnceIsRight(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		store := w.ringOf(newEntry("k1"), newEntry("k2"))
		wg.Go(func() { _, _, errs[i] = store.CreateEndpoint(t.Context(), endpointOf("a")) })
	}
	wg.Wait()
	right := 0
	for _, err := range errs {
		if err == nil {
			right++
			continue
		}
		if _, ok := errors.AsType[*webhook.KeyError](err); !ok {
			t.Errorf("error %v", err)
		}
	}
	if right != 1 {
		t.Errorf("%d of %d stored an endpoint, want 1", right, len(errs))
	}
}

// Processes with the same keys do not hinder each other.
func TestManyAtOnceWithTheSameKeys(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	var wg sync.WaitGroup
	for i := range 16 {
		ring := [][]string{{k1, k2}, {k2, k1}}[i%2]
		store := w.ringOf(ring...)
		wg.Go(func() {
			if err := store.CheckKeys(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A single text that does not open is damaged, and is no reason to keep all others waiting.
func TestDamageIsNoWrongKey(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1 := newEntry("k1")
	store := w.ringOf(k1)
	for _, id := range []string{"a", "b", "c"} {
		if _, _, err := store.CreateEndpoint(t.Context(), endpointOf(id)); err != nil {
			t.Fatal(err)
		}
	}
	w.settings(w.ref("a"), func(kept map[string]any) { sealedText(kept)["text"] = flip(sealedText(kept)["text"].(string)) })
	w.settings(w.ref("b"), func(kept map[string]any) { sealedText(kept)["text"] = "nothing" })
	w.must(w.ringOf(k1).CheckKeys(t.Context()))
	w.must(w.rdb.Del(t.Context(), w.only("canaries")).Err())
	w.must(w.ringOf(k1).CheckKeys(t.Context()))
}

// A process that runs and was right seals nothing once another key stands under the id of its own.
func TestARunningProcessIsCheckedAgain(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	store := w.ringOf(newEntry("k1"))
	create(t, store, guarded("a"))
	impostor := redisstore.Seal(parseRing(t, newEntry("k1")), []byte("outhook"), webhook.EndpointRef{}, "canary")
	w.must(w.rdb.HSet(t.Context(), w.only("canaries"), "k:k1", impostor).Err())
	before := w.everything()
	_, _, err := store.CreateEndpoint(t.Context(), guarded("b"))
	wantRefused(t, err, webhook.KeyError{KeyID: "k1"})
	_, _, err = store.UpdateEndpoint(t.Context(), w.ref("a"), disabling)
	wantRefused(t, err, webhook.KeyError{KeyID: "k1"})
	if diff := cmp.Diff(before, w.everything()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}

// A canary opens with its own key and as nothing else, and no other text stands for it.
func TestACanaryIsNothingElse(t *testing.T) {
	k1, k2 := newEntry("k1"), newEntry("k2")
	ring := parseRing(t, k1, k2)
	canaryOf := func(w *world, id string) string {
		return w.rdb.HGet(t.Context(), w.only("canaries"), "k:"+id).Val()
	}
	for name, forge := range map[string]func(w *world) string{
		"that of another key": func(w *world) string { return canaryOf(w, "k2") },
		"an endpoint's secret": func(w *world) string {
			var text string
			w.settings(w.ref("a"), func(kept map[string]any) { text = sealedText(kept)["text"].(string) })
			return text
		},
		"another text":      func(*world) string { return redisstore.Seal(ring, []byte("other"), webhook.EndpointRef{}, "canary") },
		"another field":     func(*world) string { return redisstore.Seal(ring, []byte("outhook"), webhook.EndpointRef{}, "secret") },
		"without a format":  func(w *world) string { return canaryOf(w, "k1")[1:] },
		"empty":             func(*world) string { return "" },
		"one bit different": func(w *world) string { return flip(canaryOf(w, "k1")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			if _, _, err := w.ringOf(k1, k2).CreateEndpoint(t.Context(), endpointOf("a")); err != nil {
				t.Fatal(err)
			}
			w.must(w.rdb.HSet(t.Context(), w.only("canaries"), "k:k1", forge(w)).Err())
			wantRefused(t, w.ringOf(k1, k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1"})
		})
	}
	w := newWorld(t, redisstore.Config{})
	w.Store = w.ringOf(k1)
	ref := w.endpoint("a")
	w.settings(ref, func(kept map[string]any) { sealedText(kept)["text"] = canaryOf(w, "k1") })
	w.wantSealed(ref)
}

func TestCanariesOfAnUnknownFormatStay(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1 := newEntry("k1")
	w.must(w.ringOf(k1).CheckKeys(t.Context()))
	w.must(w.rdb.HSet(t.Context(), w.only("canaries"), "v", "9").Err())
	before := w.everything()
	if err := w.ringOf(k1).CheckKeys(t.Context()); err == nil || notThat(err) {
		t.Errorf("error %v, want one about the format", err)
	}
	if diff := cmp.Diff(before, w.everything()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}

// A full Redis takes no new canary: whoever delivers starts all the same, whoever has a wrong key does not.
func TestAFullRedisIsStillChecked(t *testing.T) {
	w := newWorld(t, redisstore.Config{}, "--maxmemory-policy", "noeviction")
	k1, k2 := newEntry("k1"), newEntry("k2")
	if _, _, err := w.ringOf(k1).CreateEndpoint(t.Context(), endpointOf("a")); err != nil {
		t.Fatal(err)
	}
	redistest.Configure(t, w.rdb, "maxmemory", "1")
	w.must(w.ringOf(k1).CheckKeys(t.Context()))
	rotating := w.ringOf(k2, k1)
	w.must(rotating.CheckKeys(t.Context()))
	wantRefused(t, w.ringOf(newEntry("k1")).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1"})
	wantRefused(t, w.ringOf(k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1", Missing: true})

	redistest.Configure(t, w.rdb, "maxmemory", "0")
	if _, _, err := rotating.CreateEndpoint(t.Context(), endpointOf("b")); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.ringOf(newEntry("k2"), k1).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k2"})
}

func TestCheckingNeedsRedis(t *testing.T) {
	redistest.OneServer(t, "it is killed")
	w := newWorld(t, redisstore.Config{})
	w.server.Kill()
	if err := w.CheckKeys(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
}
