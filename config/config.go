// Package config turns a YAML file, the environment and flags into one checked Config.
//
// Later layers win: defaults, then the file, then variables that begin with OUTHOOK_, then flags. Each layer is checked
// on its own, so a mistake is reported even where a later layer hides it, and all problems are reported together.
// One table (keys.go) says for every key its place in Config, what it accepts, its default and its help;
// variables, flags, Print and Keys all come from it.
package config

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"time"
)

// Config is everything an operator can set. Load and Default return it complete: no field needs a further default.
type Config struct {
	Redis       Redis
	HTTP        HTTP
	Admin       Admin
	Auth        Auth
	Secrets     Secrets
	Egress      Egress
	Delivery    Delivery
	Retry       Retry
	Breaker     Breaker
	AutoDisable AutoDisable
	Queue       Queue
	Retention   Retention
	Limits      Limits
	Catalog     Catalog
	Shutdown    Shutdown
	Asynqmon    Asynqmon
	Console     Console
	Log         Log
	Tracing     Tracing
}

// Default is the configuration when nothing is set.
func Default() Config {
	var c Config
	for _, k := range table() {
		k.reset(&c)
	}
	return c
}

// Redis says where everything is kept.
type Redis struct {
	// URL of the server, sentinels or cluster; RedisURL lists the forms. Its passwords are never printed.
	// Defaults to redis://127.0.0.1:6379/0.
	URL RedisURL
	// CABundle is a PEM file with the certificate authorities to trust, and no others; empty is the system's. Only with a URL
	// that asks for TLS, as the two below. Defaults to none.
	CABundle string
	// ClientCertificate is a PEM file with the certificate to show to Redis, then those between it and its authority.
	// Defaults to none.
	ClientCertificate string
	// ClientKey is a PEM file with the key of ClientCertificate, not encrypted. Defaults to none.
	ClientKey string
	// Durable is what a publish waits for beyond the answer of the server: nothing, so many replicas (wait:N), or so many
	// append-only files on disk, that of the server included (waitaof:N, Redis 7.2 or later). Defaults to off.
	Durable Durable
	// DurableTimeout bounds that wait; when it is over, the publish is refused and may be repeated with the same id. At most
	// MaxDurableTimeout. Without Durable it means nothing. Defaults to 1s.
	DurableTimeout time.Duration
	// PublishWatermark is the share of Redis's maxmemory in use at which publishing is refused, while deliveries go on; above
	// 0 and at most 1. A Redis without maxmemory has none. Defaults to 0.85.
	PublishWatermark float64
	// HistoryWatermark is the share of Redis's maxmemory in use at which the history of what was delivered is dropped, the oldest
	// first, in any case from PublishWatermark on; above 0 and at most 1. Open deliveries and dead letters stay. Defaults to 0.7.
	HistoryWatermark float64
}

// HTTP is the listener of the API.
type HTTP struct {
	// Listen is the address, host:port; an empty host is every interface, port 0 a free port. Defaults to :8080.
	Listen string
}

// Admin is the operators' listener: health, asynqmon, pprof.
type Admin struct {
	// Listen is the address, host:port, and differs from that of the API. Defaults to 127.0.0.1:8081.
	Listen string
}

// Auth says who may use the API.
type Auth struct {
	// AdminKey is the bootstrap admin key: at least 32 printable ASCII characters without spaces. Required by serve until an admin key was created.
	// Defaults to none.
	AdminKey Secret
}

// Secrets is the key ring that stored signing secrets are encrypted with.
type Secrets struct {
	// Keys, newest first: the first encrypts, all decrypt. Written `id:base64(32 bytes)`. Required by serve.
	// Defaults to [].
	Keys []EncryptionKey
}

// Egress is what deliveries may reach.
type Egress struct {
	// Allow lists ranges outside the public Internet that deliveries may reach. Empty is the public Internet only.
	// Defaults to [].
	Allow []netip.Prefix
	// Ports lists the ports that deliveries may reach. Empty is any port. Defaults to 80,443,8443.
	Ports []uint16
	// RequireHTTPS refuses endpoints with http URLs. Defaults to true.
	RequireHTTPS bool
	// CABundle is a PEM file with certificate authorities to trust; empty is the system's. Defaults to none.
	CABundle string
}

// Delivery bounds attempts.
type Delivery struct {
	// Timeout bounds a whole attempt, from DNS to the answer, for endpoints without their own: 1 s to
	// MaxAttemptTimeout. Defaults to 15s.
	Timeout time.Duration
	// Concurrency is the number of attempts in flight in one worker process, at least 2. Defaults to 1024.
	Concurrency int
	// MaxInFlight is the number of attempts in flight for one endpoint over all workers. Defaults to 256.
	MaxInFlight int
	// MaxInFlightPerHost is the number of attempts in flight for one destination host and port in one process.
	// Defaults to 512.
	MaxInFlightPerHost int
	// ResponseBodyBytes is how much of the response of a failed attempt or a test is kept, in bytes; 0 keeps
	// nothing. Defaults to 16KiB.
	ResponseBodyBytes int64
}

// Retry is the schedule of a delivery that fails.
type Retry struct {
	// InitialInterval is the delay before the second attempt, before jitter. Defaults to 5s.
	InitialInterval time.Duration
	// Multiplier makes each delay longer than the one before; 1 keeps it constant. Defaults to 4.
	Multiplier float64
	// MaxInterval caps a delay, before jitter, and is at least InitialInterval. Defaults to 10h.
	MaxInterval time.Duration
	// Jitter is the share by which a delay varies either way, more than 0 and less than 1. Defaults to 0.2.
	Jitter float64
	// MaxAge ends a delivery this long after its event was published; it is at least InitialInterval.
	// Defaults to 75h.
	MaxAge time.Duration
	// MaxAttempts ends a delivery after so many attempts; 0 is no limit but MaxAge. Defaults to 0.
	MaxAttempts int
}

// Breaker is when an endpoint that fails gets a rest.
type Breaker struct {
	// Failures is how many attempts in a row must fail, by a timeout, a broken connection or a 5xx. Defaults to 5.
	Failures int
	// OpenFor is the first rest; each one after a failed probe is twice as long. Defaults to 30s.
	OpenFor time.Duration
	// MaxOpenFor caps a rest, and is at least OpenFor. Defaults to 10m.
	MaxOpenFor time.Duration
}

// AutoDisable is when an endpoint that only fails is given up.
type AutoDisable struct {
	// After is how long an endpoint may have nothing but failures, at least 20 of them, before it is disabled; 0 is for
	// ever. Defaults to 120h.
	After time.Duration
}

// Queue is how deliveries are spread over Asynq queues.
type Queue struct {
	// Shards is the number of queues of each lane, 1 to 64. Defaults to 4.
	Shards int
	// Serve names the queues that this process works, such as live-0 or bulk-1; empty is all of them.
	// Defaults to all.
	Serve []string
}

// Retention is how long history is kept, counted from the end of an event's last delivery.
type Retention struct {
	// Delivered bounds how long an event that has no open delivery and no dead letter is kept. Defaults to 72h.
	Delivered time.Duration
	// Attempts bounds how long the record of an attempt is kept. Defaults to 72h.
	Attempts time.Duration
	// DeadLetters bounds how long a dead letter and its event are kept. Defaults to 720h.
	DeadLetters time.Duration
}

// Limits bounds what callers may send.
type Limits struct {
	// PayloadBytes is the size of one event's payload. Defaults to 256KiB.
	PayloadBytes int64
	// RequestBytes is the size of one request's body, and more than PayloadBytes. Defaults to 8MiB.
	RequestBytes int64
	// EndpointsPerBrand is the number of endpoints a brand may have. Defaults to 50.
	EndpointsPerBrand int
	// BatchEvents is the number of events in one batch. Defaults to 500.
	BatchEvents int
}

// Catalog is what may be published beyond the built-in event types.
type Catalog struct {
	// Validation is what happens to a payload that does not fit the schema of its type. Defaults to warn.
	Validation Validation
	// Types are further event types. Defaults to [].
	Types []EventType
}

// Validation is how strictly payloads are held against their schema.
type Validation string

// The values of Validation: ValidationOff checks nothing, ValidationWarn logs, ValidationEnforce refuses the event.
const (
	ValidationOff     Validation = "off"
	ValidationWarn    Validation = "warn"
	ValidationEnforce Validation = "enforce"
)

// EventType is one event type of an operator.
type EventType struct {
	// Name is words of letters, digits, _ and - joined by dots, such as order.paid.
	Name string
	// Description is a sentence for people.
	Description string
	// Schema is the JSON Schema of the payload as a JSON object with sorted keys; nil is none.
	Schema json.RawMessage
}

// Shutdown is how a process ends after SIGTERM. The pod's grace period must exceed Delay and Grace together.
type Shutdown struct {
	// Delay is how long to keep serving while readiness fails; 0 is not at all. Defaults to 5s.
	Delay time.Duration
	// Grace bounds finishing the attempts in flight, and is more than MinShutdownGrace. Defaults to 40s.
	Grace time.Duration
}

// Asynqmon is the queue monitor on the admin listener.
type Asynqmon struct {
	// ReadOnly takes away its buttons. Defaults to false.
	ReadOnly bool
}

// Console is the pages for people, on the API's listener.
type Console struct {
	// FrameAncestors lists the sites that may have the console in a frame: none, self, or such as https://app.example.com
	// and https://*.example.com. Defaults to none.
	FrameAncestors []string
}

// Log is what the process writes to stderr.
type Log struct {
	// Level is the least severe level written. Defaults to info.
	Level slog.Level
	// Format is one JSON object or one line of text per entry. Defaults to json.
	Format LogFormat
}

// LogFormat is the form of log lines.
type LogFormat string

// The values of LogFormat.
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
)

// Tracing is where the spans of publishes and attempts go.
type Tracing struct {
	// OTLPEndpoint is a collector that takes OTLP over HTTP: a URL without a path gets /v1/traces, one with a path is taken as
	// it is. Empty is no tracing at all. Defaults to none.
	OTLPEndpoint string
	// SampleRatio is the share of publishes that are traced, of those whose caller does not say: one that comes with a
	// traceparent is traced as that one asks. 0 is only those. Without OTLPEndpoint it means nothing. Defaults to 1.
	SampleRatio float64
	// Propagate sends traceparent to receivers. Only with OTLPEndpoint. Defaults to false.
	Propagate bool
}
