package redisstore_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

func TestNoSecretStandsInRedis(t *testing.T) {
	w := newWorld(t, redisstore.Config{}, "--rdbcompression", "no")
	key, entry := randomKey("k1")
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, entry), Now: w.clock.Now})
	hmac, old, private := signer.NewSecret(), signer.NewSecret(), signer.NewPrivateKey()
	w.endpoint("a", func(e *webhook.Endpoint) {
		e.Headers = map[string]string{"X-Api-Key": "value-of-a-header", "X-Escaped": "<&>\"quoted"}
		e.Secrets = []webhook.EndpointSecret{{HMAC: hmac}, {HMAC: old, EndsAt: w.clock.Now()}, {Ed25519: private}}
	})
	w.everyKind()
	w.settle(w.run("e1", "a"), delivered())
	w.claim(w.run("e2", "a"), webhook.ClaimGo)

	everything := w.dumpAll()
	if !strings.Contains(everything, "https://example.com/a") {
		t.Fatal("the dump does not hold what is stored in clear text: it proves nothing")
	}
	needles := append(spellings(key), "value-of-a-header", "X-Api-Key", "quoted")
	for _, text := range []string{hmac.Reveal(), old.Reveal(), private.Reveal()} {
		_, encoded, _ := strings.Cut(text, "_")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		w.must(err)
		needles = append(append(needles, text), spellings(raw)...)
	}
	for i, needle := range needles {
		if strings.Contains(everything, needle) {
			t.Errorf("needle %d stands in Redis", i)
		}
	}
}

// dumpAll is every key with its value, serialised and as read.
func (w *world) dumpAll() string {
	w.Helper()
	var all strings.Builder
	for _, key := range keysOf(w, w.rdb, "") {
		fmt.Fprintln(&all, key, w.dump(key))
		kind, err := w.rdb.Type(w.Context(), key).Result()
		w.must(err)
		switch kind {
		case "string":
			fmt.Fprintln(&all, w.rdb.Get(w.Context(), key).Val())
		case "hash":
			for name, value := range w.rdb.HGetAll(w.Context(), key).Val() {
				fmt.Fprintln(&all, name, value)
			}
		case "stream":
			for _, entry := range w.rdb.XRange(w.Context(), key, "-", "+").Val() {
				fmt.Fprintln(&all, entry.Values["a"])
			}
		case "set":
			fmt.Fprintln(&all, w.rdb.SMembers(w.Context(), key).Val())
		case "zset":
			fmt.Fprintln(&all, w.rdb.ZRange(w.Context(), key, 0, -1).Val())
		default:
			w.Fatalf("%s is a %s", key, kind)
		}
	}
	return all.String()
}

// settings edits the stored settings of an endpoint.
func (w *world) settings(ref webhook.EndpointRef, edit func(map[string]any)) {
	w.Helper()
	key := w.keyEnding("p:" + ref.String())
	text, err := w.rdb.HGet(w.Context(), key, "settings").Result()
	w.must(err)
	kept := map[string]any{}
	w.must(json.Unmarshal([]byte(text[1:]), &kept))
	edit(kept)
	edited, err := json.Marshal(kept)
	w.must(err)
	w.must(w.rdb.HSet(w.Context(), key, "settings", text[:1]+string(edited)).Err())
}

// sealedText is the ciphertext of the first secret.
func sealedText(kept map[string]any) map[string]any {
	return kept["secrets"].([]any)[0].(map[string]any)
}

func TestCiphertextOpensNowhereElse(t *testing.T) {
	headers := func(e *webhook.Endpoint) { e.Headers = map[string]string{"X-Team": "blue"} }
	for name, move := range map[string]func(from, to map[string]any){
		"secret to another's":  func(from, to map[string]any) { sealedText(to)["text"] = sealedText(from)["text"] },
		"headers to another's": func(from, to map[string]any) { to["headers"] = from["headers"] },
	} {
		for other, ref := range map[string]webhook.EndpointRef{
			"endpoint": {Brand: brand, ID: "b"}, "brand": {Brand: "other", ID: "a"}, "boundary": {Brand: brand + "a", ID: "a"},
		} {
			t.Run(name+" "+other, func(t *testing.T) {
				w := newWorld(t, redisstore.Config{})
				from := w.endpoint("a", headers)
				w.endpoint(ref.ID, headers, func(e *webhook.Endpoint) { e.Brand = ref.Brand })
				var moved map[string]any
				w.settings(from, func(kept map[string]any) { moved = kept })
				w.settings(ref, func(kept map[string]any) { move(moved, kept) })
				w.wantSealed(ref)
			})
		}
	}
	for name, move := range map[string]func(kept map[string]any){
		"secret to headers":   func(kept map[string]any) { kept["headers"] = sealedText(kept)["text"] },
		"headers to secret":   func(kept map[string]any) { sealedText(kept)["text"] = kept["headers"] },
		"without a format":    func(kept map[string]any) { kept["headers"] = kept["headers"].(string)[1:] },
		"without a key's id":  func(kept map[string]any) { kept["headers"] = "1" },
		"not base64":          func(kept map[string]any) { kept["headers"] = "1temporary:!" },
		"cut":                 func(kept map[string]any) { kept["headers"] = "1temporary:AAAA" },
		"one character other": func(kept map[string]any) { kept["headers"] = flip(kept["headers"].(string)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			ref := w.endpoint("a", headers)
			w.settings(ref, move)
			w.wantSealed(ref)
		})
	}
}

// flip changes one character of the ciphertext.
func flip(text string) string {
	at := len(text) - 8
	other := byte('A')
	if text[at] == other {
		other = 'B'
	}
	return text[:at] + string(other) + text[at+1:]
}

// wantSealed expects that the endpoint cannot be read, by an error that names it and means nothing else.
func (w *world) wantSealed(ref webhook.EndpointRef) {
	w.Helper()
	_, err := w.Endpoint(w.Context(), ref)
	if err == nil || notThat(err) || !strings.Contains(err.Error(), ref.String()) {
		w.Fatalf("reading %s: %v", ref, err)
	}
}

func TestUnknownKeyNamesItsID(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	_, written := randomKey("2026-01")
	other, read := randomKey("2026-02")
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, written)})
	ref := w.endpoint("a")
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, read)})
	before := w.dump(w.only("p"))
	_, err := w.Endpoint(t.Context(), ref)
	if err == nil || !strings.Contains(err.Error(), `"2026-01"`) || notThat(err) {
		t.Fatalf("error %v, want the id", err)
	}
	for _, text := range spellings(other) {
		if strings.Contains(err.Error(), text) {
			t.Fatal("the error holds a key")
		}
	}
	if w.dump(w.only("p")) != before {
		t.Fatal("the settings were changed")
	}
}

func TestTheSameIDWithAnotherKeyDoesNotOpen(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	_, written := randomKey("k")
	_, read := randomKey("k")
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, written)})
	ref := w.endpoint("a")
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, read)})
	w.wantSealed(ref)
}

func TestTheNewestKeySealsAndAllOpen(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	_, first := randomKey("first")
	_, second := randomKey("second")
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, first)})
	old := w.endpoint("old")
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, second, first)})
	w.endpoint("new")
	for ref, id := range map[webhook.EndpointRef]string{old: "1first:", w.ref("new"): "1second:"} {
		if _, err := w.Endpoint(t.Context(), ref); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		w.settings(ref, func(kept map[string]any) {
			if text := sealedText(kept)["text"].(string); !strings.HasPrefix(text, id) {
				t.Errorf("%s is sealed as %.8s…, want %s", ref, text, id)
			}
		})
	}
}

// A change seals everything anew, with the newest key.
func TestAChangeSealsWithTheNewestKey(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	_, first := randomKey("first")
	_, second := randomKey("second")
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, first)})
	ref := w.endpoint("a", func(e *webhook.Endpoint) { e.Headers = map[string]string{"X-Team": "blue"} })
	before, err := w.Endpoint(t.Context(), ref)
	w.must(err)
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, second, first)})
	_, _, err = w.UpdateEndpoint(t.Context(), ref, func(*webhook.Endpoint) error { return nil })
	w.must(err)
	w.Store = open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, second)})
	after, err := w.Endpoint(t.Context(), ref)
	w.must(err)
	if !after.Secrets[0].SameKey(before.Secrets[0]) || after.Headers["X-Team"] != "blue" {
		t.Errorf("stored %+v", after)
	}
}

func TestTwoSealsOfTheSameDiffer(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	secret := signer.NewSecret()
	ref := w.endpoint("a", func(e *webhook.Endpoint) {
		e.Secrets = []webhook.EndpointSecret{{HMAC: secret}, {HMAC: secret}}
	})
	w.settings(ref, func(kept map[string]any) {
		secrets := kept["secrets"].([]any)
		if secrets[0].(map[string]any)["text"] == secrets[1].(map[string]any)["text"] {
			t.Error("the same secret twice is the same ciphertext")
		}
	})
}
