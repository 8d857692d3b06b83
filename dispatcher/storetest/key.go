package storetest

import (
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var keyTests = map[string]func(*T){
	"Key/keeps what was given": func(t *T) {
		for _, want := range []webhook.APIKey{t.key("key_admin", ""), t.key("key_brand", t.brand)} {
			got, err := t.Key(t.Context(), want.ID)
			t.must(err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
	},
	"Key/lists all by id": func(t *T) {
		t.wantKeys()
		c, a, b := t.key("key_c", ""), t.key("key_a", t.brand), t.key("key_b", "another")
		t.wantKeys(a, b, c)
	},
	"Key/twice is one": func(t *T) {
		k := t.key("key_a", t.brand)
		t.must(t.CreateKey(t.Context(), k))
		t.wantKeys(k)
	},
	"Key/deleted is not found and not listed": func(t *T) {
		gone, stays := t.key("key_a", t.brand), t.key("key_b", t.brand)
		t.must(t.DeleteKey(t.Context(), gone.ID))
		t.wantNoKey(gone.ID)
		t.wantKeys(stays)
		t.must(t.DeleteKey(t.Context(), stays.ID))
		t.wantKeys()
	},
	"Key/that never was is not found": func(t *T) {
		t.key("key_a", "")
		t.wantNoKey("key_never")
	},
	"Key/lives as long as nobody deletes it": func(t *T) {
		k := t.key("key_a", "")
		t.pass(10 * 365 * 24 * time.Hour)
		t.wantKeys(k)
	},
}

// key keeps a key of the API, for a brand or an admin.
func (t *T) key(id, brand string) webhook.APIKey {
	t.Helper()
	k := webhook.APIKey{ID: id, Brand: brand, Description: "of " + id + " <\u2028>", CreatedAt: t.now()}
	rand.Read(k.Hash[:])
	t.must(t.CreateKey(t.Context(), k))
	return k
}

func (t *T) wantKeys(want ...webhook.APIKey) {
	t.Helper()
	got, err := t.Keys(t.Context())
	t.must(err)
	if !slices.Equal(got, want) {
		t.Fatal(cmp.Diff(want, got))
	}
}

// wantNoKey wants neither a reading nor a deletion to find the key.
func (t *T) wantNoKey(id string) {
	t.Helper()
	if _, err := t.Key(t.Context(), id); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("Key: %v", err)
	}
	if err := t.DeleteKey(t.Context(), id); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("DeleteKey: %v", err)
	}
}
