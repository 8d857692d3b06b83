package redisstore_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

var fuzzRef = webhook.EndpointRef{Brand: brand, ID: "a"}

// Whatever Redis hands out: an error or an event that can be packed and read again.
func FuzzUnpackEvent(f *testing.F) {
	full := goldenEvent()
	f.Add(redisstore.PackEvent(full))
	f.Add(redisstore.PackEvent(tracedEvent()))
	f.Add(redisstore.PackEvent(webhook.Fanout{Event: webhook.Event{Payload: []byte("{}")}}))
	f.Add([]byte("m0123456789abcdef"))
	f.Add([]byte("10123456789abcdef\x01\x01\x01t\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		ref := webhook.EventRef{Brand: brand, ID: "e1"}
		before := bytes.Clone(packed)
		got, err := redisstore.UnpackEvent(ref, packed)
		if !bytes.Equal(before, packed) {
			t.Fatal("reading changed the bytes")
		}
		if err != nil {
			return
		}
		again, err := redisstore.UnpackEvent(ref, redisstore.PackEvent(got))
		if err != nil {
			t.Fatalf("packed again it cannot be read: %v", err)
		}
		if diff := cmp.Diff(got, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzUnpackAttempt(f *testing.F) {
	for _, a := range goldenAttempts() {
		packed, answer, err := redisstore.PackAttempt(&a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed, answer)
	}
	f.Add("", "")
	f.Add("1{}", "1")
	f.Add(`1{"p":[1],"h":{"a":null},"b":"!"}`, "1\x02{}x")
	f.Add("1{}", "1\x04null")
	f.Fuzz(func(t *testing.T, packed, answer string) {
		got, err := redisstore.UnpackAttempt(fuzzRef, packed, answer)
		if err != nil {
			return
		}
		packed, answer, err = redisstore.PackAttempt(&got)
		if err != nil {
			t.Fatalf("what was read cannot be packed: %v", err)
		}
		if _, err := redisstore.UnpackAttempt(fuzzRef, packed, answer); err != nil {
			t.Fatalf("packed again it cannot be read: %v", err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	ring := redisstore.NewKeyRing()
	sealed := redisstore.Seal(ring, []byte("whsec_"), fuzzRef, "secret")
	for _, text := range []string{sealed, sealed[:len(sealed)-4], "", "1", "1temporary:", "1temporary:AAAA", "2temporary:AAAA", "1:", "1other:AAAA"} {
		f.Add(text, "secret")
	}
	f.Fuzz(func(t *testing.T, text, field string) {
		plain, err := redisstore.Open(ring, text, fuzzRef, field)
		if err == nil && (string(plain) != "whsec_" || field != "secret") { // base64 may be spelt in several ways
			t.Fatalf("%q opens as %q for %q", text, plain, field)
		}
	})
}

func FuzzSealThenOpen(f *testing.F) {
	ring := redisstore.NewKeyRing()
	f.Add([]byte("whsec_"), "a", "secret", 7)
	f.Fuzz(func(t *testing.T, plain []byte, id, field string, at int) {
		ref := webhook.EndpointRef{Brand: brand, ID: id}
		sealed := redisstore.Seal(ring, plain, ref, field)
		got, err := redisstore.Open(ring, sealed, ref, field)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opened %q, %v", got, err)
		}
		if _, err := redisstore.Open(ring, sealed, webhook.EndpointRef{Brand: brand, ID: id + "x"}, field); err == nil {
			t.Fatal("opens for another endpoint")
		}
	})
}

// Whatever a caller hands in as a cursor: it is refused by its field, or is the
// one way to write a place.
func FuzzParsePlace(f *testing.F) {
	for _, text := range []string{"", "1738324800123-0:ep_1", "1738324800123-7:ep_1:evt_1", "9223372036854775807-0:a",
		"9223372036854775808-0:a", "-1-0:a", "1-1", "1-1:", "01-0:a", "1-+1:a", "1-0:a:", "1-0::a", "1-0:\xff"} {
		f.Add(text, 1)
		f.Add(text, 2)
	}
	f.Fuzz(func(t *testing.T, text string, names int) {
		p, err := redisstore.ParsePlace(text, names)
		if err != nil {
			if wrong, ok := errors.AsType[*webhook.FieldError](err); !ok || wrong.Field != "cursor" {
				t.Fatalf("error %v", err)
			}
			return
		}
		if p.String() != text {
			t.Fatalf("%q is written as %q", text, p)
		}
	})
}

// goldenEvent has a value in every field of the format.
func goldenEvent() webhook.Fanout {
	at := time.UnixMilli(1767225600123).UTC()
	return webhook.Fanout{
		Event: webhook.Event{
			ID: "evt_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f", Brand: brand, Type: "message.delivered",
			Payload: []byte("{\"x\" :1e2,\"x\":\"<\u2028😀\"}\n"), PublishedAt: at, ExpiresAt: at.Add(time.Hour),
		},
		Endpoints: []string{"a", "ep_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f"},
	}
}
