package egress_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// hostile is a kind of receiver that means harm.
type hostile struct {
	name   string
	secure bool
	handle func(net.Conn)
	// How every attempt ends; several reasons where a race of the network decides.
	reasons []webhook.Reason
	status  int
	// timeout of the attempt. 0 is so long that it is not met, for those that end by themselves.
	timeout time.Duration
	body    []byte
	// heavy: it keeps the machine busy enough for others to miss their deadlines.
	heavy bool
	// hangsUp: the client is to close its connections by itself, soon after the attempt.
	hangsUp bool
}

const (
	// tolerance is by how much an attempt may miss its deadline on a busy machine.
	tolerance = 5 * time.Second
	// What may be read of one receiver, as doc.go promises: for each connection what
	// comes before a request, for each of two posts 64 KiB of header, 64 KiB of body
	// and 64 KiB for what carries them.
	perConnection, perPost = 64 << 10, 3 * 64 << 10
)

// wait is for how long receivers are waited for, and what ends their waiting.
type wait struct {
	// soon is the deadline of attempts that meet it, later of those that wait for
	// it once their answer has come.
	soon, later time.Duration
	// over tells receivers that do not listen that they may stop.
	over <-chan struct{}
}

// kinds are all there are.
func kinds(a authority, w wait) []hostile {
	return slices.Concat(slowKinds(w), plainKinds(w), lengthKinds(), tlsKinds(a, w), http2Kinds(a, w), http2FloodKinds(a))
}

// Many kinds at once, some of each, next to deliveries that notice nothing.
func TestHostileReceivers(t *testing.T) {
	w := wait{soon: 1500 * time.Millisecond, later: 4 * time.Second}
	a := newAuthority(t)
	patient := func(kind hostile) bool { return kind.timeout != 0 }
	t.Run("that are waited for", func(t *testing.T) {
		t.Parallel()
		few(t, a, w, patient)
	})
	t.Run("that end by themselves", func(t *testing.T) {
		t.Parallel()
		for _, secure := range []bool{false, true} {
			few(t, a, w, func(kind hostile) bool { return !patient(kind) && kind.secure == secure })
		}
	})
}

// few runs those kinds that it is told to, five receivers of each.
func few(t *testing.T, a authority, w wait, wanted func(hostile) bool) {
	run := newRun(t, a)
	w.over = run.stop
	all := kinds(a, w)
	run.begin(t)
	for _, kind := range all {
		if wanted(kind) && !kind.heavy {
			run.start(t, kind, 5)
		}
	}
	for _, result := range run.finish(t) {
		result.check(t)
	}
}

// The same, kind by kind, 50 of each: the table in hostile.txt.
func TestHostileReceiversOneKindAtATime(t *testing.T) {
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		t.Skip("takes long: set OUTHOOK_TEST_LONG=1")
	}
	if raceEnabled {
		t.Skip("the race detector takes what is measured: memory and time")
	}
	// What is garbage is no growth: collect it early.
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	w := wait{soon: 2 * time.Second, later: 4 * time.Second}
	a := newAuthority(t)
	table := []string{fmt.Sprintf("%-40s %-15s %8s %6s %9s %9s %8s", "50 at once of", "ends as", "longest", "conns", "KiB read", "MiB heap", "healthy")}
	for i, kind := range kinds(a, w) {
		t.Run(kind.name, func(t *testing.T) {
			run := newRun(t, a)
			w.over = run.stop
			kind := kinds(a, w)[i]
			run.begin(t)
			run.start(t, kind, 50)
			result := run.finish(t)[0]
			result.check(t)
			table = append(table, fmt.Sprintf("%-40s %-15s %7.2fs %6d %9.1f %9.1f %6dms", kind.name, result.ends(), result.longest.Seconds(),
				result.conns, float64(result.read)/1024, float64(run.heap)/(1<<20), run.slowest.Milliseconds()))
			if growth := run.heap / 50; growth > 2<<20 {
				t.Errorf("the heap grew by %d bytes for each attempt, receivers included", growth)
			}
		})
	}
	t.Log("\n" + strings.Join(table, "\n"))
}

// run is a client with healthy deliveries and kinds of hostile ones.
type run struct {
	client  *egress.Client
	count   *counted
	kinds   []*outcome
	urls    []string // of healthy receivers
	stop    chan struct{}
	healthy sync.WaitGroup

	sent    atomic.Int64
	mu      sync.Mutex
	slowest time.Duration
	heap    uint64
}

// outcome is what came of one kind.
type outcome struct {
	hostile
	servers   []*receiver
	responses chan webhook.Response
	attempts  int

	got         []webhook.Response
	longest     time.Duration
	read, conns int // the most of one receiver
}

func newRun(t *testing.T, a authority) *run {
	r := &run{stop: make(chan struct{}), count: newCounted()}
	r.client = newClient(t, a.trusting().WithWatch(r.count.watch))
	plain := listen(t, "127.0.0.1:0", answers(ok))
	h2 := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	h2.EnableHTTP2, h2.TLS = true, a.config("h2")
	h2.StartTLS()
	t.Cleanup(h2.Close)
	r.urls = []string{plain.url("127.0.0.1"), h2.URL}
	return r
}

// begin measures the heap and starts the healthy deliveries.
func (r *run) begin(t *testing.T) {
	runtime.GC()
	before := heapInUse()
	r.healthy.Go(func() { r.sample(before) })
	for _, url := range r.urls {
		for range 2 {
			r.healthy.Go(func() { r.deliver(t, url) })
		}
	}
}

// deliver sends to a healthy receiver until the run ends.
func (r *run) deliver(t *testing.T, url string) {
	for {
		got := r.client.Send(t.Context(), post(url))
		if got.Status != 200 || got.Reason != webhook.ReasonOK {
			t.Errorf("a healthy delivery: %+v", got)
		}
		r.sent.Add(1)
		r.mu.Lock()
		r.slowest = max(r.slowest, got.Duration)
		r.mu.Unlock()
		select {
		case <-r.stop:
			return
		case <-time.After(2 * time.Millisecond): // about a thousand a second in all
		}
	}
}

// sample finds the peak of the heap, receivers included: they live here too.
func (r *run) sample(before uint64) {
	for {
		now := heapInUse()
		r.mu.Lock()
		r.heap = max(r.heap, now-min(now, before))
		r.mu.Unlock()
		select {
		case <-r.stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// heapInUse is runtime.MemStats.HeapInuse, read without stopping the world.
func heapInUse() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64()
}

// start makes n receivers of a kind, and an attempt to each.
func (r *run) start(t *testing.T, kind hostile, n int) {
	o := &outcome{hostile: kind, responses: make(chan webhook.Response, n), attempts: n}
	if o.timeout == 0 {
		o.timeout = patience
	}
	r.kinds = append(r.kinds, o)
	for range n {
		server := listen(t, "127.0.0.1:0", kind.handle)
		o.servers = append(o.servers, server)
		request := post(server.url("127.0.0.1"))
		if kind.secure {
			request.URL = server.https("127.0.0.1")
		}
		request.Timeout = o.timeout
		if kind.body != nil {
			request.Body = kind.body
		}
		go func() { o.responses <- r.client.Send(t.Context(), request) }()
	}
}

// finish waits for all attempts, for what the client is to close, and for healthy deliveries.
func (r *run) finish(t *testing.T) []*outcome {
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	impatient := ctx.Done()
	for _, o := range r.kinds {
		for range o.attempts {
			select {
			case got := <-o.responses:
				o.got, o.longest = append(o.got, got), max(o.longest, got.Duration)
			case <-impatient:
				t.Fatalf("%s: an attempt does not end", o.name)
			}
		}
	}
	for _, o := range r.kinds {
		if o.hangsUp && !r.hungUp(o, impatient) {
			t.Errorf("%s: the client does not hang up", o.name)
		}
	}
	close(r.stop)
	r.healthy.Wait()
	if r.sent.Load() < 4 {
		t.Error("too few healthy deliveries to tell")
	}
	r.client.Close()
	for _, o := range r.kinds {
		if !r.hungUp(o, impatient) {
			t.Errorf("%s: a connection is left after Close", o.name)
		}
		for _, server := range o.servers {
			read, conns := r.count.of(server.Addr().String())
			o.read, o.conns = max(o.read, read), max(o.conns, conns)
		}
	}
	return r.kinds
}

// hungUp waits until the client has closed every connection to the receivers of a kind.
func (r *run) hungUp(o *outcome, impatient <-chan struct{}) bool {
	ended := make(chan struct{})
	go func() {
		for _, server := range o.servers {
			r.count.awaitClosed(server.Addr().String())
		}
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-impatient:
		return false
	}
}

func (o *outcome) check(t *testing.T) {
	t.Helper()
	for _, got := range o.got {
		if !slices.Contains(o.reasons, got.Reason) || got.Status != o.status {
			t.Errorf("%s: %+v, want %v and status %d", o.name, got, o.reasons, o.status)
			break
		}
		if len(got.Body) > 16<<10 {
			t.Errorf("%s: %d bytes of body", o.name, len(got.Body))
		}
	}
	if o.longest > min(o.timeout, patience)+tolerance {
		t.Errorf("%s: took %v, the deadline was after %v", o.name, o.longest, o.timeout)
	}
	if limit := o.conns*perConnection + 2*perPost; o.conns > 4 || o.read > limit {
		t.Errorf("%s: %d bytes were read on %d connections, want at most %d on 4", o.name, o.read, o.conns, limit)
	}
}

// ends names how a kind ended.
func (o *outcome) ends() string {
	var words []string
	for _, got := range o.got {
		word := string(got.Reason)
		if got.Status != 0 {
			word = fmt.Sprint(got.Status)
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}
