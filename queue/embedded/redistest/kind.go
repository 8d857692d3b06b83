package redistest

import (
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/config"
)

// EnvKind names the environment variable that says what [Start] starts: "cluster" (three masters), "sentinel" (a master, a
// replica and a sentinel), "valkey" (one valkey-server, which must be on PATH), or, empty, one server. Any other value fails
// the test.
const EnvKind = "OUTHOOK_TEST_REDIS"

const (
	kindPlain    = ""
	kindCluster  = "cluster"
	kindSentinel = "sentinel"
	kindValkey   = "valkey"
)

// whole is what stands in place of one process.
type whole interface {
	// URL is for the user of [Options].
	URL() string
}

func kindOf(t testing.TB) string {
	t.Helper()
	kind := os.Getenv(EnvKind)
	switch kind {
	case kindPlain, kindCluster, kindSentinel, kindValkey:
	default:
		t.Fatalf("%s=%s: must be cluster, sentinel, valkey, or empty for one redis-server", EnvKind, kind)
	}
	return kind
}

// OneServer skips a test that is about one process where [EnvKind] asks for several. It says why.
func OneServer(t testing.TB, why string) {
	t.Helper()
	if kind := kindOf(t); kind == kindCluster || kind == kindSentinel {
		t.Skipf("not on a %s: %s", kind, why)
	}
}

// NotCluster skips a test that cannot be on a Redis Cluster, where [EnvKind] asks for one. It says why.
func NotCluster(t testing.TB, why string) {
	t.Helper()
	if kindOf(t) == kindCluster {
		t.Skip("not on a cluster: " + why)
	}
}

func (s *Server) mustBeOne() {
	if s.whole != nil {
		panic("redistest: several servers: the test is to begin with OneServer")
	}
}

// OptionsOf are how to reach a Redis by its URL, in any of the forms of redis.url in the configuration.
func OptionsOf(url string) *redis.UniversalOptions {
	parsed, err := config.ParseRedisURL(url)
	if err != nil {
		panic("redistest: " + err.Error())
	}
	to := parsed.Target()
	return &redis.UniversalOptions{
		Addrs: to.Hosts, DB: to.DB, Username: to.Username, Password: to.Password.Reveal(),
		IsClusterMode: strings.HasPrefix(url, "redis-cluster:"), MasterName: to.Master,
	}
}
