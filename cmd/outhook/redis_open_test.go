package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// warnings are the messages of warn lines with this beginning.
func (c *child) warnings(beginning string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for _, line := range c.lines {
		if message := fmt.Sprint(line["msg"]); line["level"] == "WARN" && strings.HasPrefix(message, beginning) {
			found = append(found, message)
		}
	}
	return found
}

// openRedis is one without users, however the tests are run.
func openRedis(t *testing.T) *redistest.Server {
	t.Helper()
	if os.Getenv(redistest.EnvACL) != "" {
		t.Skip("this Redis would have users")
	}
	return redistest.Start(t)
}

func TestServeWarnsOfARedisThatAsksNobody(t *testing.T) {
	t.Parallel()
	store := openRedis(t)
	for _, role := range []string{"all", "api", "worker"} {
		c := startServe(t, store.Addr(), "--role="+role)
		c.awaitReady(t, 200, "ok\n")
		dispatchertest.Eventually(t, func() bool { return len(c.warnings("redis has no authentication")) > 0 })
		lines := c.logged(openToMachine)
		if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["do"]), "redis.url") {
			t.Errorf("%s: warned %v", role, lines)
		}
	}
}

func TestServeDoesNotWarnOfARedisWithAPassword(t *testing.T) {
	t.Parallel()
	store := openRedis(t)
	if err := store.Client(t).ConfigSet(t.Context(), "requirepass", "secret").Err(); err != nil {
		t.Fatal(err)
	}
	with := startServe(t, store.Addr(), "--redis-url=redis://:secret@"+store.Addr())
	with.awaitReady(t, 200, "ok\n")
	with.terminate(t)
	if code := with.exit(); code != exitDone || len(with.warnings("redis has no")) > 0 {
		t.Errorf("exit code %d, warned %v", code, with.warnings(""))
	}
	without := startServe(t, store.Addr(), "--redis-url=redis://"+store.Addr())
	without.awaitLog(t, "waiting for redis")
	if !strings.Contains(without.text(), "NOAUTH") || len(without.warnings("redis has no")) > 0 {
		t.Errorf("without the password:\n%s", without.text())
	}
}

// That we say who we are does not make Redis ask others.
func TestServeWarnsOfARedisThatAsksOnlyUs(t *testing.T) {
	t.Parallel()
	store := openRedis(t)
	if err := store.Client(t).ACLSetUser(t.Context(), "outhook", "on", ">secret", "~*", "&*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	c := startServe(t, store.Addr(), "--redis-url=redis://outhook:secret@"+store.Addr())
	c.awaitLog(t, openToMachine)
}

func TestServeWarnsOfARedisThatWantsNoCertificate(t *testing.T) {
	t.Parallel()
	if os.Getenv(redistest.EnvACL) != "" {
		t.Skip("this Redis would have users")
	}
	ours := newAuthority(t)
	server, own := ours.issue(t, time.Hour), ours.issue(t, time.Hour)
	_, addr := redistest.StartTLS(t, ours.file, server.certificate, server.key, "--tls-auth-clients", "no")
	c := startServe(t, addr, "--redis-url=rediss://"+addr, "--redis-ca-bundle="+ours.file,
		"--redis-client-certificate="+own.certificate, "--redis-client-key="+own.key)
	c.awaitLog(t, openToMachine)
}

func TestOnThisMachine(t *testing.T) {
	for hosts, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "LOCALHOST:1": true, "127.0.0.1:1,[::1]:1": true,
		"10.0.0.1:1": false, "redis:1": false, "localhost.example.com:1": false, "127.0.0.1:1,redis:1": false, "[::]:1": false, "0.0.0.0:1": false,
	} {
		if got := onThisMachine(strings.Split(hosts, ",")); got != want {
			t.Errorf("%s: %t", hosts, got)
		}
	}
}
