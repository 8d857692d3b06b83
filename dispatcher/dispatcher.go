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
	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// maxSkew is how far this process's clock may be off Redis's.
const maxSkew = 5 * time.Second

// Dispatcher accepts events and, while Run runs, delivers them. Safe for
// concurrent use; any number of processes may share one Redis.
type Dispatcher struct {
	cfg     Config
	log     *slog.Logger
	store   webhook.Store
	vault   vault
	queue   webhook.Queue
	sender  webhook.Sender
	egress  *egress.Client
	catalog *catalog.Catalog
	matcher *matcher
	trials  trials
	warned  onceAMinute
	// prompt says that the client of Redis ends with its context.
	prompt bool
}

var _ httpapi.Service = (*Dispatcher)(nil)

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
		Concurrency: cfg.Concurrency, AttemptTimeout: webhook.MaxTimeout, ShutdownTimeout: cfg.ShutdownTimeout,
	})
	if err != nil {
		return nil, err
	}
	store, err := redisstore.New(redisstore.Config{
		Redis: cfg.Redis, Keys: cfg.Secrets, QueueFor: tasks.QueueFor, MaxAge: cfg.Retry.MaxAge,
		MaxInFlight: cfg.MaxInFlight, EndpointsPerBrand: cfg.EndpointsPerBrand,
		RetainDelivered: cfg.RetainDelivered, RetainAttempts: cfg.RetainAttempts, RetainDeadLetters: cfg.RetainDeadLetters,
	})
	if err != nil {
		return nil, err
	}
	if len(cfg.Egress.Allow) > 0 {
		cfg.Logger.Info("deliveries may reach more than the public internet", "egress_allow", fmt.Sprint(cfg.Egress.Allow))
	}
	return &Dispatcher{
		cfg: cfg, log: cfg.Logger, store: store, vault: store, queue: tasks, sender: out, egress: out,
		catalog: types, matcher: newMatcher(store), prompt: isPrompt(cfg.Redis),
	}, nil
}

// Run delivers until ctx ends, then takes no more, waits for the attempts in
// flight, and returns nil after a clean drain. It waits for Redis as long as it
// takes, now and later. Call it once; a process that only publishes leaves it out.
// Errors: a [webhook.KeyError], before anything is delivered, when Config.Secrets are
// not the keys that sealed what is stored.
func (d *Dispatcher) Run(ctx context.Context) error {
	if err := d.AwaitKeys(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	reconciling, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { d.reconcile(reconciling) })
	err := d.queue.Run(ctx, d.deliver)
	stop()
	wg.Wait()
	d.egress.Close()
	return err
}

// Ready returns an error, within two seconds, unless Redis answers and its clock and ours agree.
func (d *Dispatcher) Ready(ctx context.Context) error {
	skew, err := within(ctx, d, "ready", d.store.Ping)
	if err != nil {
		return err
	}
	if skew.Abs() > maxSkew {
		return fmt.Errorf("clock: %s off that of Redis, more than %s", skew.Abs().Round(time.Millisecond), maxSkew)
	}
	return nil
}

// AwaitRedis returns once the dispatcher is ready, or false when ctx ended
// first, and logs what it waits for. Run does so itself.
func (d *Dispatcher) AwaitRedis(ctx context.Context) bool {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := d.Ready(ctx)
		if err == nil {
			d.log.InfoContext(ctx, "redis answers")
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		d.log.WarnContext(ctx, "waiting for redis", "error", err, "again_in", pause.String())
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// Handler returns the HTTP API for a host that knows who asks: brandOf answers
// the brand of a request, or false. Mount it with http.StripPrefix below a path
// of the host's own. Use [httpapi.New] for a handler that serves admins too.
func (d *Dispatcher) Handler(brandOf func(*http.Request) (brand string, ok bool)) http.Handler {
	handler, err := httpapi.New(httpapi.Config{
		Service: d, Logger: d.log, PayloadBytes: d.cfg.PayloadBytes, BatchEvents: d.cfg.BatchEvents,
		Identify: func(r *http.Request) (webhook.Identity, error) {
			brand, ok := brandOf(r)
			if !ok || brand == "" { // "" would be an admin
				return webhook.Identity{}, webhook.ErrUnauthorized
			}
			return webhook.Identity{Brand: brand}, nil
		},
	})
	if err != nil {
		panic(err) // cannot happen: the fields were validated by New
	}
	return handler
}

// enqueue hands runs to the queue. What cannot be handed over is in the ledger,
// and the reconciler finds it: so that is logged, and no error.
func (d *Dispatcher) enqueue(ctx context.Context, runs []webhook.Run) {
	if len(runs) == 0 {
		return
	}
	if err := d.queue.Enqueue(ctx, runs); err != nil {
		d.log.WarnContext(ctx, "released deliveries wait for the reconciler", "runs", len(runs), "error", err)
	}
}

// persist repeats do with growing pauses until it does not fail for want of
// the store, or ctx ends.
func persist(ctx context.Context, do func() error) error {
	pause := 50 * time.Millisecond
	for {
		err := do()
		if !errors.Is(err, webhook.ErrUnavailable) || !sleep(ctx, pause/2+rand.N(pause)) {
			return err
		}
		pause = min(2*pause, time.Second)
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
