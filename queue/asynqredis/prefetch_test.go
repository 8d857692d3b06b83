package asynqredis_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func TestTasksAreTakenInBatches(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			inner, seen := open(t), &recorder{}
			inner.AddHook(seen)
			fill(t, inner, 50)
			w := startWorker(t, inner, asynqredis.Config{Free: func() int { return 16 }})
			got := map[string]int{}
			for range 50 {
				got[<-w.handled]++
			}
			w.shutdown()
			if len(got) != 50 {
				t.Errorf("%d tasks handled: %v", len(got), got)
			}
			// 16, 16, 9, 5, 2, 1, 1, none; beforehand once because the script was not known
			if n := seen.count("evalsha", pendingKey) + seen.count("eval", pendingKey); n > 12 && !without("prefetch") {
				t.Errorf("%d pops", n)
			}
			if n := left(t, inner); n != 0 {
				t.Errorf("%d entries are left", n)
			}
		})
	}
}

func TestHowManyAreTaken(t *testing.T) {
	tests := []struct{ pending, free, want int }{
		{1, 64, 1}, {2, 64, 1}, {10, 64, 5}, {11, 64, 6}, // half of what is pending
		{20, 3, 3}, {20, 0, 1}, {20, -5, 1}, // no more than are free, but what Asynq asked for
		{200, 1000, 64}, // the bound
	}
	inner := embeddedClient(t)
	a := newAsker(t, inner, func() int { return 0 })
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.pending, " pending ", tt.free, " free"), func(t *testing.T) {
			inner.FlushAll(t.Context())
			fill(t, inner, tt.pending)
			a := asker{newClient(t, inner, func() int { return tt.free }), a.sha}
			a.take(t, "t0")
			if got := len(lookAt(t, inner).active); got != tt.want {
				t.Errorf("took %d, want %d", got, tt.want)
			}
		})
	}
}

// What is held goes back to where it was, before what came later, with all that Asynq had about it.
func TestWhatIsHeldGoesBack(t *testing.T) {
	ends := map[string]func(*asynqredis.Client){
		"not asked for": func(*asynqredis.Client) {},
		"stopped":       func(c *asynqredis.Client) { c.Stop() },
		"closed":        func(c *asynqredis.Client) { c.Close() },
	}
	for backend, open := range backends {
		for name, end := range ends {
			t.Run(backend+" "+name, func(t *testing.T) {
				t.Parallel()
				inner := open(t)
				a := newAsker(t, inner, many)
				fill(t, inner, 20)
				before := lookAt(t, inner)
				a.take(t, "t0")
				a.take(t, "t1")
				if now := lookAt(t, inner); len(now.active) != 10 || len(now.leases) != 10 {
					t.Fatalf("taken: %v", now)
				}
				enqueueAs(t, inner, "later")
				end(a.client)
				isBack := func() bool { return slices.Equal(lookAt(t, inner).active, []string{"t1", "t0"}) }
				if name == "closed" && !isBack() {
					t.Error("Close did not wait")
				}
				eventually(t, 10*time.Second, "the tasks are back", isBack)

				after := lookAt(t, inner)
				if want := append([]string{"later"}, before.pending[:18]...); !slices.Equal(after.pending, want) {
					t.Errorf("pending: %v, want %v", after.pending, want)
				}
				if len(after.leases) != 2 || after.leases["t0"] == 0 || after.leases["t1"] == 0 {
					t.Errorf("leases: %v", after.leases)
				}
				for _, id := range before.pending[:18] {
					if !maps.Equal(before.tasks[id], after.tasks[id]) {
						t.Errorf("%s was %v and is %v", id, before.tasks[id], after.tasks[id])
					}
				}
			})
		}
	}
}

// A task that somebody took care of meanwhile stays where it is.
func TestOnlyOurOwnGoesBack(t *testing.T) {
	lease, retry := leaseKey, "asynq:{"+queue+"}:retry"
	others := map[string]func(t *testing.T, inner *redis.Client){
		"lease written by another": func(t *testing.T, inner *redis.Client) {
			inner.ZAdd(t.Context(), lease, redis.Z{Score: float64(asynqLease() + 1), Member: "t2"})
		},
		"recovered": func(t *testing.T, inner *redis.Client) {
			inner.LRem(t.Context(), activeKey, 0, "t2")
			inner.ZRem(t.Context(), lease, "t2")
			inner.ZAdd(t.Context(), retry, redis.Z{Score: 1, Member: "t2"})
			inner.HSet(t.Context(), taskPrefix+"t2", "state", "retry")
		},
		"lease lost": func(t *testing.T, inner *redis.Client) { inner.ZRem(t.Context(), lease, "t2") },
		"removed": func(t *testing.T, inner *redis.Client) {
			inner.LRem(t.Context(), activeKey, 0, "t2")
			inner.ZRem(t.Context(), lease, "t2")
			inner.Del(t.Context(), taskPrefix+"t2")
		},
	}
	for name, interfere := range others {
		t.Run(name, func(t *testing.T) {
			inner := embeddedClient(t)
			a := newAsker(t, inner, many)
			fill(t, inner, 10)
			a.take(t, "t0") // t1 to t4 are held
			interfere(t, inner)
			before := lookAt(t, inner)
			a.client.Close()
			after := lookAt(t, inner)
			if want := []string{"t9", "t8", "t7", "t6", "t5", "t4", "t3", "t1"}; !slices.Equal(after.pending, want) {
				t.Errorf("pending: %v", after.pending)
			}
			if slices.Contains(before.active, "t2") != slices.Contains(after.active, "t2") ||
				before.leases["t2"] != after.leases["t2"] || !maps.Equal(before.tasks["t2"], after.tasks["t2"]) {
				t.Errorf("before %v, after %v", before, after)
			}
		})
	}
}

// Handlers that are slow must not keep what another worker could begin.
func TestSlowHandlersLeaveTheRestToOthers(t *testing.T) {
	if without("prefetch") {
		t.Skip("about the prefetch")
	}
	inner := redistest.Start(t).Client(t)
	fill(t, inner, 40)
	slow := startWorkerOf(t, make(chan string), inner, asynqredis.Config{Free: many}) // its handlers wait for a receiver
	eventually(t, 10*time.Second, "tasks are held", func() bool { return len(lookAt(t, inner).active) > 4 })
	quick := startWorker(t, inner, asynqredis.Config{})
	got := map[string]bool{}
	for range 36 {
		select {
		case one := <-quick.handled:
			got[one] = true
		case <-time.After(30 * time.Second):
			t.Fatalf("%d handled: %v; %v", len(got), got, lookAt(t, inner))
		}
	}
	for range 4 {
		got[<-slow.handled] = true
	}
	if len(got) != 40 {
		t.Errorf("%d tasks handled: %v", len(got), got)
	}
}

// A pause holds what is not begun, within the second for which tasks may be held.
func TestPauseWhileTasksAreHeld(t *testing.T) {
	if without("prefetch") {
		t.Skip("about the prefetch")
	}
	inner := redistest.Start(t).Client(t)
	fill(t, inner, 40)
	inspector := asynq.NewInspectorFromRedisClient(inner)
	slow := startWorkerOf(t, make(chan string), inner, asynqredis.Config{Free: many})
	eventually(t, 10*time.Second, "tasks are held", func() bool { return len(lookAt(t, inner).active) > 4 })
	if err := inspector.PauseQueue(queue); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the tasks are back", func() bool { return len(lookAt(t, inner).active) == 4 })
	held := lookAt(t, inner).pending
	for range 4 {
		<-slow.handled
	}
	eventually(t, 10*time.Second, "the handlers have ended", func() bool { return len(lookAt(t, inner).active) == 0 })
	if now := lookAt(t, inner); !slices.Equal(now.pending, held) || len(held) != 36 {
		t.Errorf("pending: %v", now.pending)
	}
	if err := inspector.UnpauseQueue(queue); err != nil {
		t.Fatal(err)
	}
	for i := range 36 {
		select {
		case <-slow.handled:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d handled after the pause", i)
		}
	}
}

func TestRedisRestartedWhileTasksAreHeld(t *testing.T) {
	redistest.OneServer(t, "it is killed and started again")
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	inner, seen := server.Client(t), &recorder{}
	inner.AddHook(seen)
	a := newAsker(t, inner, many)
	fill(t, inner, 20)
	before := lookAt(t, inner)
	a.take(t, "t0")
	server.Kill()
	tried := seen.count("evalsha", pendingKey)
	eventually(t, 30*time.Second, "a second try to give back", func() bool { return seen.count("evalsha", pendingKey) > tried+1 })
	server.Restart(t)
	fresh := server.Client(t)
	eventually(t, 30*time.Second, "the tasks are back", func() bool { return fresh.LLen(t.Context(), pendingKey).Val() == 19 })
	if now := lookAt(t, fresh); !slices.Equal(now.pending, before.pending[:19]) || !slices.Equal(now.active, []string{"t0"}) {
		t.Errorf("after the restart: %v", now)
	}
}

// asker asks for tasks one by one, as Asynq would.
type asker struct {
	client *asynqredis.Client
	sha    string
}

func many() int { return 64 }

func newAsker(t *testing.T, inner redis.UniversalClient, free func() int) asker {
	t.Helper()
	if without("prefetch") {
		t.Skip("about the prefetch")
	}
	return asker{newClient(t, inner, free), dequeueSHA(t)}
}

// newClient does not wait for tasks.
func newClient(t *testing.T, inner redis.UniversalClient, free func() int) *asynqredis.Client {
	c := asynqredis.New(inner, asynqredis.Config{Logger: quiet(), Free: free, NoIdleWait: true})
	t.Cleanup(func() { c.Close() })
	return c
}

func (a asker) ask(t *testing.T) (payload string, err error) {
	t.Helper()
	message, err := a.client.EvalSha(t.Context(), a.sha, dequeueKeys, asynqLease(), taskPrefix).Text()
	if err != nil {
		return "", err
	}
	return payloadOf(t, message), nil
}

func (a asker) take(t *testing.T, want string) {
	t.Helper()
	if got, err := a.ask(t); err != nil || got != want {
		t.Fatalf("took %q, %v, want %q", got, err, want)
	}
}

// fill enqueues t0 to tn-1, whose payloads are their ids.
func fill(t testing.TB, c redis.UniversalClient, n int) {
	t.Helper()
	for i := range n {
		enqueueAs(t, c, "t"+strconv.Itoa(i))
	}
}

func enqueueAs(t testing.TB, c redis.UniversalClient, id string) {
	t.Helper()
	if _, err := asynq.NewClientFromRedisClient(c).Enqueue(asynq.NewTask("t", []byte(id)), asynq.Queue(queue), asynq.TaskID(id)); err != nil {
		t.Fatal(err)
	}
}
