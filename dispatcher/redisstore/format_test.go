package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// A newer version may have written what this one does not know. It must say
// so and leave the value as it is.
func TestUnknownFormatIsAnErrorAndStays(t *testing.T) {
	for name, tt := range map[string]struct {
		kind  string
		spoil func(w *world, key string)
		calls map[string]func(w *world) error
	}{
		"event": {kind: "e", spoil: spoilString, calls: map[string]func(w *world) error{
			"Event": func(w *world) error {
				_, _, err := w.Event(w.Context(), webhook.EventRef{Brand: brand, ID: "e1"})
				return err
			},
			"Claim": func(w *world) error { return claimError(w, "e1") },
			"Admit, the same": func(w *world) error {
				answers, err := w.Admit(w.Context(), fanoutOf(w.event("e1"), "a"))
				w.must(err)
				return answers[0].Err
			},
			"Admit, another payload": func(w *world) error {
				e := w.event("e1")
				e.Payload = []byte(`{}`)
				answers, err := w.Admit(w.Context(), fanoutOf(e, "a"))
				w.must(err)
				return answers[0].Err
			},
		}},
		"settings": {kind: "p", spoil: spoilSettings, calls: map[string]func(w *world) error{
			"Endpoint": func(w *world) error {
				_, err := w.Endpoint(w.Context(), webhook.EndpointRef{Brand: brand, ID: "a"})
				return err
			},
			"Endpoints": func(w *world) error {
				_, err := w.Endpoints(w.Context(), brand)
				return err
			},
			"Claim": func(w *world) error { return claimError(w, "e1") },
			"UpdateEndpoint": func(w *world) error {
				_, _, err := w.UpdateEndpoint(w.Context(), webhook.EndpointRef{Brand: brand, ID: "a"}, disabling)
				return err
			},
			"CreateEndpoint": func(w *world) error {
				_, _, err := w.CreateEndpoint(w.Context(), endpointOf("a"))
				return err
			},
		}},
		"key": {kind: "k", spoil: spoilString, calls: map[string]func(w *world) error{
			"Key":  func(w *world) error { return discard(w.Key(w.Context(), "key_a")) },
			"Keys": func(w *world) error { return discard(w.Keys(w.Context())) },
		}},
		"key without its whole hash": {kind: "k", spoil: spoilHash, calls: map[string]func(w *world) error{
			"Key":  func(w *world) error { return discard(w.Key(w.Context(), "key_a")) },
			"Keys": func(w *world) error { return discard(w.Keys(w.Context())) },
		}},
		"attempt": {kind: "a", spoil: spoilAttempt, calls: map[string]func(w *world) error{
			"Attempts": func(w *world) error {
				_, err := w.Attempts(w.Context(), webhook.DeliveryRef{Brand: brand, EventID: "done", EndpointID: "a"})
				return err
			},
		}},
	} {
		for call, do := range tt.calls {
			t.Run(name+"/"+call, func(t *testing.T) {
				w := newWorld(t, redisstore.Config{})
				w.endpoint("a")
				w.must(w.CreateKey(t.Context(), keyOf("key_a")))
				if tt.kind == "a" {
					w.settle(w.run("done", "a"), delivered())
				} else {
					w.run("e1", "a")
				}
				key := w.only(tt.kind)
				tt.spoil(w, key)
				before := w.dump(key)
				if err := do(w); err == nil {
					t.Error("no error")
				} else if notThat(err) {
					t.Errorf("error %v, want one about the format", err)
				}
				if after := w.dump(key); after != before {
					t.Error("the stored value was changed")
				}
			})
		}
	}
}

// claimError claims the first run of a delivery to endpoint a.
func claimError(w *world, event string) error {
	_, err := w.Claim(w.Context(), webhook.Run{
		DeliveryRef: webhook.DeliveryRef{Brand: brand, EventID: event, EndpointID: "a"}, Number: 1,
	})
	return err
}

// notThat tells errors that mean something else: a caller would act on them.
func notThat(err error) bool {
	for _, other := range []error{webhook.ErrConflict, webhook.ErrNotFound, webhook.ErrUnavailable, webhook.ErrInvalid, webhook.ErrLimit} {
		if errors.Is(err, other) {
			return true
		}
	}
	return false
}

func spoilString(w *world, key string) {
	w.must(w.rdb.SetRange(w.Context(), key, 0, "9").Err())
}

func spoilHash(w *world, key string) {
	w.must(w.rdb.Set(w.Context(), key, `1{"hash":"AAAA","createdMs":1}`, 0).Err())
}

func spoilSettings(w *world, key string) {
	text, err := w.rdb.HGet(w.Context(), key, "settings").Result()
	w.must(err)
	w.must(w.rdb.HSet(w.Context(), key, "settings", "9"+text[1:]).Err())
}

// spoilAttempt puts the same entry with another format at the same place.
func spoilAttempt(w *world, key string) {
	entries, err := w.rdb.XRange(w.Context(), key, "-", "+").Result()
	w.must(err)
	text := entries[0].Values["a"].(string)
	w.must(w.rdb.Del(w.Context(), key).Err())
	w.must(w.rdb.XAdd(w.Context(), &redis.XAddArgs{Stream: key, ID: entries[0].ID, Values: []string{"a", "9" + text[1:]}}).Err())
	w.must(w.rdb.Expire(w.Context(), key, time.Hour).Err())
}

func (w *world) dump(key string) string {
	w.Helper()
	text, err := w.rdb.Dump(w.Context(), key).Result()
	w.must(err)
	return text
}

// What stands in Redis says by itself how it is to be read.
func TestEveryStoredValueNamesItsFormat(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.everyKind()
	for _, key := range keysOf(t, w.rdb, "") {
		if kindOf(key) == "lock" {
			continue // a few seconds' number, read by nobody else
		}
		kind, err := w.rdb.Type(t.Context(), key).Result()
		w.must(err)
		switch kind {
		case "string":
			w.wantFormat(key, w.rdb.GetRange(t.Context(), key, 0, 0).Val())
		case "hash":
			w.wantFormat(key, w.rdb.HGet(t.Context(), key, "v").Val())
		case "stream":
			for _, entry := range w.rdb.XRange(t.Context(), key, "-", "+").Val() {
				packed, ok := entry.Values["a"].(string) // an attempt
				if !ok {
					packed = entry.Values["e"].(string) // an entry of the index
				}
				w.wantFormat(key, packed[:1])
			}
		case "zset", "set": // ids and nothing else
		default:
			t.Errorf("%s is a %s", key, kind)
		}
	}
	for _, key := range keysOf(t, w.rdb, "p") {
		settings, err := w.rdb.HMGet(t.Context(), key, "settings", "deleted").Result()
		w.must(err)
		if settings[1] == nil {
			w.wantFormat(key, settings[0].(string)[:1])
		}
	}
}

func (w *world) wantFormat(key, got string) {
	w.Helper()
	if got != "1" {
		w.Errorf("%s has format %q, want 1", key, got)
	}
}
