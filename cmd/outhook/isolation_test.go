package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

// The benchmarks of isolation ask what one endpoint costs another. Each iteration is a second of traffic, with the default
// configuration, AOF everysec; this process publishes and receives, another one delivers:
//
//	go test -run '^$' -bench Isolation -benchtime 60x ./cmd/outhook
//
// What they print is in isolation.txt.

// BenchmarkIsolationOneHangs has one of ten endpoints hang for ever with a tenth of the traffic.
func BenchmarkIsolationOneHangs(b *testing.B) {
	n := newNeighbours(b, 10, 200)
	n.measure(b, "without-", b.N, 0)
	n.behave(1, func(http.ResponseWriter, *http.Request) { <-n.ended })
	n.measure(b, "", b.N, 1)
}

// BenchmarkIsolationTwentyTurnBad has a fifth of a hundred endpoints turn bad at once.
func BenchmarkIsolationTwentyTurnBad(b *testing.B) {
	n := newNeighbours(b, 100, 500)
	n.measure(b, "without-", b.N, 0)
	n.behave(5, func(http.ResponseWriter, *http.Request) { <-n.ended })
	n.behave(5, n.slow)
	n.behave(5, n.drip)
	n.behave(5, n.failHalf)
	n.measure(b, "", b.N, 20)
}

// BenchmarkIsolationFlood has one brand publish a great many events at once while another sends 20 a second.
func BenchmarkIsolationFlood(b *testing.B) {
	n := newNeighbours(b, 2, 40)
	n.measure(b, "without-", b.N, 1)
	flood := max(1000, 50_000/60*b.N)
	began := time.Now()
	publishing := make(chan struct{})
	go func() {
		defer close(publishing)
		n.flood(b, "b0", flood)
	}()
	drained := make(chan time.Duration, 1)
	go func() {
		<-publishing
		for n.count("b0") < flood && time.Since(began) < 10*time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		drained <- time.Since(began)
	}()
	n.measure(b, "", b.N, 1)
	b.ReportMetric(float64(flood), "flood")
	b.ReportMetric(float64(flood)/(<-drained).Seconds(), "flood/s")
}

// BenchmarkIsolationHerd has an endpoint that may have 50 a second come back with a backlog.
func BenchmarkIsolationHerd(b *testing.B) {
	n := newNeighbours(b, 10, 100)
	n.measure(b, "without-", b.N, 0)
	herd := newHerd(b, n)
	waiting, down := 170*b.N, 5*b.N
	herd.refuse(true)
	n.flood(b, "herd", waiting)
	time.Sleep(time.Duration(down) * time.Second)
	herd.refuse(false)
	back := time.Now()
	n.measure(b, "", b.N, 0)
	for n.count("herd") < waiting && time.Since(back) < 15*time.Minute {
		time.Sleep(100 * time.Millisecond)
	}
	herd.report(b, waiting, back)
}

// neighbours are endpoints of different brands, b0, b1, …, whose traffic is even.
type neighbours struct {
	publisher *dispatcher.Dispatcher
	brands    []string
	rate      int
	ended     chan struct{}
	phase     atomic.Int64

	mu     sync.Mutex
	sent   map[string]time.Time
	took   []time.Duration // of the healthy ones, in this phase
	counts map[string]int  // by brand
	bad    map[string]http.HandlerFunc
	url    string
}

func newNeighbours(b *testing.B, endpoints, rate int) *neighbours {
	server := redistest.Start(b, "--appendonly", "yes", "--appendfsync", "everysec")
	startServe(b, server.Addr(), "--role=worker").awaitLog(b, "queues open")
	n := &neighbours{rate: rate, ended: make(chan struct{}), sent: map[string]time.Time{}, counts: map[string]int{}, bad: map[string]http.HandlerFunc{}}
	receiver := httptest.NewServer(n)
	b.Cleanup(func() {
		close(n.ended)
		receiver.CloseClientConnections()
		receiver.Close()
	})
	n.url = receiver.URL
	cfg := dispatchertest.Config()
	cfg.Redis = server.Client(b)
	keys, err := dispatcher.ParseKeyRing([]string{testSecretKey})
	if err != nil {
		b.Fatal(err)
	}
	cfg.Secrets = keys
	if n.publisher, err = dispatcher.New(cfg); err != nil {
		b.Fatal(err)
	}
	for i := range endpoints {
		n.add(b, fmt.Sprint("b", i), n.url)
		n.brands = append(n.brands, fmt.Sprint("b", i))
	}
	return n
}

func (n *neighbours) add(b *testing.B, brand, url string) {
	_, _, err := n.publisher.CreateEndpoint(b.Context(), webhook.Endpoint{Brand: brand, ID: "ep", URL: url + "/" + brand, Purpose: webhook.PurposeStatus})
	if err != nil {
		b.Fatal(err)
	}
}

// behave gives the next so many endpoints a behaviour.
func (n *neighbours) behave(count int, as http.HandlerFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range count {
		n.bad[n.brands[len(n.bad)]] = as
	}
}

// measure publishes for so many seconds, and reports how long the healthy ones, all but the first bad, waited.
func (n *neighbours) measure(b *testing.B, prefix string, seconds, bad int) {
	n.mu.Lock()
	n.took = nil
	clear(n.sent)
	n.mu.Unlock()
	phase := n.phase.Add(1)
	total, expected := n.rate*seconds, 0
	tick := time.NewTicker(time.Second / time.Duration(n.rate))
	defer tick.Stop()
	var publishing sync.WaitGroup
	for i := range total {
		<-tick.C
		brand := n.brands[i%len(n.brands)]
		if i%len(n.brands) >= bad {
			expected++
		}
		publishing.Go(func() { n.publish(b, brand, fmt.Sprintf("p%d-%d", phase, i)) })
	}
	publishing.Wait()
	deadline := time.Now().Add(30 * time.Second)
	for n.healthy() < expected && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	b.ReportMetric(float64(expected-len(n.took)), prefix+"missing")
	reportQuantiles(b, prefix, append([]time.Duration(nil), n.took...))
}

func (n *neighbours) publish(b *testing.B, brand, id string) {
	n.mu.Lock()
	n.sent[brand+id] = time.Now()
	n.mu.Unlock()
	if _, err := n.publisher.Publish(b.Context(), n.event(brand, id)); err != nil {
		b.Errorf("publish %s: %v", id, err)
	}
}

func (n *neighbours) event(brand, id string) webhook.Event {
	payload := fmt.Appendf(nil, `{"filler":%q}`, strings.Repeat("x", 350-len(`{"filler":""}`)))
	return webhook.Event{Brand: brand, ID: id, Type: "message.delivered", Payload: payload}
}

// flood publishes in batches, as fast as it goes.
func (n *neighbours) flood(b *testing.B, brand string, events int) {
	for done := 0; done < events; {
		batch := make([]webhook.Event, min(200, events-done))
		for i := range batch {
			batch[i] = n.event(brand, fmt.Sprint("f", done+i))
		}
		if _, err := n.publisher.PublishBatch(b.Context(), batch); err != nil {
			b.Logf("publish again: %v", err)
			continue
		}
		done += len(batch)
	}
}

func (n *neighbours) healthy() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.took)
}

func (n *neighbours) count(brand string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts[brand]
}

func (n *neighbours) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	_, _ = io.Copy(io.Discard, r.Body)
	brand, id := strings.TrimPrefix(r.URL.Path, "/"), r.Header.Get(signer.HeaderID)
	n.mu.Lock()
	n.counts[brand]++
	as := n.bad[brand]
	if sent, ok := n.sent[brand+id]; ok && as == nil && (brand != "b0" || len(n.brands) > 2) {
		n.took = append(n.took, at.Sub(sent))
		delete(n.sent, brand+id)
	}
	n.mu.Unlock()
	if as != nil {
		as(w, r)
	}
}

func (n *neighbours) slow(http.ResponseWriter, *http.Request) {
	select {
	case <-n.ended:
	case <-time.After(14 * time.Second):
	}
}

func (n *neighbours) drip(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusInternalServerError)
	for {
		if _, err := w.Write([]byte("x")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-n.ended:
			return
		case <-time.After(time.Second):
		}
	}
}

func (n *neighbours) failHalf(w http.ResponseWriter, r *http.Request) {
	if id := r.Header.Get(signer.HeaderID); id[len(id)-1]%2 == 0 {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// herd is an endpoint that can be down: it closes what connects.
type herd struct {
	down    atomic.Bool
	mu      sync.Mutex
	arrived []time.Time
}

func newHerd(b *testing.B, n *neighbours) *herd {
	h := &herd{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.down.Load() {
			panic(http.ErrAbortHandler)
		}
		h.mu.Lock()
		h.arrived = append(h.arrived, time.Now())
		h.mu.Unlock()
		n.ServeHTTP(w, r)
	}))
	b.Cleanup(server.Close)
	_, _, err := n.publisher.CreateEndpoint(b.Context(), webhook.Endpoint{
		Brand: "herd", ID: "ep", URL: server.URL + "/herd", Purpose: webhook.PurposeStatus, RateLimit: webhook.RateLimit{PerSecond: 50},
	})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

func (h *herd) refuse(down bool) { h.down.Store(down) }

// report says how many came in the fullest second, and when the first and the last did.
func (h *herd) report(b *testing.B, want int, back time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	most, from := 0, 0
	for i, at := range h.arrived {
		for at.Sub(h.arrived[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	b.ReportMetric(float64(want-len(h.arrived)), "herd-missing")
	b.ReportMetric(float64(most), "herd-most/s")
	if len(h.arrived) > 0 {
		b.ReportMetric(h.arrived[0].Sub(back).Seconds(), "herd-first-s")
		b.ReportMetric(h.arrived[len(h.arrived)-1].Sub(back).Seconds(), "herd-last-s")
	}
}
