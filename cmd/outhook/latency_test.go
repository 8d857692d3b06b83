package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

// BenchmarkPublishToReceipt publishes at a steady rate through an API process;
// a worker process delivers to a receiver in this one. From before the request
// to the arrival, AOF everysec, a body of 350 bytes:
//
//	go test -run '^$' -bench PublishToReceipt -benchtime 3000x ./cmd/outhook
//
// Two shared cores, Redis 7.0.15, everything on loopback, other work on the machine
// (load 3 to 4); the best and the median of four runs:
//
//	rate=100    to the answer  p50 2.0 and 2.3 ms    to the receipt  p50 2.7 and 3.1 ms    ping p50 0.22 and 0.31 ms
//	rate=1000   saturates the two cores, which receiver and publisher share with outhook and Redis
func BenchmarkPublishToReceipt(b *testing.B) {
	for _, rate := range []int{100, 1000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) { benchmarkLatency(b, rate) })
	}
}

func benchmarkLatency(b *testing.B, rate int) {
	server := redistest.Start(b, "--appendonly", "yes", "--appendfsync", "everysec")
	api := startServe(b, server.Addr(), "--role=api")
	startServe(b, server.Addr(), "--role=worker").awaitLog(b, "queues open")
	arrivals := &arrivals{sent: map[string]time.Time{}, all: make(chan struct{})}
	receiver := httptest.NewServer(arrivals)
	b.Cleanup(receiver.Close)
	client := api.client(b)
	_, _, err := client.CreateEndpoint(b.Context(), "acme", httpapi.EndpointRequest{ID: "ep", URL: receiver.URL, Purpose: webhook.PurposeStatus})
	if err != nil {
		b.Fatal(err)
	}
	warm := 50 // connections, caches
	arrivals.want = warm + b.N
	payload := fmt.Appendf(nil, `{"filler":%q}`, strings.Repeat("x", 350-len(`{"filler":""}`)))
	var publishing sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range warm + b.N {
		if i == warm {
			b.ResetTimer()
		}
		<-tick.C
		publishing.Go(func() {
			id := fmt.Sprintf("e%d", i)
			began := arrivals.send(id)
			if _, err := client.Publish(b.Context(), "acme", httpapi.PublishRequest{ID: id, Type: "message.delivered", Payload: payload}); err != nil {
				b.Errorf("publish %s: %v", id, err)
			}
			arrivals.answered(time.Since(began))
		})
	}
	publishing.Wait()
	<-arrivals.all
	b.StopTimer()
	arrivals.report(b, warm)
	reportPing(b, server.Client(b))
}

// reportPing tells what a round trip to an idle Redis costs here and now, to read the others by.
func reportPing(b *testing.B, rdb redis.UniversalClient) {
	took := make([]time.Duration, 200)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range took {
		<-tick.C
		began := time.Now()
		if err := rdb.Ping(b.Context()).Err(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ping-p50-ms")
}

// arrivals measures from send to the arrival.
type arrivals struct {
	mu   sync.Mutex
	sent map[string]time.Time
	took []time.Duration
	// answers are how long publishing took until its answer.
	answers []time.Duration
	want    int
	all     chan struct{}
}

func (a *arrivals) send(id string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent[id] = time.Now()
	return a.sent[id]
}

func (a *arrivals) answered(took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers = append(a.answers, took)
}

func (a *arrivals) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	at := time.Now()
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took = append(a.took, at.Sub(a.sent[r.Header.Get(signer.HeaderID)]))
	if len(a.took) == a.want {
		close(a.all)
	}
}

func (a *arrivals) report(b *testing.B, warm int) {
	for prefix, all := range map[string][]time.Duration{"": a.took, "answer-": a.answers} {
		reportQuantiles(b, prefix, slices.Clone(all[warm:]))
	}
}

func reportQuantiles(b *testing.B, prefix string, took []time.Duration) {
	slices.Sort(took)
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50-ms", 0.5}, {"p95-ms", 0.95}, {"p99-ms", 0.99}, {"max-ms", 1}} {
		b.ReportMetric(float64(took[int(q.share*float64(len(took)-1))].Microseconds())/1000, prefix+q.name)
	}
}
