package asynqredis_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// switchedOff are the parts that are measured, each alone and all together.
var switchedOff = map[string]asynqredis.Config{
	"all":          {},
	"no-prefetch":  {NoPrefetch: true},
	"no-pipelines": {NoPipelining: true},
	"neither":      {NoPrefetch: true, NoPipelining: true},
}

// BenchmarkDrain is how fast Asynq servers, each with a queue and 1,024 slots, empty their queues with a handler that does
// nothing, and what a task costs the worker and Redis. A network is a proxy in this process: its work is in the worker's.
func BenchmarkDrain(b *testing.B) {
	for _, place := range []struct {
		name    string
		servers int
		delay   time.Duration
		tasks   int
	}{
		{"loopback-1", 1, 0, 10_000},
		{"loopback-4", 4, 0, 10_000},
		{"network-of-1ms", 1, time.Millisecond, 1_000},
	} {
		for name, cfg := range switchedOff {
			b.Run(place.name+"/"+name, func(b *testing.B) {
				d := newDrain(b, cfg, place.servers, place.delay)
				for b.Loop() {
					d.run(b, place.tasks)
				}
			})
		}
	}
}

// drain empties queues; direct is Redis without the network.
type drain struct {
	cfg     asynqredis.Config
	queues  []string
	direct  redis.UniversalClient
	through redis.UniversalClient
	took    time.Duration
	tasks   int
	own     time.Duration
	redis   time.Duration
}

func newDrain(b *testing.B, cfg asynqredis.Config, servers int, delay time.Duration) *drain {
	server := redistest.Start(b)
	d := &drain{cfg: cfg, direct: server.Client(b)}
	d.cfg.Logger = quiet()
	for i := range servers {
		d.queues = append(d.queues, fmt.Sprint("q", i))
	}
	options := redistest.Options(server.Addr())
	options.PoolSize = 200
	if delay > 0 {
		proxy := redistest.StartProxy(b, options.Addr)
		proxy.Delay(delay)
		options.Addr = proxy.Addr()
	}
	d.through = redis.NewClient(options)
	b.Cleanup(func() { d.through.Close() })
	return d
}

// run fills the queues and measures until they are empty.
func (d *drain) run(b *testing.B, tasks int) {
	b.StopTimer()
	each := tasks / len(d.queues)
	for _, q := range d.queues {
		pour(b, d.direct, q, each)
	}
	var left atomic.Int64
	left.Store(int64(tasks))
	own, redis := ownCPU(), redisCPU(b, d.direct)
	b.StartTimer()
	began := time.Now()
	for _, q := range d.queues {
		defer d.serve(b, q, func() { left.Add(-1) })()
	}
	for left.Load() > 0 || d.active(b) > 0 {
		time.Sleep(time.Millisecond) // of the span that is measured; short beside it
	}
	b.StopTimer()
	d.took, d.tasks = d.took+time.Since(began), d.tasks+tasks
	d.own, d.redis = d.own+ownCPU()-own, d.redis+redisCPU(b, d.direct)-redis
	b.ReportMetric(float64(d.tasks)/d.took.Seconds(), "tasks/s")
	b.ReportMetric(float64(d.own.Microseconds())/float64(d.tasks), "own-cpu-µs/task")
	b.ReportMetric(float64(d.redis.Microseconds())/float64(d.tasks), "redis-cpu-µs/task")
	b.StartTimer()
}

// serve works a queue until what it answers is called.
func (d *drain) serve(b *testing.B, queue string, handled func()) (stop func()) {
	const slots = 1024
	var running atomic.Int64
	cfg := d.cfg
	cfg.Free = func() int { return slots - int(running.Load()) }
	client := asynqredis.New(d.through, cfg)
	conf := serverConfig(&lines{}, time.Millisecond, queue)
	conf.Concurrency = slots
	server := asynq.NewServerFromRedisClient(client, conf)
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		running.Add(1)
		defer running.Add(-1)
		handled()
		return nil
	})); err != nil {
		b.Fatal(err)
	}
	return func() {
		client.Stop()
		server.Shutdown()
		client.Close()
	}
}

func (d *drain) active(b *testing.B) (n int64) {
	for _, q := range d.queues {
		n += d.direct.LLen(b.Context(), "asynq:{"+q+"}:active").Val()
	}
	return n
}

// pour makes tasks of the size of a delivery, many at a time.
func pour(b *testing.B, c redis.UniversalClient, queue string, n int) {
	shared, err := c.AutoPipeline()
	if err != nil {
		b.Fatal(err)
	}
	client, limit := asynq.NewClientFromRedisClient(shared), make(chan struct{}, 256)
	for i := range n {
		limit <- struct{}{}
		go func() {
			defer func() { <-limit }()
			id := strconv.Itoa(i) + "-019a0f3e7c5a7d1bb1f6:acme:ep_019a0f3e7c5a7d1b:1"
			if _, err := client.Enqueue(asynq.NewTask("delivery", []byte("1 acme "+id)), asynq.Queue(queue), asynq.TaskID(id)); err != nil {
				b.Error(err)
			}
		}()
	}
	for range cap(limit) {
		limit <- struct{}{}
	}
}

func ownCPU() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

var usedCPU = regexp.MustCompile(`used_cpu_(?:sys|user):([\d.]+)`)

func redisCPU(b *testing.B, c redis.UniversalClient) (sum time.Duration) {
	for _, m := range usedCPU.FindAllStringSubmatch(c.Info(b.Context(), "cpu").Val(), -1) {
		seconds, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum
}
