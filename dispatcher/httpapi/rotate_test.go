package httpapi_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

func TestRotateSecret(t *testing.T) {
	a := start(t)
	made := a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/", Purpose: "status"})
	secret := signer.NewSecret()
	got := must[httpapi.Endpoint](t)(a.RotateSecret(t.Context(), "acme", "ep-1", httpapi.RotateRequest{
		OverlapMs: new(time.Hour.Milliseconds()), Secret: secret.Reveal(),
	}))
	want := made
	want.Secret, want.SecretHint = secret.Reveal(), secret.Hint()
	want.OldSecrets = []httpapi.OldSecret{{SecretHint: made.SecretHint, EndsAt: httpapi.Time{Time: rotationTime.Add(time.Hour)}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	read := must[httpapi.Endpoint](t)(a.Endpoint(t.Context(), "acme", "ep-1"))
	want.Secret, want.Health = "", &httpapi.EndpointHealth{Limit: 4}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Error(diff)
	}
}

func TestOverlaps(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/", Purpose: "status"})
	for body, want := range map[string]time.Duration{
		``: 0, `{}`: 0, `{"overlapMs":null}`: 0, `{"overlapMs":0}`: -1, `{"overlapMs":1}`: time.Millisecond, `{"overlapMs":604800000}`: webhook.MaxOverlap,
	} {
		got := a.send(t, "POST", endpointPath+"/ep-1/secret/rotate", body)
		asked, ok := a.service.lastAsked().(webhook.Rotation)
		if !ok || got.status != 200 || max(asked.Overlap, -1) != want {
			t.Errorf("%s: %d, overlap %s, want %s", body, got.status, asked.Overlap, want)
		}
	}
}

func TestRotationShowsWhatAReceiverNeeds(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "hmac", URL: "https://example.com/", Purpose: "status"})
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ed25519", URL: "https://example.com/", Purpose: "status", Signature: "ed25519"})
	hmac := must[httpapi.Endpoint](t)(a.RotateSecret(t.Context(), "acme", "hmac", httpapi.RotateRequest{OverlapMs: new(int64(0))}))
	if _, err := signer.ParseSecret(hmac.Secret); err != nil || hmac.PublicKey != "" || hmac.OldSecrets != nil {
		t.Errorf("hmac: secret %v, public key %q, old %+v", err, hmac.PublicKey, hmac.OldSecrets)
	}
	key := signer.NewPrivateKey()
	given := must[httpapi.Endpoint](t)(a.RotateSecret(t.Context(), "acme", "ed25519", httpapi.RotateRequest{Secret: key.Reveal()}))
	if given.Secret != "" || given.PublicKey != key.Public().String() || len(given.OldSecrets) != 1 {
		t.Errorf("ed25519: public key %q, a secret of %d bytes, old %+v", given.PublicKey, len(given.Secret), given.OldSecrets)
	}
	_, err := a.RotateSecret(t.Context(), "acme", "ed25519", httpapi.RotateRequest{Secret: signer.NewSecret().Reveal()})
	wantIs(t, err, webhook.ErrInvalid)
}

func TestTooManyOldSecrets(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/", Purpose: "status"})
	for range webhook.MaxOldSecrets {
		must[httpapi.Endpoint](t)(a.RotateSecret(t.Context(), "acme", "ep-1", httpapi.RotateRequest{}))
	}
	_, err := a.RotateSecret(t.Context(), "acme", "ep-1", httpapi.RotateRequest{})
	wantIs(t, err, webhook.ErrLimit)
}

func TestOldSecretsThatHaveEndedAreNotShown(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/", Purpose: "status"})
	must[httpapi.Endpoint](t)(a.RotateSecret(t.Context(), "acme", "ep-1", httpapi.RotateRequest{}))
	a.service.endOldSecrets("ep-1", epoch)
	if got := must[httpapi.Endpoint](t)(a.Endpoint(t.Context(), "acme", "ep-1")); got.OldSecrets != nil {
		t.Errorf("shown: %+v", got.OldSecrets)
	}
}

func TestBadRotations(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/", Purpose: "status"})
	calls := a.service.calls
	for body, want := range map[string][2]string{
		`{"overlapMs":-1}`:            {"body.overlapMs", "between 0 and 604800000"},
		`{"overlapMs":604800001}`:     {"body.overlapMs", "between 0 and 604800000"},
		`{"overlapMs":"24h"}`:         {"body.overlapMs", "whole number"},
		`{"secret":""}`:               {"body.secret", "must not be empty"},
		`{"secret":"abc"}`:            {"body.secret", "must begin with whsec_"},
		`{"secret":"whsec_c2hvcnQ="}`: {"body.secret", "24 to 64 bytes"},
		`{"secret":"whsk_c2hvcnQ="}`:  {"body.secret", "Ed25519 private key"},
		`{"secret":7}`:                {"body.secret", "must be a string"},
		`{"overlap":1}`:               {"body.overlap", "is not a field"},
		`[]`:                          {"body", "must be an object"},
	} {
		checkProblem(t, a.send(t, "POST", endpointPath+"/ep-1/secret/rotate", body), 422, want[0], want[1])
	}
	if a.service.calls != calls {
		t.Error("the service was asked")
	}
}
