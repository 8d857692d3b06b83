package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// What many ask at once is done together, and each gets its own answer.
func TestClaimsShareAPipeline(t *testing.T) {
	redistest.NotCluster(t, "there each goes to its node at once")
	const many = 100
	w := newWorld(t, redisstore.Config{EndpointsPerBrand: many + 1})
	runs := make([]webhook.Run, many)
	for i := range runs {
		w.endpoint(fmt.Sprint("a", i))
		runs[i] = w.run(fmt.Sprint("e", i), fmt.Sprint("a", i))
	}
	w.warm()
	hold := make(chan struct{})
	var sent atomic.Int32
	w.client.AddHook(staged{pipeline: func(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
		return func(ctx context.Context, cmds []redis.Cmder) error {
			sent.Add(1)
			return next(ctx, cmds)
		}
	}})
	w.client.AddHook(staged{pipeline: held(hold)})
	var asking sync.WaitGroup
	for i, run := range runs {
		asking.Go(func() {
			claim, err := w.Claim(t.Context(), run)
			if err != nil || claim.Verdict != webhook.ClaimGo || claim.Event.ID != run.EventID || claim.Endpoint.ID != run.EndpointID {
				t.Errorf("%v: got %+v, %v", run, claim, err)
			}
		})
		if i < 2 { // these two are under way, each alone
			dispatchertest.Eventually(t, func() bool { return int(sent.Load()) == i+1 })
		}
	}
	dispatchertest.Eventually(t, func() bool { return redisstore.Waiting(w.Store) == many-2 })
	close(hold)
	asking.Wait()
	if n := sent.Load(); n > 5 { // of which one is a new connection's own
		t.Errorf("%d pipelines for %d claims", n, many)
	}
}

// held keeps pipelines back until there is a word, and lets those pass whose caller gave up.
func held(word <-chan struct{}) func(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
		return func(ctx context.Context, cmds []redis.Cmder) error {
			<-word
			return next(ctx, cmds)
		}
	}
}

// A caller whose time is over waits no more, and keeps nobody else's commands back.
func TestAClaimIsGivenUpAlone(t *testing.T) {
	redistest.NotCluster(t, "there each goes to its node at once")
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	gone, stays := w.run("gone", "a"), w.run("stays", "a")
	hold := make(chan struct{})
	w.client.AddHook(staged{pipeline: held(hold)})
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { _, err := w.Claim(ctx, gone); over <- err }()
	cancel()
	if err := <-over; !errors.Is(err, webhook.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(hold)
	if claim, err := w.Claim(t.Context(), stays); err != nil || claim.Verdict != webhook.ClaimGo {
		t.Errorf("got %+v, %v", claim, err)
	}
}

// The error of one command is its caller's alone.
func TestOthersErrorsAreNotMine(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.endpoint("b")
	broken, well := w.run("broken", "a"), w.run("well", "b")
	w.must(w.client.Set(t.Context(), redisstore.OutKey(w.ref("a")), "of another kind", 0).Err())
	hold := make(chan struct{})
	w.client.AddHook(staged{pipeline: held(hold)})
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if _, err := w.Claim(t.Context(), broken); err == nil {
				t.Error("no error from a set that is none")
			}
		})
		asking.Go(func() {
			if claim, err := w.Claim(t.Context(), well); err != nil || claim.Verdict != webhook.ClaimGo {
				t.Errorf("got %+v, %v", claim, err)
			}
		})
	}
	close(hold)
	asking.Wait()
}

// What Redis says to a new connection, before any command, is no answer to those that were to go on it.
func TestNothingIsRecordedWithAPasswordThatWasChanged(t *testing.T) {
	redistest.OneServer(t, "users are changed of one server")
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	run := w.run("e", "a")
	w.claim(run, webhook.ClaimGo)
	options := redistest.Options(w.server.Addr())
	options.Username, options.Password = "default", "the one before"
	client := redis.NewClient(options)
	defer client.Close()
	s := open(t, redisstore.Config{Redis: client, Keys: w.keys, Now: w.clock.Now})
	w.must(w.server.Admin(t).Do(t.Context(), "ACL", "SETUSER", "default", "on", "resetpass", ">another").Err())
	if _, err := s.Record(t.Context(), settlementOf(run, delivered(), w.clock.Now())); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// What nobody waits for any more is not sent when Redis answers again.
func TestWhatIsGivenUpBeforeItIsSentIsNotSent(t *testing.T) {
	redistest.NotCluster(t, "there each goes to its node at once")
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	run := w.run("e", "a")
	others := []webhook.Run{w.run("e1", "a"), w.run("e2", "a")}
	w.warm()
	hold, flying := make(chan struct{}), make(chan struct{}, 10)
	w.client.AddHook(staged{pipeline: func(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
		return func(ctx context.Context, cmds []redis.Cmder) error {
			flying <- struct{}{}
			<-hold
			return next(ctx, cmds)
		}
	}})
	var asking sync.WaitGroup
	for _, other := range others {
		asking.Go(func() { _, _ = w.Record(t.Context(), settlementOf(other, delivered(), w.clock.Now())) })
		<-flying
	}
	ctx, cancel := context.WithCancel(t.Context())
	asking.Go(func() { _, _ = w.Record(ctx, settlementOf(run, delivered(), w.clock.Now())) })
	dispatchertest.Eventually(t, func() bool { return redisstore.Waiting(w.Store) == 1 })
	cancel()
	close(hold)
	asking.Wait()
	w.claim(run, webhook.ClaimGo)
	w.claim(run, webhook.ClaimGo)
}
