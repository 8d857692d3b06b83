package storetest

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

var updateTests = map[string]func(*T){
	"Update/changes every setting": func(t *T) {
		ref := t.endpoint("a")
		t.pass(time.Minute)
		want := webhook.Endpoint{
			ID: "a", Brand: t.brand, URL: "https://example.com/other", EventTypes: []string{"message.*"},
			Description: "changed", Metadata: map[string]string{"team": "red"}, Headers: map[string]string{"X-Key": "w"},
			MaxInFlight: 2, Timeout: 9 * time.Second, Signature: webhook.SignatureEd25519,
			Secrets: []webhook.EndpointSecret{{Ed25519: signer.NewPrivateKey()},
				{HMAC: signer.NewSecret(), EndsAt: t.now().Add(time.Hour)}},
			CreatedAt: t.now().Add(-time.Minute), UpdatedAt: t.now(), DisabledReason: webhook.DisabledManually,
		}
		got, runs := t.update(ref, func(e *webhook.Endpoint) { *e = want })
		t.wantRuns(runs)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		route := want
		route.Secrets, route.Headers = nil, nil
		if diff := cmp.Diff([]webhook.Endpoint{want, want, route, want}, t.seen(ref)); diff != "" {
			t.Fatal(diff)
		}
	},
	"Update/of one setting leaves the others": func(t *T) {
		ref := t.endpoint("a", func(e *webhook.Endpoint) {
			e.Headers, e.Metadata, e.MaxInFlight = map[string]string{"X-Key": "v"}, map[string]string{"team": "blue"}, 7
		})
		before, err := t.Endpoint(t.Context(), ref)
		t.must(err)
		t.update(ref, func(e *webhook.Endpoint) { e.URL = "https://example.com/other" })
		after, err := t.Endpoint(t.Context(), ref)
		t.must(err)
		before.URL = after.URL
		if diff := cmp.Diff(before, after); diff != "" || after.URL != "https://example.com/other" {
			t.Fatal(after.URL, diff)
		}
	},
	"Update/keeps what another changed in between": func(t *T) {
		ref := t.endpoint("a")
		calls := 0
		got, _ := t.update(ref, func(e *webhook.Endpoint) {
			if calls++; calls == 1 {
				t.update(ref, func(e *webhook.Endpoint) { e.Description = "theirs" })
			}
			e.Metadata = map[string]string{"ours": e.Description}
		})
		if calls != 2 || got.Description != "theirs" || got.Metadata["ours"] != "theirs" {
			t.Fatalf("%d calls, stored %q, %v, want both changes, the second made of the first", calls, got.Description, got.Metadata)
		}
		stored, err := t.Endpoint(t.Context(), ref)
		t.must(err)
		if diff := cmp.Diff(got, stored); diff != "" {
			t.Fatal(diff)
		}
	},
	"Update/keeps that a receiver was gone in between": func(t *T) {
		ref := t.endpoint("a")
		run := t.runOf("e1", "a")
		v, calls := dead(webhook.DeathGone), 0
		v.Disable = webhook.DisabledGone
		got, _ := t.update(ref, func(e *webhook.Endpoint) {
			if calls++; calls == 1 {
				t.settle(run, v)
			}
			e.Description = "ours"
		})
		if got.DisabledReason != webhook.DisabledGone || got.Description != "ours" {
			t.Fatalf("stored %q, disabled %q", got.Description, got.DisabledReason)
		}
	},
	"Update/at once from many sides loses none": func(t *T) {
		ref := t.endpoint("a")
		want := map[string]string{}
		var wg sync.WaitGroup
		for i := range 8 {
			key := fmt.Sprint("k", i)
			want[key] = "set"
			wg.Go(func() {
				_, _, err := t.UpdateEndpoint(t.Context(), ref, func(e *webhook.Endpoint) error {
					all := maps.Clone(want)
					maps.DeleteFunc(all, func(k, _ string) bool { return k != key && e.Metadata[k] == "" })
					e.Metadata = all
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		stored, err := t.Endpoint(t.Context(), ref)
		t.must(err)
		if diff := cmp.Diff(want, stored.Metadata); diff != "" {
			t.Fatal(diff)
		}
	},
	"Update/an error of the change ends it": func(t *T) {
		ref := t.endpoint("a")
		before, err := t.Endpoint(t.Context(), ref)
		t.must(err)
		refused := errors.New("refused")
		_, runs, err := t.UpdateEndpoint(t.Context(), ref, func(e *webhook.Endpoint) error {
			e.URL = "https://example.com/other"
			return refused
		})
		if err != refused || len(runs.Runs) != 0 {
			t.Fatalf("runs %v, error %v, want the change's own", runs, err)
		}
		after, err := t.Endpoint(t.Context(), ref)
		t.must(err)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatal(diff)
		}
	},
	"Update/moves no endpoint": func(t *T) {
		ref := t.endpoint("a", func(e *webhook.Endpoint) { e.Headers = map[string]string{"X-Key": "v"} })
		got, _ := t.update(ref, func(e *webhook.Endpoint) { e.ID, e.Brand = "b", "other" })
		if got.Ref() != ref {
			t.Fatalf("answers %s, want %s", got.Ref(), ref)
		}
		if e := t.seen(ref)[0]; e.Ref() != ref || e.Headers["X-Key"] != "v" || len(e.Secrets) != 1 {
			t.Fatalf("stored %+v", e)
		}
	},
	"Update/of an unknown or deleted endpoint is not found": func(t *T) {
		deleted := t.endpoint("deleted")
		t.must(t.DeleteEndpoint(t.Context(), deleted))
		for _, ref := range []webhook.EndpointRef{deleted, {Brand: t.brand, ID: "never"}} {
			_, _, err := t.UpdateEndpoint(t.Context(), ref, func(*webhook.Endpoint) error {
				t.Errorf("%s: there is something to change", ref)
				return nil
			})
			if !errors.Is(err, webhook.ErrNotFound) {
				t.Fatalf("%s: %v", ref, err)
			}
		}
		gone := t.endpoint("gone")
		_, _, err := t.UpdateEndpoint(t.Context(), gone, func(*webhook.Endpoint) error { return t.DeleteEndpoint(t.Context(), gone) })
		if !errors.Is(err, webhook.ErrNotFound) {
			t.Fatalf("deleted in between: %v", err)
		}
	},
	"Update/is what the next attempt uses": func(t *T) {
		ref := t.endpoint("a")
		run := t.runOf("e1", "a")
		t.wantClaim(run, webhook.ClaimGo)
		secret := signer.NewSecret()
		t.update(ref, func(e *webhook.Endpoint) {
			e.URL, e.Headers = "https://example.com/other", map[string]string{"X-Key": "w"}
			e.Secrets = append([]webhook.EndpointSecret{{HMAC: secret}}, e.Secrets...)
		})
		e := t.wantClaim(run, webhook.ClaimGo).Endpoint
		if e.URL != "https://example.com/other" || e.Headers["X-Key"] != "w" || len(e.Secrets) != 2 || !e.Secrets[0].HMAC.Equal(secret) {
			t.Fatalf("the attempt would use %+v", e)
		}
	},
	"Update/that raises the limit releases what waits": func(t *T) {
		ref := t.endpoint("a", serial)
		t.runOf("e0", "a")
		for i := range 4 {
			t.pass(time.Millisecond)
			t.wantRuns(t.admit(t.event(fmt.Sprint("e", i+1)), "a").Runs())
		}
		_, runs := t.update(ref, func(e *webhook.Endpoint) { e.MaxInFlight = 3 })
		t.wantRuns(runs, "e1", "e2")
		_, runs = t.update(ref, func(e *webhook.Endpoint) { e.MaxInFlight = 4 })
		t.wantRuns(runs, "e3")
		t.wantState("e4", "a", webhook.StateWaiting)
	},
	"Update/that lowers the limit takes nothing back": func(t *T) {
		ref := t.endpoint("a")
		runs := []webhook.Run{t.runOf("e0", "a"), t.runOf("e1", "a")}
		_, released := t.update(ref, func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
		t.wantRuns(released)
		t.wantRuns(t.admit(t.event("e2"), "a").Runs())
		t.wantClaim(runs[1], webhook.ClaimGo)
		t.wantRuns(t.settle(runs[0], delivered()))
		t.wantRuns(t.settle(runs[1], delivered()), "e2")
	},
	"Update/that disables keeps the reason until it enables": func(t *T) {
		ref := t.endpoint("a", serial)
		first := t.runOf("first", "a")
		t.admit(t.event("waits"), "a")
		t.disable(ref)
		for _, e := range t.seen(ref) {
			if e.DisabledReason != webhook.DisabledManually {
				t.Fatalf("disabled reason %q", e.DisabledReason)
			}
		}
		t.wantRuns(t.settle(first, delivered()))
		_, runs := t.update(ref, func(e *webhook.Endpoint) { e.MaxInFlight = 3 })
		t.wantRuns(runs) // it is disabled still
		t.wantRuns(t.enable(ref), "waits")
		for _, e := range t.seen(ref) {
			if e.DisabledReason != "" {
				t.Fatalf("enabled, and disabled for %q", e.DisabledReason)
			}
		}
	},
}

// update changes an endpoint, and answers it and what was released.
func (t *T) update(ref webhook.EndpointRef, change func(*webhook.Endpoint)) (webhook.Endpoint, []webhook.Run) {
	t.Helper()
	e, runs, err := t.UpdateEndpoint(t.Context(), ref, func(e *webhook.Endpoint) error { change(e); return nil })
	t.must(err)
	return e, runs.Runs
}

func (t *T) disable(ref webhook.EndpointRef) {
	t.Helper()
	_, runs := t.update(ref, func(e *webhook.Endpoint) { e.DisabledReason, e.UpdatedAt = webhook.DisabledManually, t.now() })
	t.wantRuns(runs)
}

func (t *T) enable(ref webhook.EndpointRef) []webhook.Run {
	t.Helper()
	_, runs := t.update(ref, func(e *webhook.Endpoint) { e.DisabledReason, e.UpdatedAt = "", t.now() })
	return runs
}

// serial is an endpoint that has one delivery in flight at a time.
func serial(e *webhook.Endpoint) { e.MaxInFlight = 1 }
