package config_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"go.smobi.com/outhook/config"
)

func flags(t testing.TB, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.RegisterFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatalf("parse %v: %v", args, err)
	}
	return fs
}

func problems(t *testing.T, src config.Sources) []string {
	t.Helper()
	_, err := config.Load(src)
	ps, ok := errors.AsType[config.Problems](err)
	if !ok {
		t.Fatalf("loaded with error %v", err)
	}
	return strings.Split(ps.Error(), "\n")
}

func TestNothingSetIsTheDefault(t *testing.T) {
	got := load(t, config.Sources{Env: []string{"PATH=/bin", "outhook_log_level=debug"}, Flags: flags(t)})
	if diff := cmp.Diff(text(t, config.Default()), text(t, got)); diff != "" {
		t.Error(diff)
	}
}

func TestLaterLayersWin(t *testing.T) {
	file := yamlFile(t, "queue: {shards: 2}")
	env := []string{"OUTHOOK_QUEUE_SHARDS=3"}
	given := flags(t, "--queue-shards=5")
	for name, tc := range map[string]struct {
		src  config.Sources
		want int
	}{
		"default":     {config.Sources{}, 4},
		"file":        {config.Sources{File: file}, 2},
		"environment": {config.Sources{File: file, Env: env}, 3},
		"flag":        {config.Sources{File: file, Env: env, Flags: given}, 5},
		"untouched":   {config.Sources{File: file, Env: env, Flags: flags(t)}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got := load(t, tc.src).Queue.Shards; got != tc.want {
				t.Errorf("shards %d, want %d", got, tc.want)
			}
		})
	}
}

func TestAListReplacesTheListBelow(t *testing.T) {
	c := load(t, config.Sources{File: yamlFile(t, "egress: {ports: [80, 443]}"), Env: []string{"OUTHOOK_EGRESS_PORTS=8443"}})
	if want := []uint16{8443}; !slices.Equal(c.Egress.Ports, want) {
		t.Errorf("ports %v, want %v", c.Egress.Ports, want)
	}
}

func TestFileNamedByTheEnvironment(t *testing.T) {
	named := yamlFile(t, "queue: {shards: 2}")
	given := yamlFile(t, "queue: {shards: 3}")
	env := []string{"OUTHOOK_CONFIG=" + named}
	if got := load(t, config.Sources{Env: env}).Queue.Shards; got != 2 {
		t.Errorf("OUTHOOK_CONFIG alone: shards %d, want 2", got)
	}
	if got := load(t, config.Sources{File: given, Env: env}).Queue.Shards; got != 3 {
		t.Errorf("with a file given: shards %d, want 3", got)
	}
}

func TestVariablesAndFlagsMeanTheSame(t *testing.T) {
	key := "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	for _, tc := range []struct {
		key, value string
		got        func(config.Config) any
		want       any
	}{
		{"auth.adminKey", strings.Repeat("7", 32), func(c config.Config) any { return c.Auth.AdminKey.Reveal() }, strings.Repeat("7", 32)},
		{"secrets.keys", key, func(c config.Config) any { return c.Secrets.Keys[0].Key.Reveal() }, strings.Repeat("\x01", 32)},
		{"egress.allow", "10.0.0.0/8, fd00::/8", func(c config.Config) any { return c.Egress.Allow },
			[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}},
		{"egress.ports", "443,8443", func(c config.Config) any { return c.Egress.Ports }, []uint16{443, 8443}},
		{"egress.ports", "[]", func(c config.Config) any { return c.Egress.Ports }, []uint16(nil)},
		{"egress.requireHTTPS", "false", func(c config.Config) any { return c.Egress.RequireHTTPS }, false},
		{"egress.caBundle", "123", func(c config.Config) any { return c.Egress.CABundle }, "123"},
		{"delivery.timeout", "2s", func(c config.Config) any { return c.Delivery.Timeout }, 2 * time.Second},
		{"redis.durable", "off", func(c config.Config) any { return c.Redis.Durable }, config.Durable{}},
		{"redis.durable", "wait:2", func(c config.Config) any { return c.Redis.Durable }, config.Durable{Replicas: 2}},
		{"redis.durable", "waitaof:1", func(c config.Config) any { return c.Redis.Durable }, config.Durable{AOFs: 1}},
		{"redis.publishWatermark", "1", func(c config.Config) any { return c.Redis.PublishWatermark }, 1.0},
		{"redis.historyWatermark", "0.5", func(c config.Config) any { return c.Redis.HistoryWatermark }, 0.5},
		{"limits.payloadBytes", "1KiB", func(c config.Config) any { return c.Limits.PayloadBytes }, int64(1024)},
		{"retry.jitter", "0.5", func(c config.Config) any { return c.Retry.Jitter }, 0.5},
		{"queue.serve", "live-0,bulk-1", func(c config.Config) any { return c.Queue.Serve }, []string{"live-0", "bulk-1"}},
		{"queue.serve", "all", func(c config.Config) any { return c.Queue.Serve }, []string(nil)},
		{"catalog.types", "[{name: order.paid, description: Paid, schema: {type: object}}]",
			func(c config.Config) any { return string(c.Catalog.Types[0].Schema) }, `{"type":"object"}`},
	} {
		t.Run(tc.key+"="+tc.value, func(t *testing.T) {
			k := keyOf(t, tc.key)
			fromEnv := load(t, config.Sources{Env: []string{k.Env + "=" + tc.value}})
			fromFlag := load(t, config.Sources{Flags: flags(t, k.Flag+"="+tc.value)})
			comparePrefix := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
			if diff := cmp.Diff(tc.want, tc.got(fromEnv), comparePrefix); diff != "" {
				t.Errorf("variable (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, tc.got(fromFlag), comparePrefix); diff != "" {
				t.Errorf("flag (-want +got):\n%s", diff)
			}
		})
	}
}

func keyOf(t *testing.T, path string) config.Key {
	t.Helper()
	keys := config.Keys()
	i := slices.IndexFunc(keys, func(k config.Key) bool { return k.Path == path })
	if i < 0 {
		t.Fatalf("no key %s", path)
	}
	return keys[i]
}

func TestFlagsGivenTwiceAndBare(t *testing.T) {
	c := load(t, config.Sources{Flags: flags(t, "--egress-ports=80", "--egress-ports=443", "--asynqmon-read-only",
		"--queue-shards=2", "--queue-shards=3")})
	if want := []uint16{80, 443}; !slices.Equal(c.Egress.Ports, want) || !c.Asynqmon.ReadOnly || c.Queue.Shards != 3 {
		t.Errorf("ports %v, read-only %v, shards %d", c.Egress.Ports, c.Asynqmon.ReadOnly, c.Queue.Shards)
	}
}

func TestForeignFlagsAreLeftAlone(t *testing.T) {
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	fs.String("queue-shards", "", "")
	if err := fs.Parse([]string{"--queue-shards=many"}); err != nil {
		t.Fatal(err)
	}
	if got := load(t, config.Sources{Flags: fs}).Queue.Shards; got != 4 {
		t.Errorf("shards %d, want the default", got)
	}
}

func TestVariablesThatAreNoKeys(t *testing.T) {
	load(t, config.Sources{Env: []string{"OUTHOOK_SERVER=http://127.0.0.1:8080", "OUTHOOK_KEY=ohk_1", "OUTHOOK_TEST_REDIS=x", "OUTHOOK_CONFIG="}})
}

func TestBadVariablesAndFlags(t *testing.T) {
	const list = "must be a list, comma-separated; [] is the empty one"
	for name, tc := range map[string]struct {
		src  config.Sources
		want []string
	}{
		"unknown variable": {config.Sources{Env: []string{"OUTHOOK_AUTH_ADMINKEY=hunter2"}},
			[]string{"OUTHOOK_AUTH_ADMINKEY: unknown variable; the nearest is OUTHOOK_AUTH_ADMIN_KEY"}},
		"service link": {config.Sources{Env: []string{"OUTHOOK_PORT_8080_TCP=tcp://127.0.0.1:8080"}},
			[]string{"OUTHOOK_PORT_8080_TCP: unknown variable; the nearest is OUTHOOK_LOG_FORMAT; if Kubernetes set it for a Service, set enableServiceLinks: false in the pod"}},
		"empty list":  {config.Sources{Env: []string{"OUTHOOK_EGRESS_PORTS="}}, []string{`OUTHOOK_EGRESS_PORTS: egress.ports is "": ` + list}},
		"half a list": {config.Sources{Env: []string{"OUTHOOK_EGRESS_PORTS=[80"}}, []string{`OUTHOOK_EGRESS_PORTS: egress.ports is "[80": ` + list}},
		"two lists": {config.Sources{Env: []string{"OUTHOOK_EGRESS_PORTS=[80]\n---\n[81]"}},
			[]string{`OUTHOOK_EGRESS_PORTS: egress.ports is "[80]\n---\n[81]": ` + list}},
		"gap in a list": {config.Sources{Flags: flags(t, "--egress-ports=80,,443")},
			[]string{`--egress-ports: egress.ports[1] is "": must be a whole number from 1 to 65535`}},
		"not UTF-8": {config.Sources{Env: []string{"OUTHOOK_EGRESS_CA_BUNDLE=\xff"}}, []string{"OUTHOOK_EGRESS_CA_BUNDLE: egress.caBundle: must be UTF-8"}},
		"long value": {config.Sources{Env: []string{"OUTHOOK_LOG_LEVEL=" + strings.Repeat("x", 1000)}},
			[]string{`OUTHOOK_LOG_LEVEL: log.level is "` + strings.Repeat("x", 64) + `"…: must be one of debug, info, warn, error`}},
		"secret flag": {config.Sources{Flags: flags(t, "--auth-admin-key=hunter2")},
			[]string{"--auth-admin-key: auth.adminKey is redacted: must be 32 to 256 printable ASCII characters without spaces"}},
		"bad in the file, good above": {config.Sources{File: "testdata/bad/too-many-shards.yaml", Env: []string{"OUTHOOK_QUEUE_SHARDS=4"}},
			[]string{`testdata/bad/too-many-shards.yaml:3: queue.shards is "65": must be a whole number from 1 to 64`}},
		"every layer": {config.Sources{File: "testdata/bad/too-many-shards.yaml", Env: []string{"OUTHOOK_RETRY_JITTER=2", "OUTHOOK_LOG_FORMAT=xml"}, Flags: flags(t, "--retry-multiplier=x", "--shutdown-grace=30s")},
			[]string{
				`testdata/bad/too-many-shards.yaml:3: queue.shards is "65": must be a whole number from 1 to 64`,
				`OUTHOOK_LOG_FORMAT: log.format is "xml": must be one of json, text`,
				`OUTHOOK_RETRY_JITTER: retry.jitter is "2": must be a number above 0 and below 1`,
				`--retry-multiplier: retry.multiplier is "x": must be a number from 1 to 100`,
				`--shutdown-grace: shutdown.grace is "30s": must be more than 37s: an attempt may take 30s and its task a little longer, and the workers wait for both`,
			}},
		"layers that do not fit": {config.Sources{Env: []string{"OUTHOOK_QUEUE_SHARDS=2"}, Flags: flags(t, "--queue-serve=live-2")},
			[]string{`--queue-serve: queue.serve is "live-2": must name shards below queue.shards, counting from 0 (2, OUTHOOK_QUEUE_SHARDS)`}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, problems(t, tc.src)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, []byte(strings.Repeat("# 234567\n", 1<<17)), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.yaml")
	for path, want := range map[string]string{
		missing: "cannot be read: no such file or directory",
		dir:     "cannot be read: is a directory",
		large:   "must be at most 1MiB",
	} {
		if got, want := problems(t, config.Sources{File: path}), []string{path + ": " + want}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAProblemThatShowsLaterNamesItsPlace(t *testing.T) {
	file := yamlFile(t, "egress:\n  caBundle: ca.pem\nauth:\n  adminKey: "+strings.Repeat("hunter", 6)+"\n")
	src := config.Sources{File: file, Env: []string{"OUTHOOK_REDIS_URL=redis://:hunter2@a"}, Flags: flags(t, "--log-level=warn")}
	c := load(t, src)
	for path, want := range map[string]string{
		"egress.caBundle": file + `:2: egress.caBundle is "ca.pem": must be real`,
		"auth.adminKey":   file + `:4: auth.adminKey is "redacted": must be real`,
		"redis.url":       `OUTHOOK_REDIS_URL: redis.url is "redis://:redacted@a:6379/0": must be real`,
		"log.level":       `--log-level: log.level is "warn": must be real`,
		"http.listen":     `default: http.listen is ":8080": must be real`,
	} {
		if p, ok := src.Problem(c, path, "must be real"); !ok || p.String() != want {
			t.Errorf("%s: %v %q, want %q", path, ok, p, want)
		}
	}
	if p, ok := src.Problem(c, "egress", "must be real"); ok {
		t.Errorf("a section is a key: %q", p)
	}
}

func TestDeepFilesAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"lists":   "egress: {ports: " + strings.Repeat("[", 100_000),
		"schemas": "catalog: {types: [{name: a.b, description: x, schema: " + strings.Repeat("{a: ", 100) + "1" + strings.Repeat("}", 100) + "}]}",
	} {
		t.Run(name, func(t *testing.T) { problems(t, config.Sources{File: yamlFile(t, text)}) })
	}
}

func TestCheckServe(t *testing.T) {
	key := "OUTHOOK_AUTH_ADMIN_KEY=" + strings.Repeat("a", 32)
	ring := "OUTHOOK_SECRETS_KEYS=k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	for name, tc := range map[string]struct {
		env  []string
		want []string
	}{
		"nothing":  {nil, []string{"secrets.keys"}},
		"no ring":  {[]string{key}, []string{"secrets.keys"}},
		"no key":   {[]string{ring}, nil},
		"complete": {[]string{key, ring}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := load(t, config.Sources{Env: tc.env}).CheckServe()
			found, _ := errors.AsType[config.Problems](err)
			var got []string
			for _, p := range found {
				got = append(got, p.Key)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.want == nil) {
				t.Errorf("missing (-want +got):\n%s\nerror %v", diff, err)
			}
		})
	}
}
