package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/pipeline"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Config says how a [Store] works. The zero value of each field stands for its default.
type Config struct {
	// Redis is the host's client, never closed here. Required.
	Redis redis.UniversalClient
	// Keys seal signing secrets and header values. Required.
	Keys KeyRing
	// QueueFor names the queue that an endpoint's deliveries are released to. Required.
	QueueFor func(webhook.EndpointRef) string
	// Linger is how long claims and records wait for more to share a script with; 0 does not.
	Linger time.Duration
	// MaxAge ends an open delivery, counted from its publish. Defaults to 75 h.
	MaxAge time.Duration
	// MaxInFlight bounds an endpoint's deliveries in the queue, over all
	// workers, when the endpoint sets no limit. Defaults to 256.
	MaxInFlight int
	// Breaker says when an endpoint that fails gets a rest.
	Breaker webhook.Breaker
	// AutoDisableAfter is how long an endpoint may have nothing but failures, at least 20 of them, before it is
	// disabled. 0 means 120 h; negative never.
	AutoDisableAfter time.Duration
	// BulkFor names the queue that what a job sends once more is released to. Defaults to QueueFor.
	BulkFor func(webhook.EndpointRef) string
	// RetainJobs is how long jobs are kept after their end. Defaults to 720 h.
	RetainJobs time.Duration
	// Durable says what Admit waits for when it is asked to. It holds a connection meanwhile, of at most half of
	// those of Redis, which must be a *redis.Client or *redis.ClusterClient.
	Durable webhook.Durability
	// EndpointsPerBrand bounds how many endpoints a brand may have. Defaults to 50.
	EndpointsPerBrand int
	// RetainDelivered is how long a settled delivery and its event are kept. Defaults to 72 h.
	RetainDelivered time.Duration
	// RetainAttempts is how long attempts are kept. Defaults to 72 h.
	RetainAttempts time.Duration
	// RetainDeadLetters is how long dead letters and their events are kept. Defaults to 720 h.
	RetainDeadLetters time.Duration
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Store is a [webhook.Store] on Redis 7 or Valkey: a single node, Sentinel or Cluster.
type Store struct {
	cfg Config
	rdb redis.UniversalClient
	// shared sends what many goroutines have to ask; nil in a cluster, where one node that is away would hold up the others'.
	shared *pipeline.Shared
	// claims and records do so with a script for many.
	claims    together[*claiming]
	records   together[*recording]
	endpoints endpointCache
	listed    listing
	// single: a script may look at keys of several tags. Until the server says
	// otherwise, for a client of one server.
	single atomic.Bool
	// waits are taken while something waits until it is durable.
	waits chan struct{}
	// keysFit: CheckKeys found nothing wrong, and every key of the ring has its canary.
	keysFit atomic.Bool
}

var _ webhook.Store = (*Store)(nil)

// New returns a store. Errors are [webhook.FieldError]s that name the field of
// Config. It sends no command.
func New(cfg Config) (*Store, error) {
	switch {
	case cfg.Redis == nil:
		return nil, webhook.Invalid("Redis", "is required")
	case cfg.Keys.IsZero():
		return nil, webhook.Invalid("Keys", "needs at least one encryption key")
	case cfg.QueueFor == nil:
		return nil, webhook.Invalid("QueueFor", "is required")
	}
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	_, single := cfg.Redis.(*redis.Client)
	waits, err := newWaits(cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, rdb: cfg.Redis, waits: waits}
	if single {
		s.shared = pipeline.New(cfg.Redis)
	}
	s.claims, s.records = newTogether(!single, cfg.Linger, s.claimAll), newTogether(!single, cfg.Linger, s.recordAll)
	s.single.Store(single)
	return s, nil
}

func (c *Config) setDefaults() error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.BulkFor == nil {
		c.BulkFor = c.QueueFor
	}
	if c.AutoDisableAfter == 0 {
		c.AutoDisableAfter = 120 * time.Hour
	}
	if err := c.Breaker.Validate(); err != nil {
		return err
	}
	if err := c.Durable.Validate(); err != nil {
		return err
	}
	c.Breaker, c.Durable = c.Breaker.WithDefaults(), c.Durable.WithDefaults()
	for _, d := range []struct {
		field     string
		value     *time.Duration
		otherwise time.Duration
	}{
		{"MaxAge", &c.MaxAge, 75 * time.Hour}, {"RetainDelivered", &c.RetainDelivered, 72 * time.Hour},
		{"RetainAttempts", &c.RetainAttempts, 72 * time.Hour}, {"RetainDeadLetters", &c.RetainDeadLetters, 720 * time.Hour},
		{"RetainJobs", &c.RetainJobs, 720 * time.Hour},
	} {
		if *d.value < 0 {
			return webhook.Invalid(d.field, "must be positive")
		}
		if *d.value == 0 {
			*d.value = d.otherwise
		}
	}
	for _, n := range []struct {
		field     string
		value     *int
		otherwise int
	}{{"MaxInFlight", &c.MaxInFlight, 256}, {"EndpointsPerBrand", &c.EndpointsPerBrand, 50}} {
		if *n.value < 0 {
			return webhook.Invalid(n.field, "must be positive")
		}
		if *n.value == 0 {
			*n.value = n.otherwise
		}
	}
	return nil
}

// openFor is how long an open delivery's record and event are kept: until it
// must have ended, and then as long as what is settled.
func (s *Store) openFor() time.Duration { return s.cfg.MaxAge + s.cfg.RetainDelivered }

// Ping implements [webhook.Store].
func (s *Store) Ping(ctx context.Context) (time.Duration, error) {
	before := s.cfg.Now()
	at, err := s.rdb.Time(ctx).Result()
	if err != nil {
		return 0, unavailable("ping", err)
	}
	half := s.cfg.Now().Sub(before) / 2
	return at.Sub(before.Add(half)), nil
}

// mistakes are the answers of a server that no repetition cures. Every other
// error may pass: a network, a failover, a full memory, a password being changed.
var mistakes = []string{"WRONGTYPE", "CROSSSLOT", "ERR wrong number", "ERR user_script", "ERR Error running script", "ERR Error compiling"}

// unavailable wraps an error with [webhook.ErrUnavailable], unless it is a mistake.
func unavailable(verb string, err error) error {
	if answers(err, mistakes...) {
		return fmt.Errorf("%s: %w", verb, err)
	}
	return fmt.Errorf("%s: %w: %w", verb, webhook.ErrUnavailable, err)
}

// answers tells whether err is an answer of the server with one of the prefixes.
func answers(err error, prefixes ...string) bool {
	var answer redis.Error
	return errors.As(err, &answer) && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(answer.Error(), p) })
}

func millis(t time.Time) int64 { return t.UnixMilli() }

// timeOf reads milliseconds; 0 is the zero time.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
