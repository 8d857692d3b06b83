package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

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

func TestWhatProvesUs(t *testing.T) {
	files := newAuthority(t).issue(t, 1<<40)
	for url, want := range map[string]bool{
		"redis://a": false, "rediss://a": false, "redis://:p@a": true, "redis-cluster://u:p@a,b": true, "redis-cluster://a,b": false,
		"redis-sentinel://a?master=m&sentinelPassword=p": false, // which only the sentinels want
	} {
		if got := settingsWith(t, "OUTHOOK_REDIS_URL="+url).proof; got != want {
			t.Errorf("%s: %t", url, got)
		}
	}
	if !settingsWith(t, tlsEnv("127.0.0.1:1", "", files)...).proof {
		t.Error("a certificate proves nothing")
	}
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
