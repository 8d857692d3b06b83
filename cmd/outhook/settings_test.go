package main

import (
	"crypto/sha256"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/config"
)

const (
	testKey       = "admin-key-of-tests-0123456789abcdef"
	testSecretKey = "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

// settled is a value for a key, and where it must have arrived.
type settled struct {
	value string
	got   func(settings) any
	want  any
}

func settledKeys(bundle string, tlsFiles pair) map[string]settled {
	certificate := func(s settings) any { return s.redis.TLSConfig != nil && len(s.redis.TLSConfig.Certificates) == 1 }
	return map[string]settled{
		"redis.caBundle":          {tlsFiles.certificate, func(s settings) any { return s.redis.TLSConfig != nil && s.redis.TLSConfig.RootCAs != nil }, true},
		"redis.clientCertificate": {tlsFiles.certificate, certificate, true},
		"redis.clientKey":         {tlsFiles.key, certificate, true},
		"redis.url": {"redis-sentinel://user:pw@one:1,two:2/3?master=m&tls=true&sentinelUsername=su&sentinelPassword=sp", func(s settings) any {
			o := s.redis
			return []any{o.Addrs, o.DB, o.Username, o.Password, o.MasterName, o.SentinelUsername, o.SentinelPassword, o.TLSConfig != nil, o.IsClusterMode}
		}, []any{[]string{"one:1", "two:2"}, 3, "user", "pw", "m", "su", "sp", true, false}},
		"redis.durable": {"waitaof:2", func(s settings) any {
			return []any{s.dispatcher.Durable.AOFs, s.redis.PoolSize - redisOptions(config.RedisTarget{}, 8).PoolSize}
		}, []any{2, durablePool}},
		"redis.durableTimeout":        {"900ms", func(s settings) any { return s.dispatcher.Durable.Timeout }, 900 * time.Millisecond},
		"redis.publishWatermark":      {"0.9", func(s settings) any { return s.dispatcher.PublishWatermark }, 0.9},
		"redis.historyWatermark":      {"0.6", func(s settings) any { return s.dispatcher.HistoryWatermark }, 0.6},
		"http.listen":                 {"127.0.0.1:1", func(s settings) any { return s.httpListen }, "127.0.0.1:1"},
		"admin.listen":                {"127.0.0.1:2", func(s settings) any { return s.adminListen }, "127.0.0.1:2"},
		"auth.adminKey":               {testKey, func(s settings) any { return s.dispatcher.AdminKeyHash }, sha256.Sum256([]byte(testKey))},
		"secrets.keys":                {testSecretKey, func(s settings) any { return s.dispatcher.Secrets.IsZero() }, false},
		"egress.allow":                {"10.0.0.0/8", func(s settings) any { return s.dispatcher.Egress.Allow[0] == netip.MustParsePrefix("10.0.0.0/8") }, true},
		"egress.ports":                {"[]", func(s settings) any { return s.dispatcher.Egress.Ports != nil && len(s.dispatcher.Egress.Ports) == 0 }, true},
		"egress.caBundle":             {bundle, func(s settings) any { return string(s.dispatcher.Egress.CABundle) }, "the bundle"},
		"egress.requireHTTPS":         {"false", func(s settings) any { return s.dispatcher.Egress.AllowHTTP }, true},
		"delivery.timeout":            {"9s", func(s settings) any { return []any{s.dispatcher.Timeout, s.dispatcher.Egress.DefaultTimeout} }, []any{9 * time.Second, 9 * time.Second}},
		"delivery.concurrency":        {"9", func(s settings) any { return s.dispatcher.Concurrency }, 9},
		"delivery.maxInFlight":        {"9", func(s settings) any { return s.dispatcher.MaxInFlight }, 9},
		"delivery.maxInFlightPerHost": {"9", func(s settings) any { return s.dispatcher.MaxInFlightPerHost }, 9},
		"delivery.responseBodyBytes":  {"9", func(s settings) any { return s.dispatcher.Egress.ResponseBodyBytes }, 9},
		"retry.initialInterval":       {"9s", func(s settings) any { return s.dispatcher.Retry.InitialInterval }, 9 * time.Second},
		"retry.multiplier":            {"9", func(s settings) any { return s.dispatcher.Retry.Multiplier }, 9.0},
		"retry.maxInterval":           {"9h", func(s settings) any { return s.dispatcher.Retry.MaxInterval }, 9 * time.Hour},
		"retry.jitter":                {"0.9", func(s settings) any { return s.dispatcher.Retry.Jitter }, 0.9},
		"retry.maxAge":                {"9h", func(s settings) any { return s.dispatcher.Retry.MaxAge }, 9 * time.Hour},
		"retry.maxAttempts":           {"9", func(s settings) any { return s.dispatcher.Retry.MaxAttempts }, 9},
		"breaker.failures":            {"9", func(s settings) any { return s.dispatcher.Breaker.Failures }, 9},
		"breaker.openFor":             {"9s", func(s settings) any { return s.dispatcher.Breaker.OpenFor }, 9 * time.Second},
		"breaker.maxOpenFor":          {"9m", func(s settings) any { return s.dispatcher.Breaker.MaxOpenFor }, 9 * time.Minute},
		"autoDisable.after":           {"9h", func(s settings) any { return s.dispatcher.AutoDisableAfter }, 9 * time.Hour},
		"queue.shards": {"9", func(s settings) any {
			return []int{s.dispatcher.Shards, s.redis.PoolSize - redisOptions(config.RedisTarget{}, 0).PoolSize}
		}, []int{9, 18}},
		"queue.serve": {"live-1", func(s settings) any {
			return []any{s.dispatcher.Serve, s.redis.PoolSize - redisOptions(config.RedisTarget{}, 0).PoolSize}
		}, []any{[]string{"live-1"}, 1}},
		"retention.delivered":      {"9h", func(s settings) any { return s.dispatcher.RetainDelivered }, 9 * time.Hour},
		"retention.attempts":       {"9h", func(s settings) any { return s.dispatcher.RetainAttempts }, 9 * time.Hour},
		"retention.deadLetters":    {"9h", func(s settings) any { return s.dispatcher.RetainDeadLetters }, 9 * time.Hour},
		"limits.payloadBytes":      {"9", func(s settings) any { return []int{s.dispatcher.PayloadBytes, s.api.PayloadBytes} }, []int{9, 9}},
		"limits.requestBytes":      {"9MiB", func(s settings) any { return s.api.RequestBytes }, 9 << 20},
		"limits.endpointsPerBrand": {"9", func(s settings) any { return s.dispatcher.EndpointsPerBrand }, 9},
		"limits.batchEvents":       {"9", func(s settings) any { return []int{s.dispatcher.BatchEvents, s.api.BatchEvents} }, []int{9, 9}},
		"catalog.validation":       {"enforce", func(s settings) any { return s.dispatcher.Catalog.Validation }, "enforce"},
		"catalog.types": {"[{name: order.paid, description: An order was paid, schema: {type: object}}]", func(s settings) any {
			kind := s.dispatcher.Catalog.Types[0]
			return []string{kind.Name, kind.Description, string(kind.Schema)}
		}, []string{"order.paid", "An order was paid", `{"type":"object"}`}},
		"shutdown.delay":         {"9s", func(s settings) any { return s.delay }, 9 * time.Second},
		"shutdown.grace":         {"99s", func(s settings) any { return []time.Duration{s.dispatcher.ShutdownTimeout, s.grace} }, []time.Duration{97 * time.Second, 99 * time.Second}},
		"console.frameAncestors": {"https://app.example.com", func(s settings) any { return s.console.FrameAncestors }, []string{"https://app.example.com"}},
		"asynqmon.readOnly":      {"true", func(s settings) any { return s.monitor.ReadOnly }, true},
		"log.level":              {"debug", func(s settings) any { return s.log.Level }, slog.LevelDebug},
		"tracing.otlpEndpoint":   {"http://127.0.0.1:4318", func(s settings) any { return s.tracing.OTLPEndpoint }, "http://127.0.0.1:4318"},
		"tracing.sampleRatio":    {"0.25", func(s settings) any { return s.tracing.SampleRatio }, 0.25},
		"tracing.propagate":      {"true", func(s settings) any { return s.tracing.Propagate }, true},
		"log.format":             {"text", func(s settings) any { return s.log.Format }, config.LogText},
	}
}

// A key without an effect is a lie: each must have a row above, and arrive.
func TestEveryKeyArrives(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(bundle, []byte("the bundle"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := newAuthority(t).issue(t, time.Hour)
	rows := settledKeys(bundle, files)
	// What some keys have to have beside them.
	beside := map[string][]string{
		"tracing.propagate":       {"OUTHOOK_TRACING_OTLP_ENDPOINT=http://127.0.0.1:4318"},
		"redis.caBundle":          {"OUTHOOK_REDIS_URL=rediss://a"},
		"redis.clientCertificate": {"OUTHOOK_REDIS_URL=rediss://a", "OUTHOOK_REDIS_CLIENT_KEY=" + files.key},
		"redis.clientKey":         {"OUTHOOK_REDIS_URL=rediss://a", "OUTHOOK_REDIS_CLIENT_CERTIFICATE=" + files.certificate},
	}
	byDefault := settingsWith(t)
	for _, key := range config.Keys() {
		t.Run(key.Path, func(t *testing.T) {
			row, ok := rows[key.Path]
			if !ok {
				t.Fatal("nothing says where this key arrives: map it in settingsOf, and add a row")
			}
			got := row.got(settingsWith(t, append(beside[key.Path], key.Env+"="+row.value)...))
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if !slices.Contains([]string{"egress.allow", "catalog.types"}, key.Path) && cmp.Equal(row.want, row.got(byDefault)) {
				t.Error("the value is the default: this row tests nothing")
			}
		})
		delete(rows, key.Path)
	}
	for path := range rows {
		t.Errorf("%s is not a key any more", path)
	}
}

// What is 0 here may be a default there.
func TestNothingOfItIsNotTheDefault(t *testing.T) {
	s := settingsWith(t, "OUTHOOK_AUTO_DISABLE_AFTER=0s", "OUTHOOK_DELIVERY_RESPONSE_BODY_BYTES=0")
	if s.dispatcher.AutoDisableAfter >= 0 || s.dispatcher.Egress.ResponseBodyBytes >= 0 {
		t.Errorf("disables after %s, keeps %d bytes", s.dispatcher.AutoDisableAfter, s.dispatcher.Egress.ResponseBodyBytes)
	}
}

func settingsWith(t *testing.T, env ...string) settings {
	t.Helper()
	s, err := settingsOf(configWith(t, env...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func configWith(t *testing.T, env ...string) config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{Env: env})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The defaults of the configuration are those of the rooms: what is not set means the same with and without a file.
func TestLadderHolds(t *testing.T) {
	if _, err := config.Load(config.Sources{Env: []string{"OUTHOOK_SHUTDOWN_GRACE=37s"}}); err == nil {
		t.Error("a grace period is allowed that the workers' wait does not fit into")
	}
	s := settingsWith(t, "OUTHOOK_SHUTDOWN_GRACE=37s1ms")
	const longestTask = 35 * time.Second
	if s.dispatcher.ShutdownTimeout <= longestTask || s.dispatcher.ShutdownTimeout >= s.grace {
		t.Errorf("shutdown timeout %s, grace %s", s.dispatcher.ShutdownTimeout, s.grace)
	}
}

func TestRedisForms(t *testing.T) {
	for url, want := range map[string][]any{
		"redis://10.0.0.1":                    {[]string{"10.0.0.1:6379"}, 0, false, false, ""},
		"rediss://u:p@example.com:7000/2":     {[]string{"example.com:7000"}, 2, true, false, ""},
		"redis-cluster://a,b:7001?tls=true":   {[]string{"a:6379", "b:7001"}, 0, true, true, ""},
		"redis-cluster://a":                   {[]string{"a:6379"}, 0, false, true, ""},
		"redis-sentinel://a,b/1?master=queue": {[]string{"a:26379", "b:26379"}, 1, false, false, "queue"},
	} {
		t.Run(url, func(t *testing.T) {
			o := settingsWith(t, "OUTHOOK_REDIS_URL="+url).redis
			got := []any{o.Addrs, o.DB, o.TLSConfig != nil, o.IsClusterMode, o.MasterName}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if !o.ContextTimeoutEnabled || o.PoolSize < minPool+8 {
				t.Errorf("deadlines of contexts %t, pool %d", o.ContextTimeoutEnabled, o.PoolSize)
			}
		})
	}
}

func sortedLines(text string) []string { return slices.Sorted(strings.Lines(text)) }
