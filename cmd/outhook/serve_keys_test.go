package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// The bootstrap key is needed until an admin key was created, and no longer.
func TestServeWithoutTheBootstrapKey(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	nobody := startServe(t, store.Addr(), "--role=api", "--auth-admin-key=")
	if code := nobody.exit(); code != exitUsage || !strings.Contains(nobody.text(), "auth.adminKey: is required to serve") {
		t.Fatalf("nobody can administer it: exit code %d\n%s", code, nobody.text())
	}
	first := startServe(t, store.Addr(), "--role=api")
	created, err := first.client(t).CreateKey(t.Context(), httpapi.KeyRequest{Description: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	second := startServe(t, store.Addr(), "--auth-admin-key=")
	second.awaitReady(t, 200, "ok\n")
	client, err := httpapi.NewClient(second.api, created.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Keys(t.Context(), httpapi.Page{}); err != nil {
		t.Errorf("with the created key: %v", err)
	}
	if _, err := second.client(t).Keys(t.Context(), httpapi.Page{}); !errors.Is(err, webhook.ErrUnauthorized) {
		t.Errorf("with the bootstrap key that is no longer set: %v", err)
	}
	for key, want := range map[string]int{created.Key: 200, testKey: 401} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, second.admin+"/asynqmon/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("asynqmon: %d, want %d", answer.StatusCode, want)
		}
	}
}

// A revoked key is refused within 5 s by a process that knew it, while its brand's data stays.
func TestRevokedKey(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	one, other := startServe(t, store.Addr(), "--role=api"), startServe(t, store.Addr(), "--role=api")
	created, err := one.client(t).CreateKey(t.Context(), httpapi.KeyRequest{Brand: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := httpapi.NewClient(other.api, created.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Events(t.Context(), "acme", httpapi.EventQuery{}); err != nil {
		t.Fatal(err)
	}
	if err := one.client(t).RevokeKey(t.Context(), created.ID); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	dispatchertest.Eventually(t, func() bool {
		_, err := client.Events(t.Context(), "acme", httpapi.EventQuery{})
		return errors.Is(err, webhook.ErrUnauthorized)
	})
	t.Logf("refused %s after it was revoked", time.Since(revoked).Round(time.Millisecond))
}
