package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

const evictsLine = "redis drops what is stored when it is full, as its maxmemory-policy is allkeys-lru: set it to noeviction"

// A daemon whose Redis would drop events does not start, whatever its role: exit code 2, and a line.
func TestServeRefusesARedisThatEvicts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	for _, is := range []role{roleAll, roleAPI, roleWorker} {
		got := asChild(t, nil, []string{"OUTHOOK_REDIS_URL=" + redistest.URL(server.Addr()), "OUTHOOK_AUTH_ADMIN_KEY=" + testKey,
			"OUTHOOK_SECRETS_KEYS=" + testSecretKey}, append([]string{"serve", "--role=" + string(is)}, serveFlags...)...)
		if got.code != exitUsage || !strings.HasSuffix(got.errOut, "\nouthook: serve: "+evictsLine+"\n") {
			t.Errorf("%s: exit code %d, stderr:\n%s", is, got.code, got.errOut)
		}
		if strings.Contains(got.errOut, `"listening"`) {
			t.Errorf("%s: it answered before it looked", is)
		}
	}
}

// Redis 7.0 has no WAITAOF: who asks for it is told at start, and who asks for it in a file that is not kept.
func TestServeRefusesADurableThatRedisLacks(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	got := asChild(t, nil, []string{"OUTHOOK_REDIS_URL=" + redistest.URL(server.Addr()), "OUTHOOK_AUTH_ADMIN_KEY=" + testKey,
		"OUTHOOK_SECRETS_KEYS=" + testSecretKey, "OUTHOOK_REDIS_DURABLE=waitaof:1"}, append([]string{"serve"}, serveFlags...)...)
	if got.code != exitUsage || !strings.Contains(got.errOut, "outhook: serve: redis.durable waitaof:1 needs ") {
		t.Errorf("exit code %d, stderr:\n%s", got.code, got.errOut)
	}
}

// What Redis is, is known as soon as it is there; and what it becomes, readiness tells everybody, without its address.
func TestServeOnARedisThatComesToEvict(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	server.Kill()
	late := startServe(t, server.Addr(), "--role=worker")
	late.awaitLog(t, "waiting for redis")
	server.Restart(t)
	if code := late.exit(); code != exitUsage || !strings.Contains(late.text(), evictsLine) {
		t.Errorf("exit code %d\n%s", code, late.text())
	}
	policy := func(value string) {
		t.Helper()
		if err := server.Admin(t).ConfigSet(t.Context(), "maxmemory-policy", value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	policy("noeviction")
	c := startServe(t, server.Addr())
	c.awaitReady(t, 200, "ok\n")
	policy("allkeys-lru")
	c.awaitReady(t, 503, evictsLine+"\n")
	policy("noeviction")
	c.awaitReady(t, 200, "ok\n")
}

// A publish to a Redis that is nearly full is told so, and when to come again.
func TestServeOnAFullRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := startServe(t, server.Addr(), "--redis-publish-watermark=0.5")
	c.awaitReady(t, 200, "ok\n")
	client := c.client(t)
	publish := func(id string) error {
		_, err := client.Publish(t.Context(), "acme", httpapi.PublishRequest{ID: id, Type: "message.read", Payload: []byte(`{}`)})
		return err
	}
	if err := publish("before"); err != nil {
		t.Fatal(err)
	}
	admin := server.Admin(t)
	for i := range 64 { // beside which nothing else counts
		if err := admin.Set(t.Context(), fmt.Sprint("ballast", i), strings.Repeat("x", 256<<10), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	_, used, _ := strings.Cut(admin.Info(t.Context(), "memory").Val(), "used_memory:")
	var bytes int
	fmt.Sscan(used, &bytes)
	if err := admin.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(bytes*3/2)).Err(); err != nil {
		t.Fatal(err)
	}
	var refused error
	dispatchertest.Eventually(t, func() bool { refused = publish("refused"); return refused != nil })
	p, ok := errors.AsType[*httpapi.Problem](refused)
	if !ok || p.Status != 503 || p.RetryAfter <= 0 || !strings.Contains(p.Detail, "nearly full") || !errors.Is(refused, webhook.ErrUnavailable) {
		t.Errorf("refused with %+v", refused)
	}
	if status, body := get(t, c.admin+"/readyz", ""); status != 200 {
		t.Errorf("not ready to deliver: %d %s", status, body)
	}
}

// A frozen replica: 503 within two seconds and a repetition that is accepted.
func TestServeDurably(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	c := startServe(t, primary.Addr(), "--role=api", "--redis-durable=wait:1")
	c.awaitReady(t, 200, "ok\n")
	client := c.client(t)
	publish := func(ctx context.Context) error {
		_, err := client.Publish(ctx, "acme", httpapi.PublishRequest{ID: "r1", Type: "message.read", Payload: []byte(`{}`)})
		return err
	}
	replica.Stop(t)
	for range 2 { // the second one has nothing to write, and waits all the same
		began := time.Now()
		err := publish(t.Context())
		p, ok := errors.AsType[*httpapi.Problem](err)
		if !ok || p.Status != 503 || p.RetryAfter <= 0 {
			t.Fatalf("with a frozen replica: %+v", err)
		}
		t.Logf("503 after %s", time.Since(began).Round(time.Millisecond))
	}
	replica.Continue(t)
	dispatchertest.Eventually(t, func() bool { return publish(t.Context()) == nil })
	if n := replica.Admin(t).DBSize(t.Context()).Val(); n == 0 {
		t.Error("the replica has nothing")
	}
}
