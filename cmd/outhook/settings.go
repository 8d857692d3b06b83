package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io/fs"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/console"
	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/session"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/monitor"
)

// graceTail is what remains of shutdown.grace once the workers have waited for their attempts.
const graceTail = 2 * time.Second

// settings is a configuration in the terms of the rooms it is for. Every key of config.Keys ends here.
type settings struct {
	redis redis.UniversalOptions
	// dispatcher lacks its Redis and Logger; api its Service, Identify and Logger; monitor its Redis and what it asks.
	dispatcher dispatcher.Config
	api        httpapi.Config
	monitor    monitor.Config
	// console lacks what newConsole gives it, and its Logger.
	console     console.Config
	httpListen  string
	adminListen string
	log         config.Log
	tracing     config.Tracing
	// delay is kept serving after a signal, then grace bounds the rest.
	delay, grace time.Duration
}

// settingsOf reads the files that the configuration names. Errors are [webhook.FieldError]s whose field is a key.
func settingsOf(c config.Config) (settings, error) {
	keys, err := keyRing(c.Secrets)
	if err != nil {
		return settings{}, err
	}
	out, err := egressConfig(c)
	if err != nil {
		return settings{}, err
	}
	store := redisOptions(c.Redis.URL.Target(), queuesOf(c.Queue))
	if c.Redis.Durable != (config.Durable{}) {
		store.PoolSize += durablePool
	}
	if store.TLSConfig, err = redisTLS(c.Redis); err != nil {
		return settings{}, err
	}
	adminKey := hashOf(c.Auth.AdminKey.Reveal())
	return settings{
		redis: store,
		dispatcher: dispatcher.Config{
			Secrets: keys, AdminKeyHash: adminKey, Egress: out, Retry: webhook.Schedule(c.Retry), Catalog: catalogConfig(c.Catalog),
			Timeout: c.Delivery.Timeout, Concurrency: c.Delivery.Concurrency, MaxInFlight: c.Delivery.MaxInFlight,
			MaxInFlightPerHost: c.Delivery.MaxInFlightPerHost, Breaker: webhook.Breaker(c.Breaker), AutoDisableAfter: orNever(c.AutoDisable.After),
			Durable: durability(c.Redis), PublishWatermark: c.Redis.PublishWatermark, HistoryWatermark: c.Redis.HistoryWatermark,
			Shards: c.Queue.Shards, Serve: c.Queue.Serve, ShutdownTimeout: c.Shutdown.Grace - graceTail,
			RetainDelivered: c.Retention.Delivered, RetainAttempts: c.Retention.Attempts, RetainDeadLetters: c.Retention.DeadLetters,
			PayloadBytes: int(c.Limits.PayloadBytes), BatchEvents: c.Limits.BatchEvents, EndpointsPerBrand: c.Limits.EndpointsPerBrand,
		},
		api: httpapi.Config{
			PayloadBytes: int(c.Limits.PayloadBytes), RequestBytes: int(c.Limits.RequestBytes), BatchEvents: c.Limits.BatchEvents,
		},
		monitor:    monitor.Config{ReadOnly: c.Asynqmon.ReadOnly, SessionKey: sessionSecret(c.Secrets, adminKey)},
		console:    console.Config{Secret: sessionSecret(c.Secrets, adminKey), Asynqmon: asynqmonURL(c.Admin.Listen), FrameAncestors: c.Console.FrameAncestors},
		httpListen: c.HTTP.Listen, adminListen: c.Admin.Listen,
		log: c.Log, tracing: c.Tracing, delay: c.Shutdown.Delay, grace: c.Shutdown.Grace,
	}, nil
}

// orNever is what the dispatcher takes for never, where 0 would be its default.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

func durability(c config.Redis) webhook.Durability {
	return webhook.Durability{Replicas: c.Durable.Replicas, AOFs: c.Durable.AOFs, Timeout: c.DurableTimeout}
}

// hashOf is zero for no key.
func hashOf(key string) [sha256.Size]byte {
	if key == "" {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256([]byte(key))
}

// keyRing is zero when there are no keys: only serve needs them.
func keyRing(c config.Secrets) (dispatcher.KeyRing, error) {
	if len(c.Keys) == 0 {
		return dispatcher.KeyRing{}, nil
	}
	texts := make([]string, len(c.Keys))
	for i, k := range c.Keys {
		texts[i] = k.ID + ":" + base64.StdEncoding.EncodeToString([]byte(k.Key.Reveal()))
	}
	return dispatcher.ParseKeyRing(texts)
}

// sessionSecret is what signs the sessions of browsers: the same in every process of a configuration, and another one when the
// newest encryption key or auth.adminKey changes, as what was begun with the old admin key is to end. Without encryption keys
// there is none: only serve needs them.
func sessionSecret(c config.Secrets, adminKey [sha256.Size]byte) []byte {
	if len(c.Keys) == 0 {
		return nil
	}
	return session.Secret([]byte(c.Keys[0].Key.Reveal()), adminKey)
}

func egressConfig(c config.Config) (egress.Config, error) {
	out := egress.Config{
		Allow: c.Egress.Allow, AllowHTTP: !c.Egress.RequireHTTPS, Ports: make([]int, 0, len(c.Egress.Ports)),
		ResponseBodyBytes: int(c.Delivery.ResponseBodyBytes), DefaultTimeout: c.Delivery.Timeout, UserAgent: userAgent(),
	}
	for _, port := range c.Egress.Ports { // none is any, and not nil, which would be the default
		out.Ports = append(out.Ports, int(port))
	}
	if c.Delivery.ResponseBodyBytes == 0 { // would be the default there
		out.ResponseBodyBytes = -1
	}
	if c.Egress.CABundle == "" {
		return out, nil
	}
	var err error
	out.CABundle, err = readNamed("egress.caBundle", c.Egress.CABundle)
	return out, err
}

// cause leaves out what is said already.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

func catalogConfig(c config.Catalog) catalog.Config {
	out := catalog.Config{Validation: string(c.Validation)}
	for _, t := range c.Types {
		out.Types = append(out.Types, catalog.Type{Name: t.Name, Description: t.Description, Schema: t.Schema})
	}
	return out
}

// check tries what only the rooms themselves can check: schemas and certificates.
func (s settings) check() error {
	if _, err := catalog.New(s.dispatcher.Catalog); err != nil {
		return err
	}
	client, err := egress.New(s.dispatcher.Egress)
	if err != nil {
		return err
	}
	client.Close()
	return nil
}
