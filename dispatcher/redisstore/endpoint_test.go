package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// staged is a network that does something to the commands it carries.
type staged struct {
	redis.Hook
	command  func(next redis.ProcessHook) redis.ProcessHook
	pipeline func(next redis.ProcessPipelineHook) redis.ProcessPipelineHook
}

func (staged) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s staged) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	if s.command == nil {
		return next
	}
	return s.command(next)
}

func (s staged) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	if s.pipeline == nil {
		return next
	}
	return s.pipeline(next)
}

// cutOff is the network ending as the command with this name is sent, until it is mended.
func cutOff(name string, mended *bool) staged {
	return staged{command: func(next redis.ProcessHook) redis.ProcessHook {
		return func(ctx context.Context, cmd redis.Cmder) error {
			if cmd.Name() == name && !*mended {
				cmd.SetErr(context.DeadlineExceeded)
				return context.DeadlineExceeded
			}
			return next(ctx, cmd)
		}
	}}
}

// Redis may lose its last writes. What is stored then must not stand under a
// revision that a worker remembers for something else.
func TestARevisionIsNotUsedAgain(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	moveTo := func(url string) {
		w.Helper()
		_, _, err := w.UpdateEndpoint(w.Context(), ref, func(e *webhook.Endpoint) error { e.URL = url; return nil })
		w.must(err)
	}
	key := w.only("p")
	before := w.rdb.HGetAll(w.Context(), key).Val()
	moveTo("https://example.com/lost")
	if got := w.claim(w.run("e1", "a"), webhook.ClaimGo).Endpoint.URL; got != "https://example.com/lost" {
		t.Fatalf("claimed %s", got)
	}
	w.must(w.rdb.HSet(w.Context(), key, before).Err()) // as it was before the last write
	w.clock.pass(time.Second)
	moveTo("https://example.com/new")
	if got := w.claim(w.run("e2", "a"), webhook.ClaimGo).Endpoint.URL; got != "https://example.com/new" {
		t.Fatalf("claimed %s after the new address was stored", got)
	}
}

// A deletion, and a revocation, whose answer was lost on the way are no "not found".
func TestEndingTwiceByTheClient(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	w.must(w.CreateKey(w.Context(), keyOf("key_a")))
	w.rdb.AddHook(staged{
		command: func(next redis.ProcessHook) redis.ProcessHook {
			return func(ctx context.Context, cmd redis.Cmder) error {
				_ = next(ctx, cmd)
				return next(ctx, cmd)
			}
		},
		pipeline: func(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
			return func(ctx context.Context, cmds []redis.Cmder) error {
				_ = next(ctx, cmds)
				return next(ctx, cmds)
			}
		},
	})
	w.must(w.DeleteEndpoint(w.Context(), ref))
	w.must(w.DeleteKey(w.Context(), "key_a"))
	if err := w.DeleteEndpoint(w.Context(), ref); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("deleted before: %v", err)
	}
	if err := w.DeleteKey(w.Context(), "key_a"); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("revoked before: %v", err)
	}
}

// resending is a client whose scripts' first answer is lost: it sends them twice.
func resending(once *bool) staged {
	return staged{pipeline: func(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
		return func(ctx context.Context, cmds []redis.Cmder) error {
			if cmds[0].Name() == "evalsha" && *once {
				*once = false
				if err := next(ctx, cmds); err != nil {
					return err
				}
			}
			return next(ctx, cmds)
		}
	}}
}

func TestAChangeThatIsSentTwiceIsMade(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.warm()
	ref := w.endpoint("a")
	again, calls := true, 0
	w.client.AddHook(resending(&again))
	e, _, err := w.UpdateEndpoint(t.Context(), ref, func(e *webhook.Endpoint) error {
		calls++
		e.Description = "changed"
		return nil
	})
	w.must(err)
	stored, err := w.Endpoint(t.Context(), ref)
	w.must(err)
	if again || calls != 2 || e.Description != "changed" || stored.Description != "changed" {
		t.Fatalf("%d calls, answers %q, stored %q", calls, e.Description, stored.Description)
	}
}

func TestAChangeThatIsAlwaysTooLateGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	calls := 0
	_, _, err := w.UpdateEndpoint(t.Context(), ref, func(e *webhook.Endpoint) error {
		calls++
		e.Description = "too late"
		_, _, err := w.UpdateEndpoint(t.Context(), ref, disabling)
		return err
	})
	if !errors.Is(err, webhook.ErrUnavailable) || calls < 2 {
		t.Fatalf("after %d calls: %v", calls, err)
	}
	stored, err := w.Endpoint(t.Context(), ref)
	w.must(err)
	if stored.Description != "" || stored.DisabledReason != webhook.DisabledManually {
		t.Fatalf("stored %+v", stored)
	}
}

func TestAChangeEndsWithItsCaller(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := w.UpdateEndpoint(ctx, ref, func(*webhook.Endpoint) error { cancel(); return nil })
	if !errors.Is(err, webhook.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
}

// A deletion that was cut off before its end is finished by its repetition.
func TestADeletionIsFinishedByItsRepetition(t *testing.T) {
	w := newWorld(t, redisstore.Config{EndpointsPerBrand: 2})
	mended := false
	w.client.AddHook(cutOff("srem", &mended))
	ref := w.endpoint("a")
	w.endpoint("b")
	if err := w.DeleteEndpoint(t.Context(), ref); !errors.Is(err, webhook.ErrUnavailable) {
		t.Fatalf("cut off: %v", err)
	}
	if _, err := w.Endpoint(t.Context(), ref); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("the endpoint: %v", err)
	}
	w.wantListed(2)
	mended = true
	if err := w.DeleteEndpoint(t.Context(), ref); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("again: %v", err)
	}
	w.wantListed(1)
}

// What a deletion left in the brand's list takes nobody's place.
func TestDeletionsCutOffDoNotFillTheLimit(t *testing.T) {
	w := newWorld(t, redisstore.Config{EndpointsPerBrand: 2})
	mended := false
	w.client.AddHook(cutOff("srem", &mended))
	for _, id := range []string{"a", "b"} {
		if err := w.DeleteEndpoint(t.Context(), w.endpoint(id)); !errors.Is(err, webhook.ErrUnavailable) {
			t.Fatalf("cut off: %v", err)
		}
	}
	mended = true
	w.wantListed(2)
	w.endpoint("c")
	w.endpoint("d")
	w.wantListed(2)
	if _, _, err := w.CreateEndpoint(t.Context(), endpointOf("e")); !errors.Is(err, webhook.ErrLimit) {
		t.Fatalf("beyond the limit: %v", err)
	}
}

// An endpoint that is made while a deletion of its id, which finds none, is on
// its way stays in its brand's list.
func TestADeletionOfNothingUnlistsNoEndpoint(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	made := false
	w.client.AddHook(staged{command: func(next redis.ProcessHook) redis.ProcessHook {
		return func(ctx context.Context, cmd redis.Cmder) error {
			if cmd.Name() == "srem" && !made {
				made = true
				w.endpoint("a")
			}
			return next(ctx, cmd)
		}
	}})
	if err := w.DeleteEndpoint(t.Context(), w.ref("a")); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("error %v", err)
	}
	w.wantListed(1)
}

// wantListed wants so many ids in the list of the test's brand, whatever stands behind them.
func (w *world) wantListed(want int64) {
	w.Helper()
	if n := w.rdb.SCard(w.Context(), w.only("b")).Val(); n != want {
		w.Fatalf("%d ids in the brand's list, want %d", n, want)
	}
}

// A gone endpoint whose slot is held by a delivery without a record frees it.
func TestADeletedEndpointsEndedRecordIsCancelled(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	run := w.run("e1", "a")
	w.must(w.DeleteEndpoint(t.Context(), ref))
	w.must(w.rdb.Del(t.Context(), w.only("d")).Err())
	w.clock.pass(time.Minute)
	b, err := w.Inspect(t.Context(), ref)
	w.must(err)
	if len(b.Doomed) != 1 || b.Doomed[0] != (webhook.Doomed{Ref: run.DeliveryRef, State: webhook.StateCancelled}) {
		t.Fatalf("backlog %+v, want e1 to be cancelled", b)
	}
	w.doomed(ref)
	w.wantState("e1", "a", webhook.StateCancelled)
}
