package redistest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

// After a failover the same client, and one of the tests' own, write to what was the replica.
func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinel(t)
	server := set.Server()
	client := server.Client(t)
	admin := redistest.Admin(t, client)
	for i, c := range []redis.UniversalClient{client, admin} {
		if err := c.Set(t.Context(), fmt.Sprint("oh:{s00}:before", i), "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set.Master.Kill()
	for i, c := range []redis.UniversalClient{client, admin} {
		for deadline := time.Now().Add(30 * time.Second); c.Set(t.Context(), fmt.Sprint("oh:{s00}:after", i), "1", 0).Err() != nil; {
			if time.Now().After(deadline) {
				t.Fatal("nobody took over")
			}
		}
	}
	if n := set.Replica.Admin(t).DBSize(t.Context()).Val(); n != 4 {
		t.Errorf("the replica has %d keys, want 4", n)
	}
}

// ending notes how a test was ended, instead of ending it.
type ending struct {
	testing.TB
	failed, skipped string
}

func (e *ending) Fatalf(format string, args ...any) {
	e.failed = fmt.Sprintf(format, args...)
	panic(e)
}
func (e *ending) Skipf(format string, args ...any) {
	e.skipped = fmt.Sprintf(format, args...)
	panic(e)
}
func (e *ending) Skip(args ...any)  { e.skipped = fmt.Sprint(args...); panic(e) }
func (e *ending) Fatal(args ...any) { e.failed = fmt.Sprint(args...); panic(e) }

func endOf(t *testing.T, test func(testing.TB)) (e *ending) {
	t.Helper()
	e = &ending{TB: t}
	defer func() {
		if over := recover(); over != nil && over != any(e) {
			panic(over)
		}
	}()
	test(e)
	return e
}

func TestKinds(t *testing.T) {
	for kind, want := range map[string]struct{ one, notCluster bool }{
		"": {}, "cluster": {true, true}, "sentinel": {true, false},
	} {
		t.Setenv(redistest.EnvKind, kind)
		one := endOf(t, func(t testing.TB) { redistest.OneServer(t, "the reason") })
		not := endOf(t, func(t testing.TB) { redistest.NotCluster(t, "the reason") })
		if strings.Contains(one.skipped, "the reason") != want.one || strings.Contains(not.skipped, "the reason") != want.notCluster {
			t.Errorf("%q: skipped %q, %q", kind, one.skipped, not.skipped)
		}
		url := redistest.Start(t).URL()
		if scheme, _, _ := strings.Cut(url, "://"); kind != "" && scheme != "redis-"+kind || kind == "" && scheme != "redis" {
			t.Errorf("%q: %s", kind, url)
		}
	}
}

func TestUnknownKindFails(t *testing.T) {
	t.Setenv(redistest.EnvKind, "clusters")
	if e := endOf(t, func(t testing.TB) { redistest.Start(t) }); !strings.Contains(e.failed, "OUTHOOK_TEST_REDIS=clusters: must be cluster, ") {
		t.Errorf("failed %q, skipped %q", e.failed, e.skipped)
	}
}

// Who asks for Valkey is not given Redis.
func TestValkeyIsValkey(t *testing.T) {
	t.Setenv(redistest.EnvKind, "valkey")
	t.Setenv("PATH", t.TempDir())
	if e := endOf(t, func(t testing.TB) { redistest.Start(t) }); !strings.Contains(e.failed, "valkey-server is not on PATH") {
		t.Errorf("failed %q, skipped %q", e.failed, e.skipped)
	}
}
