package dispatcher_test

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	const bootstrap = "bootstrap-key-of-at-least-32-characters"
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.AdminKeyHash = sha256.Sum256([]byte(bootstrap)) })
	admin, adminText, err := d.CreateKey(t.Context(), webhook.APIKey{Description: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	brand, brandText, err := d.CreateKey(t.Context(), webhook.APIKey{Brand: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]webhook.Identity{bootstrap: {}, adminText: {Key: admin.ID}, brandText: {Brand: "acme", Key: brand.ID}} {
		if who, err := d.Authenticate(t.Context(), text); err != nil || who != want {
			t.Errorf("%+v, %v, want %+v", who, err, want)
		}
	}
	if k, err := d.Key(t.Context(), brand.ID); err != nil || k != brand {
		t.Errorf("key %+v, %v", k, err)
	}
	last := brandText[:len(brandText)-1] + map[bool]string{true: "0", false: "1"}[strings.HasSuffix(brandText, "1")]
	for name, text := range map[string]string{
		"nothing": "", "another": bootstrap + "x", "last digit": last, "cut": brandText[:len(brandText)-1], "longer": brandText + "0",
		"upper case": strings.ToUpper(brandText), "id alone": brand.ID, "another id": strings.Replace(brandText, brand.ID[4:], admin.ID[4:], 1),
		"never made": "ohk_" + strings.Repeat("0", 32) + "_" + strings.Repeat("0", 64),
	} {
		if _, err := d.Authenticate(t.Context(), text); !errors.Is(err, webhook.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keys, err := d.Keys(t.Context())
	if err != nil || len(keys) != 2 || keys[0] != admin || keys[1] != brand {
		t.Fatalf("keys %+v, %v", keys, err)
	}
	if err := d.RevokeKey(t.Context(), brand.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Authenticate(t.Context(), brandText); !errors.Is(err, webhook.ErrUnauthorized) {
		t.Fatalf("revoked: %v", err)
	}
	if _, err := d.Key(t.Context(), brand.ID); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("key that was revoked: %v", err)
	}
	if err := d.RevokeKey(t.Context(), brand.ID); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("revoked again: %v", err)
	}
	for field, k := range map[string]webhook.APIKey{"brand": {Brand: "a.b"}, "description": {Description: "a\x1bb"}} {
		var broken *webhook.FieldError
		if _, _, err := d.CreateKey(t.Context(), k); !errors.As(err, &broken) || broken.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// No key is kept: a dump of Redis lets nobody in.
func TestKeysAreNotKept(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	_, text, err := d.CreateKey(t.Context(), webhook.APIKey{Brand: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	names, err := d.Redis.Keys(t.Context(), "*").Result()
	if err != nil || len(names) == 0 {
		t.Fatalf("%d keys in Redis, %v", len(names), err)
	}
	secret := text[len("ohk_")+33:]
	for _, name := range names {
		var held []string
		switch kind, _ := d.Redis.Type(t.Context(), name).Result(); kind {
		case "hash":
			fields, _ := d.Redis.HGetAll(t.Context(), name).Result()
			for field, value := range fields {
				held = append(held, field, value)
			}
		case "string":
			value, _ := d.Redis.Get(t.Context(), name).Result()
			held = append(held, value)
		case "set":
			held, _ = d.Redis.SMembers(t.Context(), name).Result()
		case "zset":
			held, _ = d.Redis.ZRange(t.Context(), name, 0, -1).Result()
		default:
			t.Fatalf("%s is a %s, which is not looked into", name, kind)
		}
		if strings.Contains(name+strings.Join(held, ""), secret) {
			t.Errorf("%s holds the key", name)
		}
	}
}
