package dispatcher_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// BenchmarkRoad takes events of 350 bytes from PublishBatch to the record of the last attempt, all but Redis in this
// process, AOF everysec. Of the processor it tells what this process took, publishers and receiver included, and Redis:
//
//	go test -run '^$' -bench Road -benchtime 20000x ./dispatcher
func BenchmarkRoad(b *testing.B) {
	for _, c := range []struct{ brands, endpoints int }{{1, 1}, {10, 10}} {
		b.Run(fmt.Sprintf("brands=%d/endpoints=%d", c.brands, c.endpoints), func(b *testing.B) { benchmarkRoad(b, c.brands, c.endpoints) })
	}
}

// BenchmarkTracedRoad is the first of these with every publish traced, to spans that go nowhere; see telemetry/bench.txt.
func BenchmarkTracedRoad(b *testing.B) {
	provider := sdk.NewTracerProvider(sdk.WithBatcher(tracetest.NewNoopExporter()))
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	benchmarkRoad(b, 1, 1, func(c *dispatcher.Config) { c.Tracing.Provider = provider })
}

func benchmarkRoad(b *testing.B, brands, endpoints int, change ...func(*dispatcher.Config)) {
	server := redistest.Start(b, "--appendonly", "yes", "--appendfsync", "everysec")
	rdb := server.Client(b)
	var received atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		received.Add(1)
	}))
	b.Cleanup(receiver.Close)
	cfg := dispatchertest.Config()
	options := redistest.Options(server.Addr())
	options.PoolSize = 100
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Redis = redis.NewClient(options)
	for _, c := range change {
		c(&cfg)
	}
	d, err := dispatcher.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	running, stop := context.WithCancel(b.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = d.Run(running) })
	b.Cleanup(func() { stop(); work.Wait(); _ = cfg.Redis.Close() })
	for i := range brands * endpoints {
		e := webhook.Endpoint{Brand: brandNo(i % brands), ID: "ep" + strconv.Itoa(i/brands), URL: receiver.URL + "/" + strconv.Itoa(i), Purpose: webhook.PurposeStatus}
		if _, _, err := d.CreateEndpoint(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
	publishRoad(b, d, brands, 200*brands) // connections, caches, limits
	await(b, d, brands, &received, int64(200*brands*endpoints))
	before := measure(b, rdb)
	b.ResetTimer()
	received.Store(0)
	n := max(1, b.N/endpoints)
	publishRoad(b, d, brands, n)
	await(b, d, brands, &received, int64(n*endpoints))
	b.StopTimer()
	stats := rdb.InfoMap(b.Context(), "commandstats").Val()["Commandstats"]
	after := measure(b, rdb)
	deliveries := float64(n * endpoints)
	b.ReportMetric(deliveries/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric(float64((after.self-before.self).Microseconds())/deliveries, "self-µs/delivery")
	b.ReportMetric(float64((after.redis-before.redis).Microseconds())/deliveries, "redis-µs/delivery")
	b.ReportMetric(float64(after.mallocs-before.mallocs)/deliveries, "allocs/delivery")
	b.ReportMetric(0, "ns/op")
	if testing.Verbose() {
		b.Log("\n" + commandStats(stats, deliveries))
	}
}

func brandNo(i int) string { return "brand" + strconv.Itoa(i) }

// publishRoad publishes n events from four goroutines, a brand each batch.
func publishRoad(b *testing.B, d *dispatcher.Dispatcher, brands, n int) {
	payload := fmt.Appendf(nil, `{"filler":%q}`, bytes.Repeat([]byte("x"), 350-len(`{"filler":""}`)))
	batches := make(chan []webhook.Event)
	var publishing sync.WaitGroup
	for range 4 {
		publishing.Go(func() {
			for batch := range batches {
				if _, err := d.PublishBatch(b.Context(), batch); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := 0; n > 0; i++ {
		batch := make([]webhook.Event, min(n, 100))
		for k := range batch {
			batch[k] = webhook.Event{Brand: brandNo(i % brands), Type: "message.delivered", Payload: payload}
		}
		batches <- batch
		n -= len(batch)
	}
	close(batches)
	publishing.Wait()
}

// await waits until so many arrived and nothing is open.
func await(b *testing.B, d *dispatcher.Dispatcher, brands int, received *atomic.Int64, n int64) {
	for received.Load() < n {
		time.Sleep(2 * time.Millisecond)
	}
	for i := range brands {
		for {
			h, err := d.BrandHealth(b.Context(), brandNo(i))
			if err != nil {
				b.Fatal(err)
			}
			if h.InFlight+h.Waiting+h.Retrying == 0 {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
}

type used struct {
	self, redis time.Duration
	mallocs     uint64
}

func measure(b *testing.B, rdb redis.UniversalClient) used {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	info, err := rdb.InfoMap(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	rdb.ConfigResetStat(b.Context())
	total := 0.0
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		s, _ := strconv.ParseFloat(info["CPU"][name], 64)
		total += s
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return used{mallocs: memory.Mallocs, self: time.Duration(u.Utime.Nano() + u.Stime.Nano()), redis: time.Duration(total * float64(time.Second))}
}

// commandStats tells calls and time of each command a delivery.
func commandStats(stats map[string]string, deliveries float64) string {
	var lines []string
	for name, stat := range stats {
		var calls, usec float64
		if _, err := fmt.Sscanf(strings.ReplaceAll(stat, ",", " "), "calls=%g usec=%g", &calls, &usec); err == nil && calls/deliveries > 0.01 {
			lines = append(lines, fmt.Sprintf("%-28s %6.2f calls %7.2f µs", strings.TrimPrefix(name, "cmdstat_"), calls/deliveries, usec/deliveries))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
