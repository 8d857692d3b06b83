package redisstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// varying are fields that are checked to be there, and no more.
var varying = cmpopts.IgnoreFields(webhook.ServerInfo{}, "Version", "UsedMemory", "Address")

func wantServers(t *testing.T, s *redisstore.Store, want ...webhook.ServerInfo) []webhook.ServerInfo {
	t.Helper()
	got, err := s.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, varying); diff != "" {
		t.Fatalf("servers (-want +got):\n%s", diff)
	}
	for _, one := range got {
		if one.Version < "7" || one.UsedMemory < 100_000 {
			t.Errorf("version %q, %d bytes", one.Version, one.UsedMemory)
		}
	}
	return got
}

func TestServersSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "each says what it is: TestEveryMasterOfAClusterSaysWhatItIs")
	w := newWorld(t, redisstore.Config{}, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes")
	got := wantServers(t, w.Store, webhook.ServerInfo{Policy: "allkeys-lru", MaxMemory: 100 << 20, AOF: true})
	if got[0].Address != "" {
		t.Errorf("address %q of the only server", got[0].Address)
	}
	redistest.Configure(t, w.rdb, "maxmemory-policy", "noeviction")
	redistest.Configure(t, w.rdb, "maxmemory", "0")
	redistest.Configure(t, w.rdb, "appendonly", "no")
	w.must(w.rdb.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
	wantServers(t, w.Store, webhook.ServerInfo{Policy: webhook.NoEviction, Replica: true})
}

func TestEveryMasterOfAClusterSaysWhatItIs(t *testing.T) {
	t.Parallel()
	rdb := redistest.StartCluster(t).Client(t)
	s := open(t, redisstore.Config{Redis: rdb})
	quiet := webhook.ServerInfo{Policy: webhook.NoEviction}
	first := wantServers(t, s, quiet, quiet, quiet)
	admin := redistest.Options(first[1].Address)
	own := redis.NewClient(admin)
	defer own.Close()
	may := redistest.Admin(t, own).(*redis.Client)
	if err := may.ConfigSet(t.Context(), "maxmemory-policy", "volatile-ttl").Err(); err != nil {
		t.Fatal(err)
	}
	wantServers(t, s, quiet, webhook.ServerInfo{Policy: "volatile-ttl"}, quiet)
}

// A user may be forbidden to ask, and an embedded server does not know the question: that is no error.
func TestServersThatSayNothing(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "users are made of one server")
	server := redistest.Start(t)
	admin := server.Admin(t)
	for user, rights := range map[string][]any{
		"all-but-info":   {"ACL", "SETUSER", "all-but-info", "on", "nopass", "~*", "+@all", "-info"},
		"all-but-config": {"ACL", "SETUSER", "all-but-config", "on", "nopass", "~*", "+@all", "-config"},
	} {
		if err := admin.Do(t.Context(), rights...).Err(); err != nil {
			t.Fatal(err)
		}
		rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: user, Password: "any"})
		defer rdb.Close()
		got, err := open(t, redisstore.Config{Redis: rdb}).Servers(t.Context())
		if knows := user == "all-but-config"; err != nil || len(got) != 1 || (got[0].Version != "") != knows {
			t.Errorf("%s: %+v, %v", user, got, err)
		}
	}
	mini, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer mini.Close()
	rdb := redis.NewClient(&redis.Options{Addr: mini.Addr()})
	defer rdb.Close()
	got, err := open(t, redisstore.Config{Redis: rdb}).Servers(t.Context())
	if err != nil || len(got) != 1 || got[0] != (webhook.ServerInfo{}) {
		t.Errorf("embedded: %+v, %v", got, err)
	}
}
