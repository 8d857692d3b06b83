package redisstore_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// randomKey returns 32 random bytes, and the entry of secrets.keys that holds them.
func randomKey(id string) (key []byte, entry string) {
	key = make([]byte, 32)
	rand.Read(key)
	return key, id + ":" + base64.StdEncoding.EncodeToString(key)
}

func parseRing(t testing.TB, entries ...string) redisstore.KeyRing {
	t.Helper()
	ring, err := redisstore.ParseKeyRing(entries)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// spellings are the ways in which bytes may give themselves away.
func spellings(key []byte) []string {
	words := make([]string, 4)
	for i := range words {
		words[i] = fmt.Sprint(binary.BigEndian.Uint32(key[4*i:]))
	}
	return []string{
		string(key), hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)),
		strings.TrimRight(base64.StdEncoding.EncodeToString(key), "="), strings.TrimRight(base64.URLEncoding.EncodeToString(key), "="),
		strings.Trim(fmt.Sprint(key[:8]), "[]"), strings.Trim(fmt.Sprintf("%#v", key[:4])[len("[]byte"):], "{}"), strings.Join(words, " "),
	}
}

func TestParseKeyRingNamesEntryAndReason(t *testing.T) {
	key, good := randomKey("good")
	encoded := base64.StdEncoding.EncodeToString(key)
	for name, tt := range map[string]struct {
		entries     []string
		field, rule string
	}{
		"none":            {nil, "secrets.keys", "at least one"},
		"no colon":        {[]string{encoded}, "secrets.keys[0]", "must be id:base64"},
		"no id":           {[]string{":" + encoded}, "secrets.keys[0]", "the id matching"},
		"id with a space": {[]string{"a b:" + encoded}, "secrets.keys[0]", "the id matching"},
		"id too long":     {[]string{strings.Repeat("a", 33) + ":" + encoded}, "secrets.keys[0]", "the id matching"},
		"short":           {[]string{good, "k:" + base64.StdEncoding.EncodeToString(key[:31])}, "secrets.keys[1]", "32 bytes"},
		"long":            {[]string{"k:" + base64.StdEncoding.EncodeToString(append(key, 1))}, "secrets.keys[0]", "32 bytes"},
		"not base64":      {[]string{"k:" + strings.Repeat("!", 44)}, "secrets.keys[0]", "base64"},
		"no padding":      {[]string{"k:" + strings.TrimRight(encoded, "=")}, "secrets.keys[0]", "padded"},
		"hexadecimal":     {[]string{"k:" + hex.EncodeToString(key)}, "secrets.keys[0]", "32 bytes"},
		"swapped":         {[]string{encoded + ":k"}, "secrets.keys[0]", "must be id:base64"},
		"id twice":        {[]string{good, good}, "secrets.keys[1]", `repeats the id "good"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redisstore.ParseKeyRing(tt.entries)
			wrong, ok := errors.AsType[*webhook.FieldError](err)
			if !ok || wrong.Field != tt.field || !strings.Contains(wrong.Rule, tt.rule) {
				t.Fatalf("error %v, want %s: … %s …", err, tt.field, tt.rule)
			}
			for _, text := range append(spellings(key), strings.Repeat("!", 44)) {
				if strings.Contains(err.Error(), text) {
					t.Fatalf("the error repeats the key: %v", err)
				}
			}
		})
	}
}

func TestNothingPrintsAKey(t *testing.T) {
	key, entry := randomKey("k1")
	ring := parseRing(t, entry)
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer rdb.Close()
	store := open(t, redisstore.Config{Redis: rdb, Keys: ring})
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, value := range []any{ring, &ring, redisstore.Config{Keys: ring}, []redisstore.KeyRing{ring}, struct{ hidden any }{ring}, struct{ hidden redisstore.KeyRing }{ring}, store} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
	}
	text, err := json.Marshal(map[string]any{"keys": ring})
	if err != nil {
		t.Fatal(err)
	}
	printed.Write(text)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("keys", "ring", ring)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("keys", "ring", ring)
	if !bytes.Contains(printed.Bytes(), []byte("KeyRing(k1)")) {
		t.Error("the ids are not printed")
	}
	for i, needle := range spellings(key) {
		if bytes.Contains(printed.Bytes(), []byte(needle)) {
			t.Errorf("spelling %d of the key is printed", i)
		}
	}
}
