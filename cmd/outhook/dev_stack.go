package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/console"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// devStack is all of outhook in one process, with keys that end with it.
type devStack struct {
	redis      devRedis
	client     redis.UniversalClient
	dispatcher *dispatcher.Dispatcher
	adminKey   string
	brand      string
	// api, admin and receiver serve on loopback.
	api, admin, receiver *localServer
	// rehearsal is how the receiver behaves.
	rehearsal *devReceiver
	// asks is a client of api.
	asks *httpapi.Client
	// delivering gets the error of workers that ended by themselves, then is closed.
	delivering chan error
	// closers end what was started; the last comes first.
	closers []func() error
}

// startDev starts everything; show gets what the receiver gets. Nothing is left running when it errs.
func startDev(ctx context.Context, f devFlags, log *slog.Logger, show func(arrival)) (*devStack, error) {
	samples, err := newSamples()
	if err != nil {
		return nil, err
	}
	const brand = "demo"
	s := &devStack{brand: brand, adminKey: "dev_" + randomText(), delivering: make(chan error, 1), rehearsal: &devReceiver{brand: brand, samples: samples}}
	if err := s.start(ctx, f, log, show); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *devStack) start(ctx context.Context, f devFlags, log *slog.Logger, show func(arrival)) error {
	var err error
	if s.redis, err = findRedis(f.redis); err != nil {
		return err
	}
	s.closers = append(s.closers, s.redis.close)
	set, err := settingsOf(devConfig(s.redis.url, s.adminKey))
	if err != nil {
		return err
	}
	redis.SetLogger(redisLog{log})
	s.client = redis.NewUniversalClient(&set.redis)
	s.closers = append(s.closers, s.client.Close)
	if err := s.redis.claim(ctx, s.client); err != nil {
		return err
	}
	s.closers = append(s.closers, func() error { return s.redis.release(ctx, s.client) })
	registry := newRegistry(roleAll)
	set.dispatcher.Redis, set.dispatcher.Logger, set.dispatcher.Metrics = s.client, log, registry
	if s.dispatcher, err = dispatcher.New(set.dispatcher); err != nil {
		return err
	}
	if err := s.serve(ctx, f, set, metricsHandler(registry, log), log); err != nil {
		return err
	}
	if err := s.receive(ctx, f.listen, log, show); err != nil {
		return err
	}
	s.deliver(ctx)
	return nil
}

// devConfig is that of serve, but for throw-away keys and where deliveries may go.
func devConfig(url config.RedisURL, adminKey string) config.Config {
	c := config.Default()
	c.Redis.URL = url
	c.Auth.AdminKey = config.NewSecret(adminKey)
	key := make([]byte, 32)
	rand.Read(key)
	c.Secrets.Keys = []config.EncryptionKey{{ID: "dev", Key: config.NewSecret(string(key))}}
	c.Egress.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	c.Egress.Ports, c.Egress.RequireHTTPS = nil, false
	return c
}

func randomText() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// serve starts the API and what operators see.
func (s *devStack) serve(ctx context.Context, f devFlags, set settings, metrics http.Handler, log *slog.Logger) error {
	keys := newAuthenticator(s.dispatcher, set.dispatcher.AdminKeyHash)
	set.api.Service, set.api.Identify, set.api.Logger = s.dispatcher, keys.Identify, log
	ask := adminsBy(keys)
	api, err := httpapi.New(set.api)
	if err != nil {
		return err
	}
	pages, err := newPages(set.monitor, s.client, s.dispatcher, ask)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, pages.Close)
	if s.admin, err = s.listen(ctx, f.port(8081), adminHandler(s.dispatcher.Ready, ask, pages, metrics), log); err != nil {
		return err
	}
	set.console.Logger, set.console.Asynqmon, set.console.Rehearsal = log, s.admin.url+"/asynqmon/", s.rehearsal
	browser, err := newConsole(set.console, s.dispatcher, keys)
	if err != nil {
		return err
	}
	if s.api, err = s.listen(ctx, f.port(8080), console.Beside(api, browser), log); err != nil {
		return err
	}
	s.asks, err = httpapi.NewClient(s.api.url, s.adminKey, nil)
	s.rehearsal.asks = s.asks
	return err
}

// listen serves on the port of loopback, or on a free one when it is taken.
func (s *devStack) listen(ctx context.Context, port int, h http.Handler, log *slog.Logger) (*localServer, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, err
	}
	return s.local(ctx, listener, h, log), nil
}

func (s *devStack) local(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) *localServer {
	server := startLocal(ctx, l, h, log)
	s.closers = append(s.closers, server.stop)
	return server
}

// receive creates an endpoint for each purpose at a receiver of our own, which
// verifies with the secret that the API gave it.
func (s *devStack) receive(ctx context.Context, listen listenFunc, log *slog.Logger, show func(arrival)) error {
	listener, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	paths := http.NewServeMux()
	s.receiver = s.local(ctx, listener, paths, log)
	for _, purpose := range []string{webhook.PurposeStatus, webhook.PurposeInbound} {
		created, _, err := s.asks.CreateEndpoint(ctx, s.brand, httpapi.EndpointRequest{
			ID: purpose, Purpose: purpose, URL: s.receiver.url + "/" + purpose, Description: "the receiver of outhook dev",
		})
		if err != nil {
			return fmt.Errorf("create the %s endpoint: %w", purpose, err)
		}
		secret, err := signer.ParseSecret(created.Secret)
		if err != nil {
			return fmt.Errorf("secret of the %s endpoint: %w", purpose, err)
		}
		paths.Handle("/"+purpose, s.rehearsal.switched(newReceiver([]signer.Verifier{secret}, faults{}, show)))
	}
	return nil
}

// deliver starts the workers. They end before everything else, receivers too: an
// attempt in flight still gets its answer.
func (s *devStack) deliver(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.delivering)
		if err := s.dispatcher.Run(ctx); err != nil {
			s.delivering <- err
		}
	}()
	s.closers = append(s.closers, func() error { cancel(); return <-s.delivering })
}

func (s *devStack) stop() error {
	var errs []error
	for _, end := range slices.Backward(s.closers) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}
