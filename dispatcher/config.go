package dispatcher

import (
	"crypto/sha256"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/console"
	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// KeyRing seals signing secrets and header values in Redis. See [ParseKeyRing].
type KeyRing = redisstore.KeyRing

// ParseKeyRing reads encryption keys of the form "id:base64(32 bytes)", newest
// first. Errors are [webhook.FieldError]s that never repeat a key.
func ParseKeyRing(texts []string) (KeyRing, error) { return redisstore.ParseKeyRing(texts) }

// Config of a [Dispatcher]. Redis and Secrets are required; the zero value of
// every other field stands for its default.
type Config struct {
	// Redis is the host's client to Redis ≥ 7.0 or Valkey, never closed. Allow
	// one connection a queue beyond what publishing and attempts need, and set
	// ContextTimeoutEnabled: it spares a goroutine a call.
	Redis redis.UniversalClient
	// Secrets seal what must not stand in Redis in clear text.
	Secrets KeyRing
	// Logger gets one line an attempt at debug, and at info what ends a delivery
	// without a success or repairs one.
	// Defaults to slog.Default().
	Logger *slog.Logger
	// Metrics gets the metrics of the README, and Redis a hook that times its commands. What is said of all processes together is
	// asked for at each scrape, of Redis, by the one of them that is scraped first. Defaults to none: nothing is counted.
	Metrics prometheus.Registerer

	// AdminKeyHash is the SHA-256 of a key that [Dispatcher.Authenticate] takes
	// for an admin's, beside those of CreateKey. Zero: none.
	AdminKeyHash [sha256.Size]byte

	// Tracing has publishes and attempts traced. The zero value is off.
	Tracing telemetry.Tracing
	// ConsoleFrameAncestors are the sites that may have the console of [Dispatcher.Handler] in a frame, as
	// "https://app.example.com"; "self" is the host's own. Defaults to none.
	ConsoleFrameAncestors []string

	// Egress says where deliveries may go. The zero value is the public
	// Internet by https only.
	Egress egress.Config
	// Retry is the schedule of failed deliveries.
	Retry webhook.Schedule
	// Catalog adds event types and says how strictly payloads are checked.
	Catalog catalog.Config

	// Timeout bounds a whole attempt of an endpoint that sets none, 1 to 30 s.
	// Defaults to 15 s.
	Timeout time.Duration
	// Concurrency bounds the attempts in flight in this process. Defaults to 1024.
	Concurrency int
	// MaxInFlight bounds those of one endpoint over all processes, when it sets none. Defaults to 256.
	// It begins with 4 and adapts.
	MaxInFlight int
	// MaxInFlightPerHost bounds those of one destination host and port in this process. Defaults to 512.
	MaxInFlightPerHost int
	// Breaker says when an endpoint that fails gets a rest.
	Breaker webhook.Breaker
	// AutoDisableAfter is how long an endpoint may have nothing but failures, at least 20 of them, before it is disabled.
	// 0 means 120 h; negative never.
	AutoDisableAfter time.Duration

	// Durable says what a publish waits for beyond the answer of Redis. With it Redis must be a *redis.Client or
	// *redis.ClusterClient whose ReadTimeout is longer; a publish holds a connection while it waits, at most half of
	// them. Defaults to nothing.
	Durable webhook.Durability
	// PublishWatermark is the share of maxmemory in use, of any server, at which publishing is refused, while deliveries
	// go on; above 0 and at most 1. Without maxmemory there is none. Defaults to 0.85.
	PublishWatermark float64
	// HistoryWatermark is the share of maxmemory in use, of any server, at which Run drops the history of what was delivered, the
	// oldest first: what endpoints answered, then attempts, then bodies of events. Above 0 and at most 1; from
	// PublishWatermark on in any case. Defaults to 0.70.
	HistoryWatermark float64

	// Shards is the number of queues a lane is spread over. Defaults to 4.
	Shards int
	// Serve names the queues that Run works, such as "live-0". Empty means all. Who works a queue of replays, such as
	// "bulk-0", works the jobs too.
	Serve []string
	// ShutdownTimeout bounds how long Run waits for attempts in flight, more
	// than 35 s. Defaults to 38 s.
	ShutdownTimeout time.Duration
	// Switches turn off what makes the queues fast, for tests and measurements.
	Switches queue.Switches

	// RetainDelivered, RetainAttempts and RetainDeadLetters are how long is kept
	// what is settled. Default to 72 h, 72 h and 720 h.
	RetainDelivered, RetainAttempts, RetainDeadLetters time.Duration

	// PayloadBytes bounds an event's payload. Defaults to 256 KiB.
	PayloadBytes int
	// BatchEvents bounds the events of one PublishBatch. Defaults to 500.
	BatchEvents int
	// EndpointsPerBrand bounds the endpoints of a brand. Defaults to 50.
	EndpointsPerBrand int
}

// WithDefaults returns a copy with the zero fields that the dispatcher itself
// reads set to their defaults; the rooms below set theirs.
func (c Config) WithDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Retry, c.Breaker = c.Retry.WithDefaults(), c.Breaker.WithDefaults()
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 256
	}
	if c.MaxInFlightPerHost == 0 {
		c.MaxInFlightPerHost = 512
	}
	if c.PublishWatermark == 0 {
		c.PublishWatermark = 0.85
	}
	if c.HistoryWatermark == 0 {
		c.HistoryWatermark = 0.70
	}
	if c.PayloadBytes == 0 {
		c.PayloadBytes = 256 << 10
	}
	if c.BatchEvents == 0 {
		c.BatchEvents = 500
	}
	return c
}

// Validate returns a [webhook.FieldError] for the first field whose value is
// impossible, except those that the rooms below check themselves.
func (c Config) Validate() error {
	if err := console.CheckFrameAncestors("ConsoleFrameAncestors", c.ConsoleFrameAncestors); err != nil {
		return err
	}
	switch {
	case c.Redis == nil:
		return webhook.Invalid("Redis", "is required")
	case c.Secrets.IsZero():
		return webhook.Invalid("Secrets", "needs at least one encryption key")
	case c.Timeout < webhook.MinTimeout || c.Timeout > webhook.MaxTimeout:
		return webhook.Invalid("Timeout", "must be %s to %s", webhook.MinTimeout, webhook.MaxTimeout)
	case c.MaxInFlightPerHost < 0:
		return webhook.Invalid("MaxInFlightPerHost", "must be positive")
	case c.PublishWatermark < 0 || c.PublishWatermark > 1:
		return webhook.Invalid("PublishWatermark", "must be above 0 and at most 1")
	case c.HistoryWatermark < 0 || c.HistoryWatermark > 1:
		return webhook.Invalid("HistoryWatermark", "must be above 0 and at most 1")
	case c.PayloadBytes < 0:
		return webhook.Invalid("PayloadBytes", "must be positive")
	case c.BatchEvents < 0:
		return webhook.Invalid("BatchEvents", "must be positive")
	}
	if err := c.Breaker.Validate(); err != nil {
		return err
	}
	if err := c.Tracing.Validate(); err != nil {
		return err
	}
	return c.Retry.Validate()
}
