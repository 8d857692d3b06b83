package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

var endpointTests = map[string]func(*T){
	"Endpoint/keeps every setting": func(t *T) {
		want := webhook.Endpoint{
			ID: "a", Brand: t.brand, URL: "https://example.com/hook?token=1", EventTypes: []string{"message.*", "delivery.dead"},
			Description: "first", Metadata: map[string]string{"team": "blue"}, Headers: map[string]string{"X-Key": "v"},
			MaxInFlight: 7, Timeout: 3 * time.Second, Signature: webhook.SignatureEd25519,
			Secrets: []webhook.EndpointSecret{{Ed25519: signer.NewPrivateKey()},
				{HMAC: signer.NewSecret(), EndsAt: t.now().Add(time.Hour)}},
			CreatedAt: t.now(), UpdatedAt: t.now(), DisabledReason: webhook.DisabledManually,
		}
		_, created, err := t.CreateEndpoint(t.Context(), want)
		t.must(err)
		if !created {
			t.Fatal("not created")
		}
		got, err := t.Endpoint(t.Context(), want.Ref())
		t.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		listed, err := t.Endpoints(t.Context(), t.brand)
		t.must(err)
		if diff := cmp.Diff([]webhook.Endpoint{want}, listed); diff != "" {
			t.Fatal(diff)
		}
		routes, err := t.Routes(t.Context(), t.brand)
		t.must(err)
		want.Secrets, want.Headers = nil, nil
		if diff := cmp.Diff([]webhook.Endpoint{want}, routes); diff != "" {
			t.Fatal(diff)
		}
	},
	"Endpoint/an id that is taken answers what is stored": func(t *T) {
		ref := t.endpoint("a")
		stored, created, err := t.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "a", Brand: t.brand, URL: "https://example.com/other"})
		t.must(err)
		if created || stored.URL != "https://example.com/a" || stored.Ref() != ref {
			t.Fatalf("created %v, stored %+v", created, stored)
		}
	},
	"Endpoint/a brand has a limit, its own": func(t *T) {
		for i := range endpointsPerBrand {
			t.endpoint(fmt.Sprint("e", i))
		}
		_, _, err := t.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "more", Brand: t.brand})
		if !errors.Is(err, webhook.ErrLimit) {
			t.Fatalf("beyond the limit: %v", err)
		}
		if _, created, err := t.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "e0", Brand: t.brand}); err != nil || created {
			t.Fatalf("the same id at the limit: created %v, %v", created, err)
		}
		t.brand += "x"
		t.endpoint("e0")
	},
	"Endpoint/deleted is not found, not listed, and its id stays taken": func(t *T) {
		ref := t.endpoint("a")
		t.endpoint("b")
		t.must(t.DeleteEndpoint(t.Context(), ref))
		if err := t.DeleteEndpoint(t.Context(), ref); !errors.Is(err, webhook.ErrNotFound) {
			t.Fatalf("deleted again: %v", err)
		}
		if _, err := t.Endpoint(t.Context(), ref); !errors.Is(err, webhook.ErrNotFound) {
			t.Fatalf("deleted: %v", err)
		}
		listed, err := t.Endpoints(t.Context(), t.brand)
		t.must(err)
		if len(listed) != 1 || listed[0].ID != "b" {
			t.Fatalf("listed %v", listed)
		}
		if _, _, err := t.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "a", Brand: t.brand}); !errors.Is(err, webhook.ErrDeleted) {
			t.Fatalf("the id of a deleted endpoint: %v", err)
		}
	},
	"Endpoint/asking for the id of a deleted one uses up no place": func(t *T) {
		t.must(t.DeleteEndpoint(t.Context(), t.endpoint("gone")))
		if _, _, err := t.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "gone", Brand: t.brand}); !errors.Is(err, webhook.ErrDeleted) {
			t.Fatalf("the id of a deleted endpoint: %v", err)
		}
		for i := range endpointsPerBrand {
			t.endpoint(fmt.Sprint("e", i))
		}
	},
	"Endpoint/deleted makes room for another": func(t *T) {
		for i := range endpointsPerBrand {
			t.endpoint(fmt.Sprint("e", i))
		}
		t.must(t.DeleteEndpoint(t.Context(), webhook.EndpointRef{Brand: t.brand, ID: "e0"}))
		t.endpoint("more")
	},
	"Endpoint/deleting an unknown one is not found": func(t *T) {
		t.endpoint("a")
		ref := webhook.EndpointRef{Brand: t.brand, ID: "never"}
		if err := t.DeleteEndpoint(t.Context(), ref); !errors.Is(err, webhook.ErrNotFound) {
			t.Fatalf("unknown: %v", err)
		}
		t.endpoint("never") // its id is free
	},
}

// seen is the brand's only endpoint in all the ways in which it can be read: by
// itself, of the list, of the routes, and as a repeated creation answers it.
func (t *T) seen(ref webhook.EndpointRef) []webhook.Endpoint {
	t.Helper()
	one, err := t.Endpoint(t.Context(), ref)
	t.must(err)
	all, err := t.Endpoints(t.Context(), ref.Brand)
	t.must(err)
	routes, err := t.Routes(t.Context(), ref.Brand)
	t.must(err)
	again, created, err := t.CreateEndpoint(t.Context(), one)
	t.must(err)
	if created || len(all) != 1 || len(routes) != 1 {
		t.Fatalf("created %v, %d endpoints, %d routes, want one endpoint", created, len(all), len(routes))
	}
	return []webhook.Endpoint{one, all[0], routes[0], again}
}
