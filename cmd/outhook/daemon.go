package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/console"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Bounds of a request to either listener. A body of limits.requestBytes must fit into readFor on a slow line.
const (
	readHeaderFor  = 5 * time.Second
	readFor        = 30 * time.Second
	writeFor       = time.Minute
	idleFor        = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

var errUnfinished = errors.New("shutdown.grace is over: attempts or requests in flight did not finish")

// daemon is one serving process.
type daemon struct {
	set  settings
	role role
	log  *slog.Logger
	rdb  redis.UniversalClient
	road *dispatcher.Dispatcher
	// traces is nil when nothing is traced.
	traces *tracer
	// api is nil in a worker.
	api, admin *http.Server

	stopping atomic.Bool
	// work ends when its context does, servers when they are shut down. What ends with an error is in failed.
	work, servers sync.WaitGroup
	failed        chan error
}

// join makes everything that can be wrong by configuration; nothing runs yet.
func (d *daemon) join() error {
	cfg := d.set.dispatcher
	registry := newRegistry(d.role)
	cfg.Redis, cfg.Logger, cfg.Metrics, cfg.Tracing = d.rdb, d.log, registry, d.traces.settings(d.set.tracing)
	var err error
	if d.road, err = dispatcher.New(cfg); err != nil {
		return err
	}
	keys := newAuthenticator(d.road, d.set.dispatcher.AdminKeyHash)
	ask := adminsBy(keys)
	pages, err := newPages(d.set.monitor, d.rdb, d.road, ask)
	if err != nil {
		return err
	}
	d.admin = d.server("admin", adminHandler(d.ready, ask, pages, metricsHandler(registry, d.log)))
	if !d.role.publishes() {
		return nil
	}
	public := d.set.api
	public.Service, public.Identify, public.Logger = d.road, keys.Identify, d.log
	public.Traced = d.traces != nil
	public.Admitted, public.RequestsAtOnce = admitted, d.requestsAtOnce()
	handler, err := httpapi.New(public)
	if err != nil {
		return err
	}
	browser := d.set.console
	browser.Logger = d.log
	consolePages, err := newConsole(browser, d.road, keys)
	if err != nil {
		return err
	}
	d.api = d.server("api", d.leaving(console.Beside(handler, consolePages)))
	d.api.RegisterOnShutdown(consolePages.Close)
	return nil
}

func (d *daemon) server(name string, h http.Handler) *http.Server {
	s := &http.Server{
		Handler: recovering(h, d.log, name), ReadHeaderTimeout: readHeaderFor, ReadTimeout: readFor, WriteTimeout: writeFor, IdleTimeout: idleFor,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: log.New(&serverLog{log: d.log, name: name}, "", 0),
		DisableGeneralOptionsHandler: true, // which would answer OPTIONS * whoever asks
	}
	(&crowd{most: d.connections(), log: d.log.With("listener", name)}).bind(s)
	return s
}

// leaving has each answer of a process that ends be the last on its connection, so that its clients go elsewhere: of a
// connection that is closed at the end a client learns only when it has sent its next request.
func (d *daemon) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (d *daemon) ready(ctx context.Context) error {
	if d.stopping.Load() {
		return errStopping
	}
	return d.road.Ready(ctx)
}

// run serves until ctx ends or a part fails, and winds down. It returns nil after a clean drain.
func (d *daemon) run(ctx context.Context) error {
	defer d.end()
	d.failed = make(chan error, 4)
	if err := d.refuse(ctx); err != nil {
		return err
	}
	if err := d.open(ctx); err != nil {
		d.closeServers()
		return err
	}
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	d.startWork(working)
	var failure error
	select {
	case failure = <-d.failed:
		d.stopping.Store(true)
	case <-ctx.Done():
		d.stopping.Store(true)
		d.log.Info("shutting down: serving on", "delay", d.set.delay.String())
		failure = d.serveOn()
	}
	return errors.Join(failure, d.drain(stopWork))
}

// end gives back what a daemon has before it runs.
func (d *daemon) end() {
	d.traces.close()
	_ = d.rdb.Close()
}

// open starts the listeners, that of the operators first.
func (d *daemon) open(ctx context.Context) error {
	if err := d.serve(ctx, "admin", d.set.adminListen, d.admin); err != nil {
		return err
	}
	if d.api == nil {
		return nil
	}
	return d.serve(ctx, "http", d.set.httpListen, d.api)
}

func (d *daemon) serve(ctx context.Context, section, address string, s *http.Server) error {
	var listening net.ListenConfig
	l, err := listening.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%s.listen: %w", section, err)
	}
	d.log.Info("listening", "listener", section, "address", l.Addr().String())
	d.servers.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- fmt.Errorf("%s.listen: %w", section, err)
		}
	})
	return nil
}

func (d *daemon) startWork(ctx context.Context) {
	d.work.Go(func() { d.warnOfOpenRedis(ctx) })
	d.work.Go(func() { d.wantAdminKey(ctx) })
	work := d.road.AwaitKeys // until then publishing is refused
	if d.role.delivers() {
		work = d.road.Run
	}
	d.work.Go(func() {
		if err := work(ctx); err != nil {
			d.failed <- mistaken(err)
		}
	})
}

// refuse errs, before anything listens, when Redis is not one to keep events on, or the encryption keys are not those that
// sealed what is stored. Redis may be away: then both are checked as soon as it is there.
func (d *daemon) refuse(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisAnswer)
	defer cancel()
	for _, check := range []func(context.Context) error{d.road.CheckRedis, d.road.CheckKeys} {
		if err := mistaken(check(ctx)); isUsage(err) {
			return err
		}
	}
	return nil
}

// mistaken makes a Redis that evicts, and wrong encryption keys, what they are: mistakes of the configuration, theirs or ours.
func mistaken(err error) error {
	_, keys := errors.AsType[*webhook.KeyError](err)
	_, server := errors.AsType[*webhook.ServerError](err)
	if keys || server {
		return usageError{err}
	}
	return err
}

// wantAdminKey fails a daemon that nobody can administer: without auth.adminKey,
// and without one that was created while there was one.
func (d *daemon) wantAdminKey(ctx context.Context) {
	if d.set.dispatcher.AdminKeyHash != [sha256.Size]byte{} || !d.road.AwaitRedis(ctx) {
		return
	}
	keys, err := d.road.Keys(ctx)
	isAdmin := func(k webhook.APIKey) bool { return k.Brand == "" }
	switch {
	case err != nil:
		d.log.WarnContext(ctx, "not known whether there is an admin key", "error", err)
	case !slices.ContainsFunc(keys, isAdmin):
		d.failed <- usage("auth.adminKey: is required to serve, at least 32 characters, as OUTHOOK_AUTH_ADMIN_KEY or in the file: no admin key was created either")
	}
}

// serveOn gives those who balance the load time to see that readiness fails.
func (d *daemon) serveOn() error {
	select {
	case err := <-d.failed:
		return err
	case <-time.After(d.set.delay):
		return nil
	}
}

// drain begins nothing more and waits for what is in flight. What is not done in time is left to the end of the process.
func (d *daemon) drain(stopWork context.CancelFunc) error {
	d.log.Info("draining", "grace", d.set.grace.String())
	ctx, cancel := context.WithTimeout(context.Background(), d.set.grace)
	defer cancel()
	d.road.Leave(ctx)
	stopWork()
	var late error
	if d.api != nil && d.api.Shutdown(ctx) != nil {
		late = errUnfinished
	}
	if !waitFor(ctx, &d.work) {
		return errUnfinished
	}
	d.closeServers()
	d.traces.flush(ctx)
	select {
	case err := <-d.failed: // a worker that could not drain
		return err
	default:
	}
	if late == nil {
		d.log.Info("drained")
	}
	return late
}

func (d *daemon) closeServers() {
	if d.api != nil {
		_ = d.api.Close()
	}
	_ = d.admin.Close() // last: it told that we are not ready
	d.servers.Wait()
}

// waitFor returns false when ctx ended first.
func waitFor(ctx context.Context, group *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
