package redisstore_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// Cut off, it goes on where it was.
func TestReencryptIsInterruptedAndGoesOn(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	old := open(t, redisstore.Config{Redis: w.client, Keys: parseRing(t, k1), EndpointsPerBrand: 1000})
	for i := range 250 {
		create(t, old, guarded("e"+strconv.Itoa(i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	did, err := w.ringOf(k2, k1).Reencrypt(ctx, func(done, _ int) {
		if done == 100 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, webhook.ErrUnavailable) || did.Moved != 100 || did.Endpoints() != 100 {
		t.Fatalf("%+v, %v", did, err)
	}
	wantRefused(t, w.ringOf(k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1", Missing: true})
	if did := reencrypt(t, w.ringOf(k2, k1)); did.Moved != 150 || did.AlreadyNewest != 100 {
		t.Fatalf("gone on: %+v", did)
	}
	w.must(w.ringOf(k2).CheckKeys(t.Context()))
}

// beforeReseal calls do once, between the reading of endpoints and the writing of what is sealed anew.
func (w *world) beforeReseal(do func()) {
	once := true
	w.client.AddHook(staged{pipeline: func(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
		return func(ctx context.Context, cmds []redis.Cmder) error {
			if once && cmds[0].Name() == "evalsha" {
				once = false
				do()
			}
			return next(ctx, cmds)
		}
	}})
}

// What is changed between reading and writing stands.
func TestReencryptLosesNoChange(t *testing.T) {
	added := webhook.EndpointSecret{HMAC: signer.NewSecret()}
	for name, tt := range map[string]struct {
		change func(w *world, s *redisstore.Store)
		check  func(e webhook.Endpoint, err error) bool
	}{
		"rotated": {func(w *world, s *redisstore.Store) {
			_, _, err := s.UpdateEndpoint(w.Context(), w.ref("a"), func(e *webhook.Endpoint) error {
				e.Secrets = append([]webhook.EndpointSecret{added}, e.Secrets...)
				return nil
			})
			w.must(err)
		}, func(e webhook.Endpoint, err error) bool {
			return err == nil && len(e.Secrets) == 4 && e.Secrets[0].SameKey(added)
		}},
		"deleted": {func(w *world, s *redisstore.Store) {
			w.must(s.DeleteEndpoint(w.Context(), w.ref("a")))
		}, func(_ webhook.Endpoint, err error) bool { return errors.Is(err, webhook.ErrNotFound) }},
		"disabled": {func(w *world, s *redisstore.Store) {
			_, _, err := s.UpdateEndpoint(w.Context(), w.ref("a"), disabling)
			w.must(err)
		}, func(e webhook.Endpoint, err error) bool {
			return err == nil && e.DisabledReason == webhook.DisabledManually
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			k1, k2 := newEntry("k1"), newEntry("k2")
			create(t, w.ringOf(k1), guarded("a"))
			beside := open(t, redisstore.Config{Redis: w.server.Client(t), Keys: parseRing(t, k1, k2)}) // still seals with the old key
			w.beforeReseal(func() { tt.change(w, beside) })
			did := reencrypt(t, w.ringOf(k2, k1))
			if len(did.Failed) != 0 {
				t.Errorf("%+v", did)
			}
			if e, err := w.ringOf(k2).Endpoint(t.Context(), w.ref("a")); !tt.check(e, err) {
				t.Errorf("after it: %+v, %v", e, err)
			}
		})
	}
}

// Endpoints are rotated, changed and made by processes with either order of the
// keys while it runs, again and again: no change is lost.
func TestReencryptUnderTraffic(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	const writers, changes = 4, 60
	for i := range writers {
		create(t, w.ringOf(k1), guarded("e"+strconv.Itoa(i)), guarded("still"+strconv.Itoa(i)))
	}
	var wg sync.WaitGroup
	last := make([]webhook.EndpointSecret, writers)
	for i := range writers {
		store := w.ringOf([][]string{{k1, k2}, {k2, k1}}[i%2]...)
		wg.Go(func() {
			for range changes {
				last[i] = webhook.EndpointSecret{HMAC: signer.NewSecret()}
				_, _, err := store.UpdateEndpoint(w.Context(), w.ref("e"+strconv.Itoa(i)), func(e *webhook.Endpoint) error {
					n, _ := strconv.Atoi(e.Description)
					e.Description, e.Secrets = strconv.Itoa(n+1), []webhook.EndpointSecret{last[i], e.Secrets[0]}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	stop := make(chan struct{})
	ended := make(chan struct{})
	runs := 0
	go func() {
		defer close(ended)
		for ; ; runs++ {
			for _, ring := range [][]string{{k2, k1}, {k1, k2}} { // there and back, so that there is always something to do
				if did, err := w.ringOf(ring...).Reencrypt(w.Context(), nil); err != nil || len(did.Failed) > 0 {
					t.Errorf("%+v, %v", did, err)
				}
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	wg.Wait()
	close(stop)
	<-ended
	reencrypt(t, w.ringOf(k2, k1))
	w.Store = w.ringOf(k2)
	w.must(w.CheckKeys(t.Context()))
	for i := range writers {
		e, err := w.Endpoint(t.Context(), w.ref("e"+strconv.Itoa(i)))
		if err != nil || e.Description != strconv.Itoa(changes) || !e.Secrets[0].SameKey(last[i]) {
			t.Errorf("endpoint %d: %s changes of %d, %v", i, e.Description, changes, err)
		}
	}
	t.Logf("%d runs there and back", runs+1)
}

// What a process sealed with an old key just before that is let go is found, too.
func TestReencryptFindsWhatWasMadeMeanwhile(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	beside := open(t, redisstore.Config{Redis: w.server.Client(t), Keys: parseRing(t, k1, k2)})
	create(t, beside, guarded("a"))
	made := false
	w.client.AddHook(staged{command: func(next redis.ProcessHook) redis.ProcessHook {
		return func(ctx context.Context, cmd redis.Cmder) error {
			if cmd.Name() == "hdel" && !made {
				made = true
				create(t, beside, guarded("late"))
			}
			return next(ctx, cmd)
		}
	}})
	if did := reencrypt(t, w.ringOf(k2, k1)); !made || did.Moved != 2 {
		t.Errorf("%+v", did)
	}
	w.Store = w.ringOf(k2)
	_, err := w.Endpoint(t.Context(), w.ref("late"))
	w.must(err)
	w.must(w.CheckKeys(t.Context()))
}

// The client sends scripts again when their answer is lost.
func TestReencryptThatIsSentTwice(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	create(t, w.ringOf(k1), guarded("a"), guarded("b"))
	w.must(w.rdb.Del(t.Context(), w.only("canaries")).Err()) // or the first script would be another
	create(t, w.ringOf(k1), guarded("c"))
	if did := reencrypt(t, w.ringOf(k2, k1)); did.Moved != 3 { // the script is known from here on
		t.Fatalf("%+v", did)
	}
	again := true
	w.client.AddHook(resending(&again))
	if did := reencrypt(t, w.ringOf(k1, k2)); again || did.Endpoints() != 3 || len(did.Failed) != 0 {
		t.Errorf("%+v", did)
	}
	w.must(w.ringOf(k1).CheckKeys(t.Context()))
}

// A process that goes on sealing with an old key after that was let go says so: it
// is needed again.
func TestAKeyThatIsUsedAgainIsNeeded(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	late := w.ringOf(k1, k2)
	create(t, late, guarded("a"))
	reencrypt(t, w.ringOf(k2, k1))
	w.must(w.ringOf(k2).CheckKeys(t.Context()))
	create(t, late, guarded("b"))
	wantRefused(t, w.ringOf(k2).CheckKeys(t.Context()), webhook.KeyError{KeyID: "k1", Missing: true})
	if did := reencrypt(t, w.ringOf(k2, k1)); did.Moved != 1 || did.AlreadyNewest != 1 {
		t.Errorf("%+v", did)
	}
	w.must(w.ringOf(k2).CheckKeys(t.Context()))
}

// The keys of a running system are changed, one process after the other, as the manual says: nobody is ever refused.
func TestKeysAreRotated(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	k1, k2 := newEntry("k1"), newEntry("k2")
	steps := [][]string{{k1}, {k1, k2}, {k2, k1}, {k2}}
	made := 0
	use := func(stores ...*redisstore.Store) {
		t.Helper()
		made++
		create(t, stores[made%2], guarded("e"+strconv.Itoa(made)))
		for _, s := range stores {
			w.must(s.CheckKeys(t.Context())) // a restart of either, at any time
			if all, err := s.Endpoints(t.Context(), brand); err != nil || len(all) != made {
				t.Fatalf("%d of %d endpoints, %v", len(all), made, err)
			}
		}
	}
	two := w.ringOf(steps[0]...)
	for i, ring := range steps {
		if i == 3 {
			if did := reencrypt(t, w.ringOf(k2, k1)); did.Moved == 0 {
				t.Fatalf("nothing moved: %+v", did)
			}
		}
		one := w.ringOf(ring...)
		use(one, two)
		two = w.ringOf(ring...)
		use(one, two)
	}
	if kept := w.rdb.HKeys(t.Context(), w.only("canaries")).Val(); len(kept) != 2 {
		t.Errorf("canaries of %v, want that of k2", kept)
	}
}
