package config

import (
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// key is one row of the table: everything about a key but its prose in Config.
type key struct {
	path   string
	usage  string
	secret bool
	kind   string
	rule   string
	reset  func(*Config) // to the default
	read   func(*Config, input)
	write  func(Config) *yaml.Node // redacted
}

const (
	// MaxAttemptTimeout is the longest an attempt may be allowed to take, here and for a single endpoint.
	MaxAttemptTimeout = 30 * time.Second
	// MinShutdownGrace is what shutdown.grace must exceed: the longest attempt, 5 s more for its task, and 2 s in
	// which the process ends once its workers have waited for their tasks.
	MinShutdownGrace = 37 * time.Second
	// MaxDurableTimeout leaves the rest of a publish its share of the two seconds within which it answers.
	MaxDurableTimeout = 1500 * time.Millisecond

	day  = 24 * time.Hour
	year = 365 * day
)

// table lists every key in the order of print.
func table() []key {
	return []key{
		entry("redis.url", redisURL(), RedisURL{text: NewSecret("redis://127.0.0.1:6379/0")},
			"where Redis is: redis, rediss, redis-sentinel or redis-cluster", func(c *Config) *RedisURL { return &c.Redis.URL }).hidden(),
		entry("redis.caBundle", filePath(), "", "PEM file with the certificate authorities that Redis may have its certificate from", func(c *Config) *string { return &c.Redis.CABundle }),
		entry("redis.clientCertificate", filePath(), "", "PEM file with the certificate to show to Redis", func(c *Config) *string { return &c.Redis.ClientCertificate }),
		entry("redis.clientKey", filePath(), "", "PEM file with the key of redis.clientCertificate", func(c *Config) *string { return &c.Redis.ClientKey }),
		entry("redis.durable", durable(), Durable{}, "what a publish waits for: off, wait:N replicas, or waitaof:N append-only files (Redis 7.2)", func(c *Config) *Durable { return &c.Redis.Durable }),
		entry("redis.durableTimeout", duration(10*time.Millisecond, MaxDurableTimeout), time.Second, "how long it waits; then the publish is refused", func(c *Config) *time.Duration { return &c.Redis.DurableTimeout }),
		entry("redis.publishWatermark", share(), 0.85, "share of Redis's maxmemory at which publishing is refused", func(c *Config) *float64 { return &c.Redis.PublishWatermark }),
		entry("redis.historyWatermark", share(), 0.70, "share of Redis's maxmemory at which delivered history is dropped, oldest first", func(c *Config) *float64 { return &c.Redis.HistoryWatermark }),
		entry("http.listen", address(), ":8080", "address of the API", func(c *Config) *string { return &c.HTTP.Listen }),
		entry("admin.listen", address(), "127.0.0.1:8081", "address of health, asynqmon and pprof", func(c *Config) *string { return &c.Admin.Listen }),
		entry("auth.adminKey", adminKey(), Secret{}, "bootstrap admin key, at least 32 characters; rather a variable than a flag", func(c *Config) *Secret { return &c.Auth.AdminKey }).hidden(),
		entry("secrets.keys", listOf(encryptionKey(), func(k EncryptionKey) string { return k.ID }), nil,
			"encryption keys id:base64(32 bytes), newest first; rather a variable than a flag", func(c *Config) *[]EncryptionKey { return &c.Secrets.Keys }).hidden(),
		entry("egress.allow", listOf(cidr(), netip.Prefix.String), nil, "ranges outside the public Internet that deliveries may reach", func(c *Config) *[]netip.Prefix { return &c.Egress.Allow }),
		entry("egress.ports", listOf(whole[uint16](1, 65535), func(p uint16) string { return strconv.Itoa(int(p)) }),
			[]uint16{80, 443, 8443}, "ports that deliveries may reach; [] is any", func(c *Config) *[]uint16 { return &c.Egress.Ports }),
		entry("egress.requireHTTPS", boolean(), true, "refuse endpoints with http URLs", func(c *Config) *bool { return &c.Egress.RequireHTTPS }),
		entry("egress.caBundle", filePath(), "", "PEM file with certificate authorities to trust", func(c *Config) *string { return &c.Egress.CABundle }),
		entry("delivery.timeout", duration(time.Second, MaxAttemptTimeout), 15*time.Second, "bound of a whole attempt", func(c *Config) *time.Duration { return &c.Delivery.Timeout }),
		entry("delivery.concurrency", whole(2, 65536), 1024, "attempts in flight in this process", func(c *Config) *int { return &c.Delivery.Concurrency }),
		entry("delivery.maxInFlight", whole(1, 65536), 256, "attempts in flight for one endpoint over all workers", func(c *Config) *int { return &c.Delivery.MaxInFlight }),
		entry("delivery.maxInFlightPerHost", whole(1, 65536), 512, "attempts in flight for one destination host in this process", func(c *Config) *int { return &c.Delivery.MaxInFlightPerHost }),
		entry("delivery.responseBodyBytes", size(0, 64<<10), 16<<10, "kept of the response of a failed attempt or a test", func(c *Config) *int64 { return &c.Delivery.ResponseBodyBytes }),
		entry("retry.initialInterval", duration(time.Millisecond, year), 5*time.Second, "delay before the second attempt", func(c *Config) *time.Duration { return &c.Retry.InitialInterval }),
		entry("retry.multiplier", number(1, 100), 4, "growth of the delay", func(c *Config) *float64 { return &c.Retry.Multiplier }),
		entry("retry.maxInterval", duration(time.Millisecond, year), 10*time.Hour, "longest delay", func(c *Config) *time.Duration { return &c.Retry.MaxInterval }),
		entry("retry.jitter", fraction(), 0.2, "share by which a delay varies either way", func(c *Config) *float64 { return &c.Retry.Jitter }),
		entry("retry.maxAge", duration(time.Millisecond, year), 75*time.Hour, "age of an event at which its deliveries end", func(c *Config) *time.Duration { return &c.Retry.MaxAge }),
		entry("retry.maxAttempts", whole(0, 1000000), 0, "attempts after which a delivery ends; 0 is until retry.maxAge", func(c *Config) *int { return &c.Retry.MaxAttempts }),
		entry("breaker.failures", whole(1, 1000000), 5, "failures in a row after which an endpoint gets a rest", func(c *Config) *int { return &c.Breaker.Failures }),
		entry("breaker.openFor", duration(time.Millisecond, year), 30*time.Second, "first rest, doubled after each failed probe", func(c *Config) *time.Duration { return &c.Breaker.OpenFor }),
		entry("breaker.maxOpenFor", duration(time.Millisecond, year), 10*time.Minute, "longest rest", func(c *Config) *time.Duration { return &c.Breaker.MaxOpenFor }),
		entry("autoDisable.after", duration(0, year), 120*time.Hour, "nothing but failures for so long, at least 20, disables an endpoint; 0 is never", func(c *Config) *time.Duration { return &c.AutoDisable.After }),
		entry("queue.shards", whole(1, 64), 4, "queues of each lane", func(c *Config) *int { return &c.Queue.Shards }),
		entry("queue.serve", queueNames(), nil, "queues that this process works: all, or names such as live-0; who works one of `bulk-…` works jobs too", func(c *Config) *[]string { return &c.Queue.Serve }),
		entry("retention.delivered", duration(time.Second, year), 72*time.Hour, "how long finished events are kept", func(c *Config) *time.Duration { return &c.Retention.Delivered }),
		entry("retention.attempts", duration(time.Second, year), 72*time.Hour, "how long attempts are kept", func(c *Config) *time.Duration { return &c.Retention.Attempts }),
		entry("retention.deadLetters", duration(time.Second, year), 720*time.Hour, "how long dead letters are kept", func(c *Config) *time.Duration { return &c.Retention.DeadLetters }),
		entry("limits.payloadBytes", size(1, 64<<20), 256<<10, "size of one payload", func(c *Config) *int64 { return &c.Limits.PayloadBytes }),
		entry("limits.requestBytes", size(1, 1<<30), 8<<20, "size of one request", func(c *Config) *int64 { return &c.Limits.RequestBytes }),
		entry("limits.endpointsPerBrand", whole(1, 10000), 50, "endpoints a brand may have", func(c *Config) *int { return &c.Limits.EndpointsPerBrand }),
		entry("limits.batchEvents", whole(1, 10000), 500, "events in one batch", func(c *Config) *int { return &c.Limits.BatchEvents }),
		entry("catalog.validation", oneOf(func(v Validation) string { return string(v) }, ValidationOff, ValidationWarn, ValidationEnforce),
			ValidationWarn, "payloads against the schema of their type: off, warn (a process looks at up to 20 a second of a brand and type) or enforce", func(c *Config) *Validation { return &c.Catalog.Validation }),
		entry("catalog.types", listOf(eventType(), func(t EventType) string { return t.Name }), nil,
			"more event types, as a YAML list of name, description and perhaps schema", func(c *Config) *[]EventType { return &c.Catalog.Types }),
		entry("shutdown.delay", duration(0, time.Hour), 5*time.Second, "keep serving after SIGTERM", func(c *Config) *time.Duration { return &c.Shutdown.Delay }),
		entry("shutdown.grace", duration(time.Second, time.Hour), 40*time.Second, "then finish attempts in flight; more than 37s", func(c *Config) *time.Duration { return &c.Shutdown.Grace }),
		entry("asynqmon.readOnly", boolean(), false, "asynqmon without buttons", func(c *Config) *bool { return &c.Asynqmon.ReadOnly }),
		entry("console.frameAncestors", frameAncestors(), []string{NoFrames}, "sites that may have the console in a frame: none, self, or https://app.example.com", func(c *Config) *[]string { return &c.Console.FrameAncestors }),
		entry("log.level", oneOf(func(l slog.Level) string { return strings.ToLower(l.String()) }, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError),
			slog.LevelInfo, "least severe level that is logged: debug, info, warn or error", func(c *Config) *slog.Level { return &c.Log.Level }),
		entry("log.format", oneOf(func(f LogFormat) string { return string(f) }, LogJSON, LogText), LogJSON, "json or text", func(c *Config) *LogFormat { return &c.Log.Format }),
		entry("tracing.otlpEndpoint", otlpURL(), "", "collector that gets traces by OTLP over HTTP, such as http://127.0.0.1:4318", func(c *Config) *string { return &c.Tracing.OTLPEndpoint }),
		entry("tracing.sampleRatio", number(0, 1), 1, "share of publishes that are traced, where the caller does not say", func(c *Config) *float64 { return &c.Tracing.SampleRatio }),
		entry("tracing.propagate", boolean(), false, "send traceparent to receivers", func(c *Config) *bool { return &c.Tracing.Propagate }),
	}
}

// entry ties a path to its field.
func entry[T any](path string, k kind[T], def T, usage string, field func(*Config) *T) key {
	return key{
		path: path, usage: usage, kind: k.name, rule: k.rule,
		reset: func(c *Config) { *field(c) = def },
		read:  func(c *Config, in input) { *field(c) = k.read(in) },
		write: func(c Config) *yaml.Node { return k.write(*field(&c)) },
	}
}

// hidden keeps the value out of every problem.
func (k key) hidden() key {
	k.secret = true
	return k
}

const envPrefix = "OUTHOOK_"

// env is the path as a variable: auth.adminKey is OUTHOOK_AUTH_ADMIN_KEY.
func (k key) env() string { return envPrefix + strings.ToUpper(words(k.path, '_')) }

// flag is the path as a flag without its dashes: auth.adminKey is auth-admin-key.
func (k key) flag() string { return strings.ToLower(words(k.path, '-')) }

// words puts a separator for each dot and before each word that begins with a capital; HTTPS is one word.
func words(path string, sep rune) string {
	var out strings.Builder
	before := '.'
	for _, r := range path {
		switch {
		case r == '.':
			out.WriteRune(sep)
		case unicode.IsUpper(r) && unicode.IsLower(before):
			out.WriteRune(sep)
			out.WriteRune(r)
		default:
			out.WriteRune(r)
		}
		before = r
	}
	return out.String()
}

// text is the value as a variable or flag would have it; lists of mappings are shown as brackets with dots.
func (k key) text(c Config) string {
	n := k.write(c)
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	if len(n.Content) == 0 {
		return "[]"
	}
	if n.Content[0].Kind != yaml.ScalarNode {
		return "[…]"
	}
	entries := make([]string, len(n.Content))
	for i, entry := range n.Content {
		entries[i] = entry.Value
	}
	return strings.Join(entries, ",")
}

// Key describes one key for documentation.
type Key struct {
	Path    string // retry.maxAge
	Env     string // OUTHOOK_RETRY_MAX_AGE
	Flag    string // --retry-max-age
	Type    string // duration
	Default string // as a variable would have it; empty is none
	Rule    string // what is allowed
	Usage   string // what it does
	Secret  bool   // whether it is redacted in print
}

// Keys lists every key in the order of Print.
func Keys() []Key {
	defaults := Default()
	var keys []Key
	for _, k := range table() {
		keys = append(keys, Key{
			Path: k.path, Env: k.env(), Flag: "--" + k.flag(), Type: k.kind,
			Default: k.text(defaults), Rule: k.rule, Usage: k.usage, Secret: k.secret,
		})
	}
	return keys
}
