package redisstore_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// Only before the first release, or together with a new format byte.
var update = flag.Bool("update", false, "write testdata anew")

// golden compares bytes with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: what stands in Redis would be written differently:\n%s", name, diff)
	}
}

func TestAPackedEventIsStable(t *testing.T) {
	for name, want := range map[string]webhook.Fanout{"event.golden": goldenEvent(), "event-traced.golden": tracedEvent()} {
		golden(t, name, redisstore.PackEvent(want))
		got, err := redisstore.UnpackEvent(want.Event.Ref(), []byte(stored(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// tracedEvent is the same event, and its publish was traced.
func tracedEvent() webhook.Fanout {
	f := goldenEvent()
	f.Event.Trace = webhook.TraceContext{TraceID: [16]byte([]byte("0123456789abcdef")), SpanID: [8]byte([]byte("ABCDEFGH")), Flags: 1}
	return f
}

// A value that ends too early, wherever, is an error and no shorter event.
func TestADamagedEventIsAnError(t *testing.T) {
	ref := goldenEvent().Event.Ref()
	for _, f := range []webhook.Fanout{goldenEvent(), tracedEvent()} {
		whole := redisstore.PackEvent(f)
		for n := range len(whole) - len(f.Event.Payload) {
			if f, err := redisstore.UnpackEvent(ref, whole[:n]); err == nil {
				t.Errorf("the first %d bytes are read as %+v", n, f)
			}
		}
	}
	if f, err := redisstore.UnpackEvent(ref, []byte("10123456789abcdef\x01\x00\x00\x05\x00\x00\x00")); err == nil {
		t.Errorf("five endpoints of which three are there are read as %+v", f)
	}
}

// goldenAttempts are one with everything and one as nearly all are.
func goldenAttempts() map[string]webhook.Attempt {
	at := time.UnixMilli(1767225600123).UTC()
	ref := webhook.DeliveryRef{Brand: brand, EventID: "evt_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f", EndpointID: "a"}
	good := webhook.Attempt{
		ID: "att_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f", Ref: ref, Type: "message.delivered", Number: 1,
		Trigger: webhook.TriggerDelivery, StartedAt: at, Duration: 1234 * time.Microsecond,
		Phases: webhook.Phases{FirstByte: 1100 * time.Microsecond},
		URL:    "https://example.com/hook", Status: 204, Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK,
	}
	failed := good
	failed.Number, failed.Trigger, failed.Status = 7, "resend", 503
	failed.Phases = webhook.Phases{DNS: time.Millisecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond, FirstByte: 4 * time.Millisecond}
	failed.Outcome, failed.Reason = webhook.OutcomeRetrying, webhook.ReasonHTTPStatus
	failed.ResponseHeader = map[string][]string{"Retry-After": {"7"}, "X-Two": {"a", "<b>"}}
	failed.ResponseBody = []byte("no\x00\xff")
	failed.NextAttemptAt = at.Add(time.Minute)
	return map[string]webhook.Attempt{"attempt-delivered.golden": good, "attempt-failed.golden": failed}
}

func TestAPackedAttemptIsStable(t *testing.T) {
	for name, want := range goldenAttempts() {
		packed, answer, err := redisstore.PackAttempt(&want)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, []byte(packed))
		golden(t, "answer-to-"+name, []byte(answer))
		got, err := redisstore.UnpackAttempt(want.Ref.Endpoint(), stored(t, name), stored(t, "answer-to-"+name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func stored(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The version before kept the answer inside the attempt.
func TestAnAttemptWithItsAnswerInsideIsRead(t *testing.T) {
	want := goldenAttempts()["attempt-failed.golden"]
	got, err := redisstore.UnpackAttempt(want.Ref.Endpoint(), stored(t, "attempt-failed-inside.golden"), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The ciphertexts differ from one time to the next; what is around them does not.
func TestSettingsAreStable(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	want := endpointOf("a")
	want.Purpose, want.EventTypes = "", []string{"message.*", "delivery.dead"}
	want.Description, want.Metadata = "first <b>", map[string]string{"team": "blue"}
	want.Headers = map[string]string{"X-Team": "blue"}
	want.MaxInFlight, want.Timeout, want.Signature = 7, 3*time.Second, webhook.SignatureEd25519
	want.Secrets = []webhook.EndpointSecret{{Ed25519: signer.NewPrivateKey()}, {HMAC: signer.NewSecret(), EndsAt: want.CreatedAt.Add(time.Hour)}}
	if _, _, err := w.CreateEndpoint(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	text, err := w.rdb.HGet(t.Context(), w.only("p"), "settings").Result()
	w.must(err)
	var sealed []string
	w.settings(want.Ref(), func(kept map[string]any) {
		sealed = []string{kept["headers"].(string)}
		for _, s := range kept["secrets"].([]any) {
			sealed = append(sealed, s.(map[string]any)["text"].(string))
		}
	})
	for _, s := range sealed {
		text = strings.ReplaceAll(text, s, "SEALED")
	}
	golden(t, "settings.golden", []byte(text))

	got, err := w.Endpoint(t.Context(), want.Ref()) // with its fields in another order, which means the same
	w.must(err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestAPackedKeyIsStable(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	want := keyOf("key_a")
	w.must(w.CreateKey(t.Context(), want))
	stored, err := w.rdb.Get(t.Context(), w.only("k")).Bytes()
	w.must(err)
	golden(t, "key.golden", stored)
	stored, err = os.ReadFile(filepath.Join("testdata", "key.golden"))
	w.must(err)
	w.must(w.rdb.Set(t.Context(), w.only("k"), stored, 0).Err())
	got, err := w.Key(t.Context(), want.ID)
	w.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What version 1 sealed opens for ever: a fixed key and a fixed ciphertext.
func TestASealIsStable(t *testing.T) {
	ring := parseRing(t, "fixed:"+strings.Repeat("A", 43)+"=")
	sealed, err := os.ReadFile(filepath.Join("testdata", "sealed.golden"))
	if *update && errors.Is(err, os.ErrNotExist) {
		sealed, err = []byte(redisstore.Seal(ring, []byte("an example"), fuzzRef, "headers")), nil
		golden(t, "sealed.golden", sealed)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := redisstore.Open(ring, string(sealed), fuzzRef, "headers")
	if err != nil || string(plain) != "an example" {
		t.Errorf("opens as %q, %v", plain, err)
	}
}
