package dispatcher_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// share has a server's maxmemory be such that so much of it is in use.
func share(t *testing.T, server *redistest.Server, of float64) {
	t.Helper()
	if err := server.Admin(t).SetRange(t.Context(), "ballast", 64<<20, "x").Err(); err != nil { // beside it, connections do not count
		t.Fatal(err)
	}
	var used float64
	_, after, _ := strings.Cut(server.Admin(t).Info(t.Context(), "memory").Val(), "used_memory:")
	if _, err := fmt.Sscan(after, &used); err != nil {
		t.Fatal(err)
	}
	set(t, server, "maxmemory", fmt.Sprintf("%.0f", used/of))
}

func TestDoctorOnServers(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "each server has lines of its own: TestDoctorOnACluster")
	for name, tt := range map[string]struct {
		options []string
		change  func(*dispatcher.Config)
		stage   func(*testing.T, *redistest.Server)
		want    wants
	}{
		"no file":               {nil, asIs, nil, wantWarn("persistence", "no append-only file", "CONFIG SET appendonly yes")},
		"a file":                {[]string{"--appendonly", "yes"}, asIs, nil, wantOK("persistence", "append-only file")},
		"waits for no file":     {nil, waitsForDisk, nil, wantBad("persistence", "redis.durable waitaof:1", "outhook serve ends at once")},
		"evicts":                {[]string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, asIs, nil, wantBad("eviction", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction")},
		"would evict":           {[]string{"--maxmemory-policy", "volatile-ttl"}, asIs, nil, wantWarn("eviction", "volatile-ttl")},
		"evicts nothing":        {nil, asIs, nil, wantOK("eviction", "noeviction")},
		"no maxmemory":          {nil, asIs, nil, wantWarn("memory", "no maxmemory", "CONFIG SET maxmemory")},
		"room":                  {[]string{"--maxmemory", "100mb"}, asIs, nil, wantOK("memory", "of 100.0 MiB in use")},
		"history goes":          {nil, asIs, func(t *testing.T, s *redistest.Server) { share(t, s, 0.78) }, wantWarn("memory", "redis.historyWatermark", "maxmemory")},
		"publishing is refused": {nil, asIs, func(t *testing.T, s *redistest.Server) { share(t, s, 0.92) }, wantBad("memory", "publishing is refused from 85 % on", "maxmemory")},
		"refused from less on":  {nil, func(c *dispatcher.Config) { c.PublishWatermark = 0.3 }, func(t *testing.T, s *redistest.Server) { share(t, s, 0.5) }, wantBad("memory", "publishing is refused from 30 % on")},
		"full":                  {nil, asIs, func(t *testing.T, s *redistest.Server) { share(t, s, 1.2) }, wantBad("memory", "full, no delivery is begun")},
		"alone":                 {nil, asIs, nil, wantOK("replicas", "none")},
		"alone and waits":       {nil, func(c *dispatcher.Config) { c.Durable.Replicas = 2 }, nil, wantBad("replicas", "redis.durable wait:2 needs 2, and 0 follow")},
		"an admin key of the API": {nil, asIs, func(t *testing.T, s *redistest.Server) {
			if _, _, err := notRun(t, s.Client(t), asIs).CreateKey(t.Context(), webhook.APIKey{}); err != nil {
				t.Fatal(err)
			}
		}, wantOK("admin key", "1 key that was created")},
		"a brand's key only": {nil, asIs, func(t *testing.T, s *redistest.Server) {
			if _, _, err := notRun(t, s.Client(t), asIs).CreateKey(t.Context(), webhook.APIKey{Brand: "acme"}); err != nil {
				t.Fatal(err)
			}
		}, wantBad("admin key", "there is none", "OUTHOOK_AUTH_ADMIN_KEY")},
		"the bootstrap key": {nil, admin, nil, wantOK("admin key", "auth.adminKey")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, tt.options...)
			if tt.stage != nil {
				tt.stage(t, server)
			}
			says(t, notRun(t, server.Client(t), tt.change), tt.want)
		})
	}
}

// altered has INFO say something else in some fields, and the clock be off. The trouble of a disk, and an older Redis, are not
// to be had in a test.
type altered struct {
	fields map[string]string
	skew   time.Duration
}

func (a altered) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a altered) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a altered) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		switch cmd := cmd.(type) {
		case *redis.StringCmd:
			for field, value := range a.fields {
				before, after, known := strings.Cut(cmd.Val(), field+":")
				_, after, _ = strings.Cut(after, "\r\n")
				if known {
					cmd.SetVal(before + field + ":" + value + "\r\n" + after)
				}
			}
		case *redis.TimeCmd:
			cmd.SetVal(cmd.Val().Add(a.skew))
		}
		return err
	}
}

func TestDoctorOnWhatServersSay(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "what one server says of itself is staged")
	server := redistest.Start(t, "--appendonly", "yes")
	follower := redistest.StartReplica(t, server)
	follows := "ip=10.0.0.1,port=6379,state=%s,offset=%d,lag=%d"
	for name, tt := range map[string]struct {
		says altered
		want wants
	}{
		"too old":           {altered{fields: map[string]string{"redis_version": "6.2.14"}}, wantBad("redis", "6.2.14", "too old", "7.0 or later")},
		"a later one":       {altered{fields: map[string]string{"redis_version": "8.0.1"}}, wantOK("redis", "8.0.1")},
		"no room on disk":   {altered{fields: map[string]string{"aof_last_write_status": "err"}}, wantBad("persistence", "refuses every write", "df -h")},
		"no snapshot":       {altered{fields: map[string]string{"rdb_last_bgsave_status": "err"}}, wantBad("persistence", "could not save its last snapshot", "BGSAVE")},
		"no rewrite":        {altered{fields: map[string]string{"aof_last_bgrewrite_status": "err"}}, wantWarn("persistence", "BGREWRITEAOF")},
		"a replica":         {altered{}, wantOK("replicas", "1, at most")},
		"one that is sent":  {altered{fields: map[string]string{"slave0": fmt.Sprintf(follows, "wait_bgsave", 0, 0)}}, wantWarn("replicas", "1 of 1 do not have everything yet")},
		"one that is quiet": {altered{fields: map[string]string{"slave0": fmt.Sprintf(follows, "online", 1<<40, 34)}}, wantWarn("replicas", "has not been heard of for 34 s")},
		"one that is late":  {altered{fields: map[string]string{"slave0": fmt.Sprintf(follows, "online", 1<<20, 0), "master_repl_offset": fmt.Sprint(41 << 20)}}, wantWarn("replicas", "is 40.0 MiB behind")},
		"a clock":           {altered{}, wantOK("clock")},
		"one ahead":         {altered{skew: -3 * time.Second}, wantWarn("clock", "ahead of redis", "chronyc")},
		"one behind":        {altered{skew: 12 * time.Second}, wantBad("clock", "behind redis", "takes nothing")},
	} {
		t.Run(name, func(t *testing.T) {
			rdb := server.Client(t)
			rdb.AddHook(tt.says)
			if text := told(says(t, notRun(t, rdb, asIs), tt.want)); strings.Contains(text, "10.0.0.1") {
				t.Errorf("an address is told:\n%s", text)
			}
		})
	}
	says(t, notRun(t, follower.Client(t), asIs), wantBad("redis", "a replica: it takes no writes", "REPLICAOF NO ONE"))
}

// TestDoctorSeesAReplicaHang stops one for real.
func TestDoctorSeesAReplicaHang(t *testing.T) {
	t.Parallel()
	long(t)
	redistest.OneServer(t, "its replica is frozen")
	server := redistest.Start(t)
	replica := redistest.StartReplica(t, server)
	d := notRun(t, server.Client(t), asIs)
	replica.Stop(t)
	defer replica.Continue(t)
	dispatchertest.Eventually(t, func() bool { return wantWarn("replicas", "has not been heard of").isIn(d.Doctor(t.Context())) })
}

// TestDoctorOnACluster has a line of each master where there is something to say of it.
func TestDoctorOnACluster(t *testing.T) {
	t.Parallel()
	findings := says(t, notRun(t, redistest.StartCluster(t).Client(t), admin),
		wantWarn("persistence", "127.0.0.1:"), wantOK("orphans"), wantOK("queues"), wantOK("encryption keys"))
	lines := 0
	for _, f := range findings {
		if f.Check == "memory" {
			lines++
		}
	}
	if lines != 3 {
		t.Errorf("said:\n%s", told(findings))
	}
}

func TestDoctorOnAnEmbeddedServer(t *testing.T) {
	t.Parallel()
	says(t, notRun(t, dispatchertest.Embedded(t), admin), wantWarn("redis", "an embedded redis is for trials only"), wantOK("orphans"), wantOK("queues"))
}
