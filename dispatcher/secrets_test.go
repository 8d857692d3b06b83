package dispatcher_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// While a secret is rotated under traffic, who knows only the old one and who
// knows only the new one both verify everything.
func TestRotateUnderTraffic(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	old, next := signer.NewSecret(), signer.NewSecret()
	r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.Secrets = []webhook.EndpointSecret{{HMAC: old}} })
	var both atomic.Int64
	r.Inspect(func(got dispatchertest.Received) {
		byOld := signer.Verify(got.Header, got.Body, time.Now(), 0, old)
		byNew := signer.Verify(got.Header, got.Body, time.Now(), 0, next)
		if byOld != nil {
			t.Errorf("the old secret does not verify: %v", byOld)
		}
		if byNew == nil {
			both.Add(1)
		}
	})
	for i := range 200 {
		if i == 100 {
			e, err := d.RotateSecret(t.Context(), r.Endpoint.Ref(), webhook.Rotation{Secret: webhook.EndpointSecret{HMAC: next}})
			if err != nil || !e.Secrets[0].HMAC.Equal(next) || len(e.Secrets) != 2 || time.Until(e.Secrets[1].EndsAt) < 23*time.Hour {
				t.Fatalf("rotated: %d secrets, %v", len(e.Secrets), err)
			}
		}
		publish(t, d, webhook.Event{Brand: "acme", Type: "message.read", Payload: []byte(`{}`)})
	}
	r.Wait(t, 200)
	if n := both.Load(); n < 100 {
		t.Fatalf("%d webhooks bear both signatures, want those published after the rotation, 100", n)
	}
}

func TestRotations(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	ref := r.Endpoint.Ref()
	rotate := func(r webhook.Rotation) (webhook.Endpoint, error) { return d.RotateSecret(t.Context(), ref, r) }

	for i := range webhook.MaxOldSecrets {
		if e, err := rotate(webhook.Rotation{}); err != nil || len(e.Secrets) != i+2 {
			t.Fatalf("rotation %d: %d secrets, %v", i, len(e.Secrets), err)
		}
	}
	if _, err := rotate(webhook.Rotation{}); !errors.Is(err, webhook.ErrLimit) {
		t.Fatalf("one more: %v", err)
	}
	given := webhook.EndpointSecret{HMAC: signer.NewSecret()}
	e, err := rotate(webhook.Rotation{Secret: given, Overlap: -1})
	if err != nil || len(e.Secrets) != 1 || !e.Secrets[0].SameKey(given) {
		t.Fatalf("at once: %d secrets, %v", len(e.Secrets), err)
	}
	if e, err = rotate(webhook.Rotation{Secret: given}); err != nil || len(e.Secrets) != 1 {
		t.Fatalf("the same again: %d secrets, %v", len(e.Secrets), err)
	}
	if e, err = rotate(webhook.Rotation{Overlap: time.Millisecond}); err != nil || len(e.Secrets) != 2 {
		t.Fatalf("a short overlap: %d secrets, %v", len(e.Secrets), err)
	}
	dispatchertest.Eventually(t, func() bool { return len(e.Keys(time.Now())) == 1 })
	for field, r := range map[string]webhook.Rotation{
		"overlapMs": {Overlap: webhook.MaxOverlap + 1},
		"secret":    {Secret: webhook.EndpointSecret{Ed25519: signer.NewPrivateKey()}},
	} {
		var broken *webhook.FieldError
		if _, err := rotate(r); !errors.As(err, &broken) || broken.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err = d.RotateSecret(t.Context(), webhook.EndpointRef{Brand: "acme", ID: "none"}, webhook.Rotation{})
	if !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("no endpoint: %v", err)
	}
}

// A delivery that waits for its retry is signed with what stands then.
func TestRotateWhileARetryWaits(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, slowly)
	r := d.Receiver(t, "acme", webhook.PurposeStatus, func(e *webhook.Endpoint) { e.Signature = webhook.SignatureEd25519 })
	r.Answer(fail)
	publish(t, d, event("e1"))
	d.WaitState(t, "acme", "e1", webhook.StateRetrying)
	e, err := d.RotateSecret(t.Context(), r.Endpoint.Ref(), webhook.Rotation{Overlap: -1})
	if err != nil || e.Secrets[0].SameKey(r.Endpoint.Secrets[0]) {
		t.Fatalf("rotated: %v", err)
	}
	r.Expect(e)
	r.Answer(func(http.ResponseWriter, *http.Request) {})
	d.WaitDelivered(t, "acme", "e1")
}
