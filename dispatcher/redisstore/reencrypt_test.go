package redisstore_test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

// guarded is an endpoint with everything that is sealed: a secret of each kind, an old one, headers.
func guarded(id string) webhook.Endpoint {
	e := endpointOf(id)
	e.Headers = map[string]string{"X-Team": "blue " + id, "X-Escaped": `<&>"quoted"`}
	e.Secrets = append(e.Secrets,
		webhook.EndpointSecret{HMAC: signer.NewSecret(), EndsAt: e.CreatedAt.Add(time.Hour)},
		webhook.EndpointSecret{Ed25519: signer.NewPrivateKey(), EndsAt: e.CreatedAt.Add(time.Minute)})
	return e
}

func create(t *testing.T, s *redisstore.Store, endpoints ...webhook.Endpoint) {
	t.Helper()
	for _, e := range endpoints {
		if _, created, err := s.CreateEndpoint(t.Context(), e); err != nil || !created {
			t.Fatalf("CreateEndpoint(%s): created %v, %v", e.Ref(), created, err)
		}
	}
}

func reencrypt(t *testing.T, s *redisstore.Store) webhook.Reencryption {
	t.Helper()
	did, err := s.Reencrypt(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return did
}

// On every kind of Redis: all endpoints of all brands, and no tombstone.
func TestReencryptMovesEverything(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]func(t *testing.T) redis.UniversalClient{
		"single":  func(t *testing.T) redis.UniversalClient { return redistest.Start(t).Client(t) },
		"cluster": func(t *testing.T) redis.UniversalClient { return redistest.StartCluster(t).Client(t) },
		"embedded": func(t *testing.T) redis.UniversalClient {
			server, err := embedded.Start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
			t.Cleanup(func() { rdb.Close() })
			return rdb
		},
	} {
		t.Run(name, func(t *testing.T) {
			rdb := client(t)
			k1, k2 := newEntry("k1"), newEntry("k2")
			with := func(entries ...string) *redisstore.Store {
				return open(t, redisstore.Config{Redis: rdb, Keys: parseRing(t, entries...)})
			}
			var want []webhook.Endpoint
			for i := range 130 {
				e := guarded("e" + strconv.Itoa(i%13))
				e.Brand = "brand-" + strconv.Itoa(i/13)
				want = append(want, e)
			}
			create(t, with(k1), want...)
			deleted := guarded("deleted")
			create(t, with(k1), deleted)
			if err := with(k1).DeleteEndpoint(t.Context(), deleted.Ref()); err != nil {
				t.Fatal(err)
			}
			create(t, with(k2, k1), guarded("new"))
			wantRefused(t, with(k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1", Missing: true})

			var told []string
			did, err := with(k2, k1).Reencrypt(t.Context(), func(done, total int) { told = append(told, fmt.Sprint(done, "/", total)) })
			if err != nil || did.Endpoints() != 131 || did.Moved != 130 || did.AlreadyNewest != 1 || did.Failed != nil {
				t.Fatalf("%+v, %v", did, err)
			}
			if diff := cmp.Diff([]string{"0/132", "100/132", "132/132"}, told); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
			only := with(k2)
			if err := only.CheckKeys(t.Context()); err != nil {
				t.Error(err)
			}
			for _, e := range want {
				got, err := only.Endpoint(t.Context(), e.Ref())
				if diff := cmp.Diff(e, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
					t.Fatalf("%s: %v (-want +got):\n%s", e.Ref(), err, diff)
				}
			}
			if did := reencrypt(t, with(k2, k1)); did.Moved != 0 || did.AlreadyNewest != 131 {
				t.Errorf("once more: %+v", did)
			}
		})
	}
}

// sealedTexts are those of the tests' keys, as they stand in settings.
var sealedTexts = regexp.MustCompile(`"1k[12]:[^"]+"`)

// Nothing but what is sealed changes, and nothing is released or woken.
func TestReencryptChangesNothingElse(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	w.Store = w.ringOf(k1)
	w.everyKind()
	w.settings(w.ref("open"), func(kept map[string]any) { kept["aNewerVersions"] = map[string]any{"field": "<1>"} })
	gone := w.run("gone", "open")
	_, err := w.Record(t.Context(), settlementOf(gone, webhook.Verdict{
		Outcome: webhook.OutcomeDead, Reason: webhook.ReasonGone, State: webhook.StateDead, DeathReason: webhook.DeathGone,
		Disable: webhook.DisabledGone, Counts: true,
	}, w.clock.Now()))
	w.must(err)
	look := func() (others, texts map[string]string) {
		others, texts = w.everything(), map[string]string{}
		delete(others, w.only("canaries"))
		for _, key := range keysOf(t, w.rdb, "p") {
			fields := w.rdb.HGetAll(t.Context(), key).Val()
			if fields["settings"] != "" {
				delete(others, key)
				fields["settings"] = sealedTexts.ReplaceAllString(fields["settings"], `"sealed"`)
				texts[key] = fmt.Sprint(fields)
			}
		}
		return others, texts
	}
	others, texts := look()
	w.clock.pass(time.Minute)
	if did := reencrypt(t, w.ringOf(k2, k1)); did.Moved != 3 {
		t.Fatalf("%+v", did)
	}
	othersAfter, textsAfter := look()
	if diff := cmp.Diff(others, othersAfter); diff != "" {
		t.Errorf("other keys (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(texts, textsAfter); diff != "" || len(texts) != 3 {
		t.Errorf("%d endpoints (-before +after):\n%s", len(texts), diff)
	}
	w.Store = w.ringOf(k2)
	if e, err := w.Endpoint(t.Context(), w.ref("open")); err != nil || e.DisabledReason != webhook.DisabledGone || e.Headers["X-Team"] != "blue" {
		t.Errorf("%+v, %v", e, err)
	}
}

// A worker that holds an endpoint as it was goes on with the same secrets, and so does
// whoever reads it again. What an attempt to it says that is in flight still holds.
func TestAttemptsInFlightHoldWhatWasMoved(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	w.Store = w.ringOf(k1, k2)
	create(t, w.Store, guarded("a"))
	first := w.run("e1", "a")
	before := w.claim(first, webhook.ClaimGo)
	if did := reencrypt(t, w.ringOf(k2, k1)); did.Moved != 1 {
		t.Fatalf("%+v", did)
	}
	second := w.run("e2", "a")
	for name, store := range map[string]*redisstore.Store{"the same worker": w.Store, "another": w.ringOf(k2)} {
		after, err := store.Claim(t.Context(), second)
		w.must(err)
		if diff := cmp.Diff(before.Endpoint, after.Endpoint); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
	}
	gone := settlementOf(first, webhook.Verdict{
		Outcome: webhook.OutcomeDead, Reason: webhook.ReasonGone, State: webhook.StateDead, DeathReason: webhook.DeathGone,
		Disable: webhook.DisabledGone, Counts: true,
	}, w.clock.Now())
	gone.Revision = before.Revision
	_, err := w.Record(t.Context(), gone)
	w.must(err)
	if e, err := w.Endpoint(t.Context(), w.ref("a")); err != nil || e.DisabledReason != webhook.DisabledGone {
		t.Errorf("disabled for %q, %v", e.DisabledReason, err)
	}
}

// What cannot be opened is named and stays as it is, moved from elsewhere included:
// sealing it anew would make it the endpoint's own.
func TestReencryptNamesWhatItCannotOpen(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	lost, k1, k2 := newEntry("lost"), newEntry("k1"), newEntry("k2")
	create(t, w.ringOf(lost), guarded("lost"))
	store := w.ringOf(k1, lost)
	elsewhere := guarded("x")
	elsewhere.Brand = "other"
	create(t, store, guarded("good"), guarded("x"), guarded("y"), guarded("headers"), guarded("damaged"), guarded("format"), elsewhere)
	create(t, w.ringOf(k2, k1, lost), guarded("newest"), guarded("spoilt"))
	swap := func(a, b webhook.EndpointRef) {
		w.settings(a, func(x map[string]any) {
			w.settings(b, func(y map[string]any) { x["secrets"], y["secrets"] = y["secrets"], x["secrets"] })
		})
	}
	swap(w.ref("x"), elsewhere.Ref()) // another brand, the same id
	swap(w.ref("y"), w.ref("headers"))
	w.settings(w.ref("damaged"), func(kept map[string]any) { kept["headers"] = sealedText(kept)["text"] })
	w.settings(w.ref("spoilt"), func(kept map[string]any) { kept["headers"] = flip(kept["headers"].(string)) })
	spoilSettings(w, w.keyEnding("p:acme:format"))
	before := w.everything()

	did := reencrypt(t, w.ringOf(k2, k1))
	if did.Moved != 1 || did.AlreadyNewest != 1 || did.Endpoints() != 10 {
		t.Errorf("%+v", did)
	}
	keys := map[string]string{}
	for _, failed := range did.Failed {
		keys[failed.Endpoint.String()] = failed.KeyID
		if failed.Err == nil {
			t.Errorf("%s has no reason", failed.Endpoint)
		}
	}
	if diff := cmp.Diff(map[string]string{
		"acme:lost": "lost", "acme:x": "k1", "other:x": "k1", "acme:y": "k1", "acme:headers": "k1",
		"acme:damaged": "k1", "acme:spoilt": "k2", "acme:format": "",
	}, keys); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	after := w.everything()
	delete(before, w.keyEnding("p:acme:good"))
	delete(after, w.keyEnding("p:acme:good"))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
	wantRefused(t, w.ringOf(k2, k1).CheckKeys(t.Context()), webhook.KeyError{KeyID: "lost", Missing: true})
}

// A text of the caller's that reads like a sealed one is not put in its place.
func TestReencryptLeavesTextsThatReadLikeSealedOnes(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	create(t, w.ringOf(k1), guarded("a"))
	w.settings(w.ref("a"), func(kept map[string]any) { kept["aText"] = kept["headers"] })
	key := w.keyEnding("p:acme:a")
	before := w.dump(key)
	did := reencrypt(t, w.ringOf(k2, k1))
	if len(did.Failed) != 1 || did.Failed[0].Endpoint != w.ref("a") || did.Failed[0].Err == nil {
		t.Errorf("%+v", did)
	}
	if after := w.dump(key); after != before {
		t.Errorf("changed to %s", after)
	}
	wantRefused(t, w.ringOf(k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1", Missing: true})
}

// An old key that is wrong does not keep others from being moved, a newest one ends all.
func TestReencryptWithAWrongKey(t *testing.T) {
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprint("canaries ", known), func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			k1, k2 := newEntry("k1"), newEntry("k2")
			create(t, w.ringOf(k1), guarded("old"))
			create(t, w.ringOf(k2, k1), guarded("new"))
			if !known {
				w.must(w.rdb.Del(t.Context(), w.only("canaries")).Err())
			}
			before := w.everything()
			for _, ring := range [][]string{{newEntry("k2"), k1}, {newEntry("k1"), k2}, {newEntry("k2"), newEntry("k1")}} {
				_, err := w.ringOf(ring...).Reencrypt(t.Context(), nil)
				wantRefused(t, err, webhook.KeyError{KeyID: ring[0][:2]})
			}
			if diff := cmp.Diff(before, w.everything()); diff != "" {
				t.Fatalf("changed:\n%s", diff)
			}
			k3, impostor := newEntry("k3"), newEntry("k1")
			did := reencrypt(t, w.ringOf(k3, impostor, k2))
			if did.Moved != 1 || len(did.Failed) != 1 || did.Failed[0].KeyID != "k1" {
				t.Errorf("%+v", did)
			}
			wantRefused(t, w.ringOf(k3, impostor).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1"})
			wantRefused(t, w.ringOf(k3).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1", Missing: true})
			wantRefused(t, w.ringOf(newEntry("k3"), k1, k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k3"})
			w.must(w.ringOf(k3, k1).CheckKeys(t.Context()))
		})
	}
}
