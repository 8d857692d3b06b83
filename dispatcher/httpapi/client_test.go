package httpapi_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

func status(payload string) httpapi.PublishRequest {
	return httpapi.PublishRequest{Type: "message.delivered", Payload: json.RawMessage(payload)}
}

// must fails the test unless err is nil.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want one that is %q", err, target)
	}
}

func (a api) create(t *testing.T, brand string, e httpapi.EndpointRequest) httpapi.Endpoint {
	t.Helper()
	stored, created, err := a.CreateEndpoint(t.Context(), brand, e)
	if err != nil || !created {
		t.Fatalf("created=%v, error %v", created, err)
	}
	return stored
}

func TestPublish(t *testing.T) {
	a := start(t)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/", Purpose: "status"})
	e := status(`{"a":1}`)
	e.ID, e.ExpiresAt = "evt-1", httpapi.Time{Time: epoch.Add(time.Hour)}

	got := must[httpapi.Receipt](t)(a.Publish(t.Context(), "acme", e))
	want := httpapi.Receipt{ID: "evt-1", Deliveries: []httpapi.ReceiptDelivery{{EndpointID: "ep-1"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stored := a.service.event("acme", "evt-1")
	if want := epoch.Add(time.Hour).Truncate(time.Millisecond); !stored.ExpiresAt.Equal(want) || stored.Type != e.Type {
		t.Errorf("stored type %q, expiresAt %s", stored.Type, stored.ExpiresAt)
	}

	again := must[httpapi.Receipt](t)(a.Publish(t.Context(), "acme", e))
	if !again.Duplicate {
		t.Error("the same event again is no duplicate")
	}
	e.Payload = json.RawMessage(`{"a":2}`)
	_, err := a.Publish(t.Context(), "acme", e)
	wantIs(t, err, webhook.ErrConflict)
}

func TestPublishWithoutEndpointsAnswersNoDeliveries(t *testing.T) {
	a := start(t)
	got := must[httpapi.Receipt](t)(a.Publish(t.Context(), "acme", status(`{}`)))
	if got.ID == "" || got.Deliveries == nil || len(got.Deliveries) != 0 {
		t.Errorf("receipt %+v", got)
	}
}

func TestBatchAnswersInOrder(t *testing.T) {
	a := start(t)
	unknown, dotted := status(`{}`), status(`{}`)
	unknown.Type, dotted.ID = "nothing.known", "a.b"
	events := []httpapi.PublishRequest{status(`{"n":0}`), unknown, status(`[1]`), status(`{"n":3}`), dotted}

	results := must[[]httpapi.BatchResult](t)(a.PublishBatch(t.Context(), "acme", events))
	for i, location := range []string{"", "body.events[1].type", "body.events[2].payload", "", "body.events[4].id"} {
		got := results[i]
		switch {
		case location == "" && (got.Error != nil || got.ID == ""):
			t.Errorf("entry %d: %+v, want a receipt", i, got)
		case location != "" && (got.Error == nil || got.Error.Errors[0].Location != location):
			t.Errorf("entry %d: %+v, want an error at %s", i, got.Error, location)
		case location != "":
			wantIs(t, got.Error, webhook.ErrInvalid)
		}
	}
	if n := len(a.service.events); n != 2 {
		t.Errorf("%d events stored, want 2", n)
	}
}

func TestBatchIsOneErrorWhenTheStoreIsLost(t *testing.T) {
	a := start(t)
	a.service.err = webhook.ErrUnavailable
	results, err := a.PublishBatch(t.Context(), "acme", []httpapi.PublishRequest{status(`{}`)})
	wantIs(t, err, webhook.ErrUnavailable)
	if len(results) != 0 {
		t.Errorf("results %+v beside the error", results)
	}
	if p, ok := errors.AsType[*httpapi.Problem](err); !ok || p.RetryAfter != time.Second {
		t.Errorf("problem %+v, want one that asks to wait 1 s", p)
	}
}

func TestCreateEndpoint(t *testing.T) {
	a := start(t)
	secret := signer.NewSecret()
	asked := httpapi.EndpointRequest{
		ID: "ep-1", URL: "https://example.com/hook?token=1", EventTypes: []string{"message.*"},
		Description: "CRM <eu>", Metadata: map[string]string{"team": "blue"}, Headers: map[string]string{"x-team": "b"},
		MaxInFlight: 8, RateLimit: &httpapi.RateLimit{PerSecond: 0.5, Burst: 2}, TimeoutMs: 5000, Secret: secret.Reveal(), Signature: "hmac", Disabled: true,
	}
	stored := a.create(t, "acme", asked)
	want := httpapi.Endpoint{
		ID: "ep-1", URL: asked.URL, EventTypes: asked.EventTypes, Description: asked.Description,
		Metadata: asked.Metadata, Headers: asked.Headers, RateLimit: asked.RateLimit, MaxInFlight: 8, TimeoutMs: 5000, Signature: "hmac",
		Disabled: true, DisabledReason: "manual", Secret: secret.Reveal(), SecretHint: secret.Hint(),
		CreatedAt: stored.CreatedAt, UpdatedAt: stored.UpdatedAt,
	}
	if diff := cmp.Diff(want, stored); diff != "" {
		t.Error(diff)
	}

	want.Secret = "" // is shown once
	again, created, err := a.CreateEndpoint(t.Context(), "acme", asked)
	if diff := cmp.Diff(want, again); diff != "" || created || err != nil {
		t.Errorf("again: created=%v, error %v, %s", created, err, diff)
	}
	want.Health = &httpapi.EndpointHealth{Limit: 4}
	if diff := cmp.Diff(want, must[httpapi.Endpoint](t)(a.Endpoint(t.Context(), "acme", "ep-1"))); diff != "" {
		t.Error(diff)
	}
	asked.Description = "other"
	_, _, err = a.CreateEndpoint(t.Context(), "acme", asked)
	wantIs(t, err, webhook.ErrConflict)
	if errors.Is(err, webhook.ErrLimit) {
		t.Error("a conflict passes for a limit")
	}
}

func TestCreateEndpointShowsWhatAReceiverNeeds(t *testing.T) {
	a := start(t)
	hmac := a.create(t, "acme", httpapi.EndpointRequest{URL: "https://example.com/", Purpose: "status"})
	if _, err := signer.ParseSecret(hmac.Secret); err != nil || hmac.PublicKey != "" {
		t.Errorf("hmac: secret %v, public key %q", err, hmac.PublicKey)
	}
	key := signer.NewPrivateKey()
	given := a.create(t, "acme", httpapi.EndpointRequest{
		URL: "https://example.com/", Purpose: "status", Signature: "ed25519", Secret: key.Reveal(),
	})
	if given.Secret != "" || given.PublicKey != key.Public().String() || given.SecretHint != key.Hint() {
		t.Errorf("ed25519: public key %q, hint %q, a secret of %d bytes", given.PublicKey, given.SecretHint, len(given.Secret))
	}
	made := a.create(t, "acme", httpapi.EndpointRequest{URL: "https://example.com/", Purpose: "inbound", Signature: "ed25519"})
	read := must[httpapi.Endpoint](t)(a.Endpoint(t.Context(), "acme", made.ID))
	if _, err := signer.ParsePublicKey(read.PublicKey); err != nil || read.PublicKey != made.PublicKey {
		t.Errorf("ed25519 made: %v, %q then %q", err, made.PublicKey, read.PublicKey)
	}
}

func TestEndpointsComeInPages(t *testing.T) {
	a := start(t)
	ids := []string{"a", "b", "c", "d", "e"}
	for _, id := range slices.Backward(ids) {
		a.create(t, "acme", httpapi.EndpointRequest{ID: id, URL: "https://example.com/", Purpose: "status"})
	}
	a.create(t, "other", httpapi.EndpointRequest{ID: "z", URL: "https://example.com/", Purpose: "status"})
	var seen []string
	p, pages := httpapi.Page{Limit: 2}, 0
	for more := true; more; pages++ {
		list := must[httpapi.List[httpapi.Endpoint]](t)(a.Endpoints(t.Context(), "acme", p))
		for _, e := range list.Items {
			seen = append(seen, e.ID)
		}
		if refs, ok := a.service.lastAsked().([]webhook.EndpointRef); !ok || len(refs) != len(list.Items) {
			t.Errorf("health of %v was asked for, for %d endpoints", refs, len(list.Items))
		}
		if more = list.NextCursor != nil; more {
			p.Cursor = *list.NextCursor
		}
	}
	if diff := cmp.Diff(ids, seen); diff != "" || pages != 3 {
		t.Errorf("%d pages, %s", pages, diff)
	}
	empty := must[httpapi.List[httpapi.Endpoint]](t)(a.Endpoints(t.Context(), "nobody", httpapi.Page{}))
	if empty.Items == nil || len(empty.Items) != 0 || empty.NextCursor != nil {
		t.Errorf("empty list %+v", empty)
	}
}

func TestEndpointsComeWithTheirHealth(t *testing.T) {
	a := start(t)
	for _, id := range []string{"a", "b"} {
		a.create(t, "acme", httpapi.EndpointRequest{ID: id, URL: "https://example.com/", Purpose: "status"})
	}
	a.service.health[webhook.EndpointRef{Brand: "acme", ID: "b"}] = webhook.Health{
		Limit: 16, InFlight: 3, Waiting: 120, Retrying: 2, OldestWaitingAt: epoch,
	}
	want := &httpapi.EndpointHealth{
		Limit: 16, InFlight: 3, Waiting: 120, Retrying: 2, OldestWaitingAt: httpapi.Time{Time: epoch.Truncate(time.Millisecond)},
	}
	list := must[httpapi.List[httpapi.Endpoint]](t)(a.Endpoints(t.Context(), "acme", httpapi.Page{}))
	if diff := cmp.Diff(want, list.Items[1].Health); diff != "" || list.Items[0].Health.Waiting != 0 {
		t.Errorf("listed: %+v, %s", list.Items[0].Health, diff)
	}
	if diff := cmp.Diff(want, must[httpapi.Endpoint](t)(a.Endpoint(t.Context(), "acme", "b")).Health); diff != "" {
		t.Error(diff)
	}
}

func TestMissingIsNotFound(t *testing.T) {
	a := start(t)
	_, err := a.Event(t.Context(), "acme", "evt-0")
	wantIs(t, err, webhook.ErrNotFound)
	_, err = a.Endpoint(t.Context(), "acme", "ep-0")
	wantIs(t, err, webhook.ErrNotFound)
	_, err = a.Explain(t.Context(), "acme", "evt-0")
	wantIs(t, err, webhook.ErrNotFound)
	_, err = a.RotateSecret(t.Context(), "acme", "ep-0", httpapi.RotateRequest{})
	wantIs(t, err, webhook.ErrNotFound)
	_, err = a.EnableEndpoint(t.Context(), "acme", "ep-0")
	wantIs(t, err, webhook.ErrNotFound)
}
