package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/console"
	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/pipeline"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// maxSkew is how far this process's clock may be off Redis's.
const maxSkew = 5 * time.Second

// Dispatcher accepts events and, while Run runs, delivers them. Safe for
// concurrent use; any number of processes may share one Redis.
type Dispatcher struct {
	cfg       Config
	log       *slog.Logger
	store     webhook.Store
	vault     vault
	past      past
	heads     heads
	relief    *redisstore.Relief
	queue     webhook.Queue
	sender    webhook.Sender
	egress    *egress.Client
	catalog   *catalog.Catalog
	matcher   *matcher
	trials    trials
	room      *room
	alarms    *alarms
	announcer *announcer
	redrives  redrives
	dropped   drops
	// metrics and system are nil where nobody wants to know.
	metrics  *telemetry.Metrics
	system   *system
	skew     skew
	gauge    *gauge
	warned   onceAMinute
	looked   looked
	pressure pressure
	cautions sync.Once
	doctor   doctor
	// tracer is nil when tracing is off.
	tracer *telemetry.Tracer
	// prompt says that the client of Redis ends with its context, bounded that it ends by itself.
	prompt, bounded bool
	// joint has publishes that arrive together admitted together; nil where each goes alone.
	joint *pipeline.Group[*joined]
}

var (
	_ httpapi.Service = (*Dispatcher)(nil)
	_ console.Service = (*Dispatcher)(nil)
)

// New returns a dispatcher. It sends no command and starts no goroutine. Errors
// are [webhook.FieldError]s that name the field.
func New(cfg Config) (*Dispatcher, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	types, err := catalog.New(cfg.Catalog)
	if err != nil {
		return nil, err
	}
	out, err := egress.New(cfg.Egress)
	if err != nil {
		return nil, err
	}
	tasks, err := queue.Open(queue.Config{
		Redis: cfg.Redis, Logger: cfg.Logger, Shards: cfg.Shards, Serve: cfg.Serve,
		Concurrency: cfg.Concurrency, AttemptTimeout: webhook.MaxTimeout, ShutdownTimeout: cfg.ShutdownTimeout, Switches: cfg.Switches,
	})
	if err != nil {
		return nil, err
	}
	store, err := redisstore.New(redisstore.Config{
		Redis: cfg.Redis, Keys: cfg.Secrets, QueueFor: tasks.QueueFor, BulkFor: tasks.BulkFor, MaxAge: cfg.Retry.MaxAge,
		MaxInFlight: cfg.MaxInFlight, Breaker: cfg.Breaker, AutoDisableAfter: cfg.AutoDisableAfter, Durable: cfg.Durable, EndpointsPerBrand: cfg.EndpointsPerBrand,
		RetainDelivered: cfg.RetainDelivered, RetainAttempts: cfg.RetainAttempts, RetainDeadLetters: cfg.RetainDeadLetters,
		Linger: queue.Linger(cfg.Serve),
	})
	if err != nil {
		return nil, err
	}
	if len(cfg.Egress.Allow) > 0 {
		cfg.Logger.Info("deliveries may reach more than the public internet", "egress_allow", fmt.Sprint(cfg.Egress.Allow))
	}
	d := &Dispatcher{
		cfg: cfg, log: cfg.Logger, store: store, vault: store, past: store, heads: store, relief: store.Relief(), queue: tasks, sender: out, egress: out,
		catalog: types, matcher: newMatcher(store), prompt: isPrompt(cfg.Redis), bounded: isBounded(cfg.Redis),
		room:  newRoom(cfg.Concurrency, cfg.MaxInFlightPerHost),
		gauge: &gauge{watermark: cfg.PublishWatermark, servers: store.Servers}, doctor: doctor{store, tasks},
		tracer: telemetry.NewTracer(cfg.Tracing),
	}
	d.alarms = newAlarms(func(ctx context.Context, ref webhook.EndpointRef) { _ = d.wake(ctx, ref, false) })
	d.announcer = newAnnouncer(d.tell)
	if canJoin(cfg) {
		d.joint = pipeline.NewGroup(jointFlights, jointMost, d.admitJoined)
	}
	if err := d.measure(cfg.Metrics); err != nil {
		return nil, err
	}
	return d, nil
}

// Run delivers until ctx ends, then takes no more, waits for the attempts in
// flight, and returns nil after a clean drain. It waits for Redis as long as it
// takes, now and later. Call it once; a process that only publishes leaves it out.
// Errors: a [webhook.KeyError], before anything is delivered, when Config.Secrets are
// not the keys that sealed what is stored; a [webhook.ServerError], as CheckRedis.
func (d *Dispatcher) Run(ctx context.Context) error {
	if err := d.AwaitKeys(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	reconciling, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { d.reconcile(reconciling) })
	if queue.WorksReplays(d.cfg.Serve) { // who has what happens now alone has it undisturbed
		wg.Go(func() { d.work(reconciling) })
	}
	wg.Go(func() { d.sweep(reconciling) })
	wg.Go(func() { d.relieve(reconciling, d.relief) })
	d.alarms.start(reconciling)
	d.announcer.start(ctx)
	err := d.queue.Run(ctx, webhook.Handlers{Deliver: d.deliver, Wake: d.wake})
	d.Leave(context.WithoutCancel(ctx))
	stop()
	d.alarms.stop()
	wg.Wait()
	d.announcer.stop()
	d.egress.Close()
	return err
}

// Ready returns an error, within two seconds, unless Redis answers, is one to keep events on, and its clock and ours
// agree. Errors: [webhook.ErrUnavailable]; a [webhook.ServerError], as CheckRedis, which is logged too.
func (d *Dispatcher) Ready(ctx context.Context) error {
	skew, err := within(ctx, d, "ready", func(ctx context.Context) (time.Duration, error) {
		skew, err := d.store.Ping(ctx)
		if err != nil {
			return 0, err
		}
		return skew, d.checkServers(ctx)
	})
	if isUnfit(err) && d.warned.first("servers", time.Now()) {
		d.log.ErrorContext(ctx, "redis is not one to keep events on; said once a minute", "error", err)
	}
	if err != nil {
		return err
	}
	d.skew.note(skew)
	if skew.Abs() > maxSkew {
		return fmt.Errorf("clock: %s off that of Redis, more than %s", skew.Abs().Round(time.Millisecond), maxSkew)
	}
	return nil
}

// AwaitRedis returns once the dispatcher is ready, or false when ctx ended
// first or CheckRedis finds what waiting does not cure, and logs what it waits for.
// Run does so itself.
func (d *Dispatcher) AwaitRedis(ctx context.Context) bool { return d.awaitRedis(ctx) == nil }

func (d *Dispatcher) awaitRedis(ctx context.Context) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := d.Ready(ctx)
		if err == nil {
			d.log.InfoContext(ctx, "redis answers")
			d.warnOfServers(ctx)
			return nil
		}
		if ctx.Err() != nil || isUnfit(err) {
			return err
		}
		d.log.WarnContext(ctx, "waiting for redis", "error", err, "again_in", pause.String())
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// Handler returns the HTTP API, and the console under "/console/", for a host that knows who asks: brandOf answers the brand
// of a request, or false. Mount it with http.StripPrefix below a path of the host's own. A page that is told what is new
// keeps its connection for up to a minute. Use [httpapi.New] and [console.New] for handlers that serve admins too.
func (d *Dispatcher) Handler(brandOf func(*http.Request) (brand string, ok bool)) http.Handler {
	identify := func(r *http.Request) (webhook.Identity, error) {
		brand, ok := brandOf(r)
		if !ok || brand == "" { // "" would be an admin
			return webhook.Identity{}, webhook.ErrUnauthorized
		}
		return webhook.Identity{Brand: brand}, nil
	}
	api, err := httpapi.New(httpapi.Config{
		Service: d, Logger: d.log, PayloadBytes: d.cfg.PayloadBytes, BatchEvents: d.cfg.BatchEvents, Traced: d.tracer != nil, Identify: identify,
	})
	if err != nil {
		panic(err) // cannot happen: the fields were validated by New
	}
	pages, err := console.New(console.Config{Service: d, Logger: d.log, Identify: identify, FrameAncestors: d.cfg.ConsoleFrameAncestors})
	if err != nil {
		panic(err) // cannot happen, as before
	}
	return console.Beside(api, pages)
}

// persist repeats do with growing pauses until it does not fail for want of the store, or so much time is over. It does not
// interrupt do.
func persist[T any](within time.Duration, do func() (T, error)) (T, error) {
	until := time.Now().Add(within)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		done, err := do()
		wait := pause/2 + rand.N(pause)
		if !errors.Is(err, webhook.ErrUnavailable) || time.Until(until) < wait {
			return done, err
		}
		time.Sleep(wait)
	}
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
