package dispatcher_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// newKey is an entry of secrets.keys with a random key.
func newKey(id string) string {
	key := make([]byte, 32)
	rand.Read(key)
	return id + ":" + base64.StdEncoding.EncodeToString(key)
}

// sealingWith returns a dispatcher that is not run, with these keys.
func sealingWith(t *testing.T, on *redistest.Server, keys ...string) *dispatcher.Dispatcher {
	t.Helper()
	cfg := dispatchertest.Config()
	cfg.Redis, cfg.Logger, cfg.EndpointsPerBrand = on.Client(t), slog.New(slog.DiscardHandler), 1000
	var err error
	if cfg.Secrets, err = dispatcher.ParseKeyRing(keys); err != nil {
		t.Fatal(err)
	}
	d, err := dispatcher.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func endpointWithHeader(id string) webhook.Endpoint {
	return webhook.Endpoint{
		ID: id, Brand: "acme", URL: "https://example.com/" + id, Purpose: webhook.PurposeStatus,
		Headers: map[string]string{"X-Team": "team of " + id},
	}
}

// A host is told by Run that its keys are wrong, before anything is delivered. One
// that only publishes is not hindered, but it cannot create an endpoint.
func TestWrongKeysAreRefused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	k1 := newKey("k1")
	if _, _, err := sealingWith(t, server, k1).CreateEndpoint(t.Context(), endpointWithHeader("a")); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key  string
		want webhook.KeyError
		line string
	}{
		"another": {newKey("k1"), webhook.KeyError{KeyID: "k1"}, `secrets.keys: key "k1" is not the one that sealed what is stored`},
		"none":    {newKey("k2"), webhook.KeyError{KeyID: "k1", Missing: true}, `secrets.keys: key "k1" is missing, and something that is stored is sealed with it`},
	} {
		t.Run(name, func(t *testing.T) {
			d := sealingWith(t, server, tt.key)
			ctx, cancel := context.WithTimeout(t.Context(), dispatchertest.Patience) // a Run that goes on ends then
			defer cancel()
			_, _, created := d.CreateEndpoint(t.Context(), endpointWithHeader("b"))
			_, rotated := d.RotateSecret(t.Context(), webhook.EndpointRef{Brand: "acme", ID: "a"}, webhook.Rotation{})
			for method, err := range map[string]error{
				"CreateEndpoint": created, "RotateSecret": rotated, "CheckKeys": d.CheckKeys(t.Context()), "Run": d.Run(ctx),
			} {
				if got, ok := errors.AsType[*webhook.KeyError](err); !ok || *got != tt.want || !strings.HasSuffix(err.Error(), tt.line) {
					t.Errorf("%s: error %v", method, err)
				}
			}
			receipt, err := d.Publish(t.Context(), event("e-"+name))
			if err != nil || len(receipt.Endpoints) != 1 {
				t.Errorf("publish: %+v, %v", receipt, err)
			}
		})
	}
}

// Run waits for Redis, however long, before it says that a key is wrong; and a host that ends it meanwhile is told nothing.
func TestKeysAreCheckedOnceRedisIsThere(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "it is killed and started again")
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	if err := sealingWith(t, server, newKey("k1")).CheckKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	d := sealingWith(t, server, newKey("k1"))
	if err := d.CheckKeys(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.AwaitKeys(ctx); err != nil {
		t.Errorf("ended before redis came: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), dispatchertest.Patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	server.Restart(t)
	if err := <-ended; err == nil || err.Error() != `secrets.keys: key "k1" is not the one that sealed what is stored` {
		t.Errorf("with redis: %v", err)
	}
}

// Killed at any point, a reencryption loses nothing, and another goes on where it was.
func TestReencryptionKilled(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes")
	k1, k2 := newKey("k1"), newKey("k2")
	old := sealingWith(t, server, k1, k2)
	secrets := map[string]webhook.Endpoint{}
	for i := range 250 {
		e, _, err := old.CreateEndpoint(t.Context(), endpointWithHeader(fmt.Sprint("e", i)))
		if err != nil {
			t.Fatal(err)
		}
		secrets[e.ID] = e
	}
	keys := []string{k1, k2}
	for _, point := range []struct {
		at    string
		moved int
	}{{"before reseal 1", 0}, {"after reseal 1", 1}, {"after reseal 137", 137}, {"after reseal 250", 250}} {
		keys[0], keys[1] = keys[1], keys[0]
		if _, err := sealingWith(t, server, keys[1], keys[0]).ReencryptSecrets(t.Context(), nil); err != nil { // all as before, the script is known
			t.Fatal(err)
		}
		err := child(t, "reencrypt", server.URL(), childKeys+"="+strings.Join(keys, ","), childPoint+"="+point.at).Wait()
		if !wasKilled(err) {
			t.Fatalf("it was not killed at %s: %v", point.at, err)
		}
		checkEndpoints(t, sealingWith(t, server, keys...), secrets)
		did, err := sealingWith(t, server, keys...).ReencryptSecrets(t.Context(), nil)
		if err != nil || did.AlreadyNewest != point.moved || did.Endpoints() != 250 || len(did.Failed) > 0 {
			t.Fatalf("killed at %s, gone on: %+v, %v", point.at, did, err)
		}
		checkEndpoints(t, sealingWith(t, server, keys[0]), secrets)
	}
}

// checkEndpoints wants every secret and header of the brand as it was created.
func checkEndpoints(t *testing.T, d *dispatcher.Dispatcher, want map[string]webhook.Endpoint) {
	t.Helper()
	if err := d.CheckKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := d.Endpoints(t.Context(), "acme")
	if err != nil || len(all) != len(want) {
		t.Fatalf("%d endpoints of %d, %v", len(all), len(want), err)
	}
	for _, e := range all {
		w := want[e.ID]
		if !e.Secrets[0].SameKey(w.Secrets[0]) || e.Headers["X-Team"] != w.Headers["X-Team"] || !e.UpdatedAt.Equal(w.UpdatedAt) {
			t.Fatalf("%s is not what it was", e.ID)
		}
	}
}

// Deliveries go on while everything is sealed anew, in a process that goes on with
// the old order of the keys: each verifies.
func TestReencryptionUnderTraffic(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	k1, k2 := newKey("k1"), newKey("k2")
	ring, err := dispatcher.ParseKeyRing([]string{k1, k2})
	if err != nil {
		t.Fatal(err)
	}
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Redis, c.Secrets = server.Client(t), ring })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	for i := range 100 {
		publish(t, d, webhook.Event{Brand: "acme", Type: "message.read", Payload: []byte(`{}`)})
		if i%10 == 5 {
			there, back := sealingWith(t, server, k2, k1), sealingWith(t, server, k1, k2)
			for _, other := range []*dispatcher.Dispatcher{there, back, there} {
				if did, err := other.ReencryptSecrets(t.Context(), nil); err != nil || did.Endpoints() != 1 {
					t.Fatalf("%+v, %v", did, err)
				}
			}
		}
	}
	r.Wait(t, 100) // it verifies
	if err := sealingWith(t, server, k2).CheckKeys(t.Context()); err != nil {
		t.Error(err)
	}
}
