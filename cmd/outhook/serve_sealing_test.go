package main

import (
	"fmt"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// A daemon whose keys are not those that sealed what is stored does not start, whatever its role: exit code 2, and a line.
func TestServeRefusesWrongKeys(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	createMany(t, sealingWith(t, server.Client(t), newSecretKey("k1")), 1)
	for name, tt := range map[string]struct{ keys, line string }{
		"another": {newSecretKey("k1"), `secrets.keys: key "k1" is not the one that sealed what is stored`},
		"second":  {newSecretKey("k2") + "," + newSecretKey("k1"), `secrets.keys: key "k1" is not the one that sealed what is stored`},
		"missing": {newSecretKey("k2"), `secrets.keys: key "k1" is missing, and something that is stored is sealed with it`},
	} {
		for _, is := range []role{roleAll, roleAPI, roleWorker} {
			t.Run(name+" "+string(is), func(t *testing.T) {
				got := asChild(t, nil, []string{"OUTHOOK_REDIS_URL=" + redistest.URL(server.Addr()), "OUTHOOK_AUTH_ADMIN_KEY=" + testKey,
					"OUTHOOK_SECRETS_KEYS=" + tt.keys}, append([]string{"serve", "--role=" + string(is)}, serveFlags...)...)
				if got.code != exitUsage || !strings.HasSuffix(got.errOut, "\nouthook: serve: "+tt.line+"\n") {
					t.Errorf("exit code %d, stderr:\n%s", got.code, got.errOut)
				}
				if strings.Contains(got.errOut, `"listening"`) {
					t.Error("it answered before it looked")
				}
			})
		}
	}
}

// While Redis is away nobody knows whether the keys are right; as soon as it is back they are looked at.
func TestServeRefusesWrongKeysOnceRedisIsThere(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	createMany(t, sealingWith(t, server.Client(t), newSecretKey("k1")), 1)
	server.Kill()
	api, worker := startServe(t, server.Addr(), "--role=api"), startServe(t, server.Addr(), "--role=worker") // testSecretKey is another k1
	api.awaitLog(t, "waiting for redis")
	worker.awaitLog(t, "waiting for redis")
	server.Restart(t)
	for _, c := range []*child{api, worker} {
		if code := c.exit(); code != exitUsage {
			t.Errorf("exit code %d", code)
		}
		if line := `{"text":"outhook: serve: secrets.keys: key \"k1\" is not the one that sealed what is stored"}`; !strings.HasSuffix(c.text(), line+"\n") {
			t.Errorf("stderr:\n%s", c.text())
		}
	}
}

// The keys of two daemons are changed one after the other, as the manual says: every event of every step arrives, and
// nobody is refused.
func TestServeThroughAChangeOfKeys(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	k1, k2 := testSecretKey, newSecretKey("k2")
	start := func(is role, keys string) *child {
		return startServe(t, server.Addr(), "--role="+string(is), "--secrets-keys="+keys)
	}
	end := func(c *child) {
		t.Helper()
		c.terminate(t)
		if code := c.exit(); code != exitDone {
			t.Fatalf("%v: exit code %d", c.cmd.Args, code)
		}
	}
	api, worker := start(roleAPI, k1), start(roleWorker, k1)
	to := newTarget(t, api.client(t), atOnce())
	published := 0
	works := func() {
		t.Helper()
		published++
		id := fmt.Sprint("e", published)
		if got := api.publish(t, "--type=message.read", "--id="+id, "--data={}"); got.code != exitDone {
			t.Fatalf("publish: %+v", got)
		}
		to.expect(t, id, "{}") // verified with the secret of the first day
		awaitState(t, api.client(t), id, webhook.StateDelivered)
	}
	works()
	for _, keys := range []string{k1 + "," + k2, k2 + "," + k1, k2} {
		if keys == k2 {
			got := reencryptOn(t, server.Addr(), k2+","+k1, "-o=json")
			if want := `{"endpoints":1,"moved":1,"alreadyNewest":0,"failed":0}` + "\n"; got != (outcome{exitDone, want, ""}) {
				t.Fatalf("reencrypt: %+v", got)
			}
			works()
		}
		end(worker)
		worker = start(roleWorker, keys)
		works()
		end(api)
		api = start(roleAPI, keys)
		works()
	}
	if got := reencryptOn(t, server.Addr(), k2); got.code != exitDone || !strings.Contains(got.out, "before: 1") {
		t.Errorf("at last: %+v", got)
	}
}
