package dispatcher_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func long(t *testing.T) {
	t.Helper()
	if !isLong() {
		t.Skip("takes long: set OUTHOOK_TEST_LONG=1")
	}
}

func isLong() bool { return os.Getenv("OUTHOOK_TEST_LONG") != "" }

// either is the one when tests may take long, the other when not.
func either[T any](long, short T) T {
	if isLong() {
		return long
	}
	return short
}

// onServer runs a dispatcher on a real server, with the children's keys.
func onServer(t *testing.T, server *redistest.Server, change ...func(*dispatcher.Config)) *dispatchertest.Dispatcher {
	t.Helper()
	return dispatchertest.Start(t, append([]func(*dispatcher.Config){func(c *dispatcher.Config) {
		c.Redis, c.Secrets, c.Catalog.Validation = server.Client(t), sharedKeys(), catalog.ValidationOff
	}}, change...)...)
}

// idle has a dispatcher take no live delivery; it publishes and reconciles.
func idle(c *dispatcher.Config) { c.Serve = []string{"bulk-0"} }

// warm has Redis know every script of publishing and delivering, so that the
// first call of one is its first that does something.
func warm(t *testing.T, server *redistest.Server) {
	t.Helper()
	d := onServer(t, server)
	brands := 1
	if _, cluster := d.Redis.(*redis.ClusterClient); cluster {
		brands = 16 // each master has something of some of them
	}
	for i := range brands {
		brand := fmt.Sprint("warm", i)
		d.Receiver(t, brand, webhook.PurposeStatus).Answer(failsFirst) // so that Redis knows the script of a retry too
		if _, err := d.Publish(t.Context(), eventOf(brand, "warm")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range brands {
		d.WaitDelivered(t, fmt.Sprint("warm", i), "warm")
	}
	d.Stop()
}

// publisherPoints are those of a publish to three endpoints, each with another queue: on a single node, and in a cluster.
var publisherPoints = map[bool][]string{
	false: {"after publish 1", "before enqueue 1", "after enqueue 1", "after enqueue 2", "after enqueue 3"},
	true: {
		"after event 1", "after admit 1", "after admit 2", "after admit 3",
		"before enqueue 1", "after enqueue 1", "after enqueue 2", "after enqueue 3", "before finish 1", "after finish 1",
	},
}

// TestPublisherKilled kills a publisher at every point of a fan-out to three
// endpoints. Every event ends at all three or at none: the reconciler completes it, and in a
// cluster its caller too, who repeats it.
func TestPublisherKilled(t *testing.T) {
	t.Parallel()
	t.Run("started", func(t *testing.T) {
		t.Parallel()
		killPublishers(t, redistest.Start(t, "--appendonly", "yes"), either(20, 1))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		killPublishers(t, redistest.StartCluster(t).Server(), either(3, 1))
	})
}

func killPublishers(t *testing.T, server *redistest.Server, rounds int) {
	t.Helper()
	warm(t, server)
	d := onServer(t, server)
	b := newBooks()
	killed := func(brand, point string) {
		for _, id := range []string{"a", "b", "c"} { // one after the other, and so their queues
			b.endpoint(t, d, brand, nil, func(e *webhook.Endpoint) { e.ID = id })
		}
		awaitKilled(t, child(t, "publish", server.URL(), childBrand+"="+brand, childPoint+"="+point))
	}
	_, cluster := d.Redis.(*redis.ClusterClient)
	for i := range rounds {
		for j, point := range publisherPoints[cluster] {
			left, repeated := fmt.Sprintf("left-%d-%d", i, j), fmt.Sprintf("repeated-%d-%d", i, j)
			killed(left, point)
			killed(repeated, point)
			receipt, err := d.Publish(t.Context(), eventOf(repeated, "e1"))
			if err != nil || len(receipt.Endpoints) != 3 || !receipt.Duplicate {
				t.Fatalf("killed %s, published again: %+v, %v", point, receipt, err)
			}
			b.accept(eventOf(left, "e1").Ref()) // it is stored: all of it or nothing
			b.accept(eventOf(repeated, "e1").Ref())
		}
	}
	killed("nothing", "before "+map[bool]string{false: "publish", true: "event"}[cluster]+" 1")
	b.balance(t, d, dispatchertest.Patience)
	for _, a := range b.accounts {
		if a.brand == "nothing" && len(a.of("e1")) > 0 {
			t.Error("what was never written down was sent")
		}
	}
	t.Logf("re-driven: %v", d.Redriven())
}

func failsFirst(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(webhook.HeaderAttempt) == "1" {
		w.WriteHeader(http.StatusBadRequest)
	}
}

// road is what two deliveries of an endpoint go through.
type road struct {
	endpoint func(*webhook.Endpoint)
	answer   http.HandlerFunc
	attempts string // the budget
	env      []string
	points   []string
}

var roads = map[string]road{
	// The first releases the second.
	"line": {
		endpoint: func(e *webhook.Endpoint) { e.MaxInFlight = 1 },
		attempts: "1",
		points: []string{
			"after dequeue 1", "before claim 1", "after claim 1", "before record 1", "after record 1",
			"before enqueue 1", "after enqueue 1", "before done 1", "after done 1",
		},
	},
	// The second is parked by the rate limit, and woken.
	"rate": {
		endpoint: func(e *webhook.Endpoint) { e.RateLimit.PerSecond = 0.15 },
		attempts: "1",
		points:   []string{"after claim 2", "before schedule 1", "after schedule 1", "before wake 1", "after wake 1"},
	},
	// The second is parked, as its process has no room for it.
	"room": {
		answer:   func(http.ResponseWriter, *http.Request) { time.Sleep(300 * time.Millisecond) },
		endpoint: func(*webhook.Endpoint) {},
		attempts: "1",
		env:      []string{childPerHost + "=1"},
		points:   []string{"before park 1", "after park 1"},
	},
	// The first is to be retried.
	"retry": {
		answer:   failsFirst,
		endpoint: func(*webhook.Endpoint) {},
		attempts: "2",
		points:   []string{"before retry 1", "after retry 1", "after claim 3", "after record 3"},
	},
}

// TestWorkerKilled kills workers at every point of every road. Nothing is lost,
// and nothing but an attempt uses up the budget of attempts.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	for name, road := range roads {
		if !isLong() {
			if name == "rate" { // on a slow machine another process may see the gate first, and the point is not met
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				killWorkers(t, road, road.points)
			})
			continue
		}
		for _, point := range road.points {
			t.Run(name+" "+point, func(t *testing.T) {
				t.Parallel()
				killWorkers(t, road, slices.Repeat([]string{point}, 20))
			})
		}
	}
}

// killWorkers kills one worker at each point, one after the other, each with two
// new events of an endpoint and what the others left. Then one works to the end.
func killWorkers(t *testing.T, r road, points []string) {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "yes")
	warm(t, server)
	d := onServer(t, server, idle)
	b := newBooks()
	killed := map[string]time.Time{}
	for i, point := range points {
		brand := fmt.Sprint("b", i)
		b.endpoint(t, d, brand, r.answer, r.endpoint)
		for _, id := range []string{"e1", "e2"} {
			if err := b.publish(t.Context(), d, eventOf(brand, id)); err != nil {
				t.Fatal(err)
			}
		}
		env := append([]string{childAttempts + "=" + r.attempts, childPoint + "=" + point}, r.env...)
		awaitKilled(t, child(t, "work", server.URL(), env...))
		killed[brand] = time.Now()
	}
	if !isLong() {
		endLeases(t, redistest.Admin(t, d.Redis))
	}
	survivor := onServer(t, server, func(c *dispatcher.Config) { c.Retry.MaxAttempts, _ = strconv.Atoi(r.attempts) })
	duplicates := b.balance(t, survivor, dispatchertest.Patience)
	if duplicates > 2*len(points) {
		t.Errorf("%d duplicates of %d kills", duplicates, len(points))
	}
	t.Logf("each complete %s after its kill at the latest; re-driven: %v, %v", b.slowest(killed).Round(100*time.Millisecond),
		d.Redriven(), survivor.Redriven())
}

// slowest is the longest time from a brand's kill to a POST after it.
func (b *books) slowest(killed map[string]time.Time) (most time.Duration) {
	for _, a := range b.accounts {
		for ref := range b.accepted {
			if ref.Brand != a.brand {
				continue
			}
			for _, p := range a.of(ref.ID) {
				most = max(most, p.at.Sub(killed[a.brand]))
			}
		}
	}
	return most
}

// endLeases makes the workers of all active tasks gone for a minute.
func endLeases(t *testing.T, rdb redis.UniversalClient) { endLeasesOf(t, rdb, time.Minute) }

// endLeasesOf makes them gone for a while, and answers how many tasks they had. After half a minute Asynq itself looks after them.
func endLeasesOf(t *testing.T, rdb redis.UniversalClient, gone time.Duration) (n int) {
	t.Helper()
	over := float64(time.Now().Add(-gone).Unix())
	queues, err := rdb.SMembers(t.Context(), "asynq:queues").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, queue := range queues {
		key := "asynq:{" + queue + "}:lease"
		members, err := rdb.ZRange(t.Context(), key, 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		n += len(members)
		for _, id := range members {
			if err := rdb.ZAdd(t.Context(), key, redis.Z{Score: over, Member: id}).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

// TestStopWaitsForTheAttempt stops a worker in the middle of a POST.
func TestStopWaitsForTheAttempt(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	arrived, answer := make(chan struct{}), make(chan struct{})
	r.Answer(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-answer
	})
	if _, err := d.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	<-arrived
	stopped := make(chan struct{})
	go func() {
		d.Stop()
		close(stopped)
	}()
	if _, err := d.Publish(t.Context(), event("e2")); err != nil { // publishing goes on
		t.Fatal(err)
	}
	close(answer)
	<-stopped
	status, err := d.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: "e1"})
	if err != nil || status.Deliveries[0].State != webhook.StateDelivered || len(r.Received()) > 2 {
		t.Fatalf("after the stop: %+v, %v", status.Deliveries, err)
	}
}
