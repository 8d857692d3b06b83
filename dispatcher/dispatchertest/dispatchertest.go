// Package dispatchertest is for a host's own tests: a running dispatcher on an
// in-process Redis, a receiver that can misbehave, and a wait for the delivery.
//
//	d := dispatchertest.Start(t)
//	r := d.Receiver(t, "acme", webhook.PurposeStatus)
//	receipt, err := d.Publish(ctx, event)
//	d.WaitDelivered(t, "acme", receipt.ID)
//	got := r.Wait(t, 1) // verified, byte for byte
package dispatchertest

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded"
)

// Patience is how long a wait lasts before it fails the test: longer than what
// re-drives a delivery whose worker was killed.
const Patience = 60 * time.Second

// Dispatcher is a running dispatcher.
type Dispatcher struct {
	*dispatcher.Dispatcher
	// Redis is what it runs on, Secrets what it seals with: for a second one beside it.
	Redis   redis.UniversalClient
	Secrets dispatcher.KeyRing
	stop    func()
}

// Start runs a dispatcher until the test ends. It delivers to loopback, by http
// as well, and retries within seconds; change alters that configuration. Unless
// change sets Redis, it runs on an in-process one that belongs to the test.
func Start(t testing.TB, change ...func(*dispatcher.Config)) *Dispatcher {
	t.Helper()
	cfg := Config()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, c := range change {
		c(&cfg)
	}
	if cfg.Redis == nil {
		cfg.Redis = Embedded(t)
	}
	d, err := dispatcher.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	running := &Dispatcher{Dispatcher: d, Redis: cfg.Redis, Secrets: cfg.Secrets}
	stopped := false
	running.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("dispatcher did not drain: %v", err)
		}
	}
	t.Cleanup(running.stop)
	return running
}

// EnvWithout names the environment variable that says without which parts of the queues' Redis client all dispatchers run:
// "idle-wait", "prefetch", "pipelining", with commas between.
const EnvWithout = "OUTHOOK_TEST_WITHOUT"

// Config is what Start starts from: complete but for Redis.
func Config() dispatcher.Config {
	var cfg dispatcher.Config
	if err := cfg.Switches.UnmarshalText([]byte(os.Getenv(EnvWithout))); err != nil {
		panic(fmt.Sprintf("%s: %v", EnvWithout, err))
	}
	cfg.Secrets = redisstore.NewKeyRing()
	cfg.Egress.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	cfg.Egress.AllowHTTP = true
	cfg.Egress.Ports = []int{}
	cfg.Retry.InitialInterval = 100 * time.Millisecond
	cfg.Retry.MaxInterval = 2 * time.Second
	return cfg
}

// Embedded starts an in-process Redis and returns a client to it; both end with the test.
func Embedded(t testing.TB) redis.UniversalClient {
	t.Helper()
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// Stop ends the dispatcher's Run, as SIGTERM would, and waits for its drain.
func (d *Dispatcher) Stop() { d.stop() }

// WaitDelivered waits until every delivery of the event is delivered, and fails
// the test when one ends otherwise, or none does within [Patience].
func (d *Dispatcher) WaitDelivered(t testing.TB, brand, eventID string) webhook.EventStatus {
	t.Helper()
	return d.WaitState(t, brand, eventID, webhook.StateDelivered)
}

// WaitState waits until every delivery of the event, those that its fan-out has
// not come to yet included, is in the given state.
func (d *Dispatcher) WaitState(t testing.TB, brand, eventID string, want webhook.State) webhook.EventStatus {
	t.Helper()
	var last webhook.EventStatus
	Eventually(t, func() bool {
		found, err := d.Explain(t.Context(), webhook.EventRef{Brand: brand, ID: eventID})
		if err != nil {
			return false
		}
		last = webhook.EventStatus{Event: found.Event}
		for _, x := range found.Endpoints {
			switch {
			case !x.Matched:
				continue
			case x.Delivery == nil:
				return false
			}
			last.Deliveries = append(last.Deliveries, *x.Delivery)
			state := x.Delivery.State
			if state != want && !state.Open() && !want.Open() {
				t.Fatalf("event %s: delivery to %s is %s, want %s", eventID, x.EndpointID, state, want)
			}
			if state != want {
				return false
			}
		}
		return len(last.Deliveries) > 0
	})
	return last
}

// Eventually asks until ok answers true, and fails the test after [Patience].
func Eventually(t testing.TB, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited too long")
		}
		time.Sleep(pause)
	}
}
