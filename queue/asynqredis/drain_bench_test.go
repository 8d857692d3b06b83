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

var drainConfigs = []struct {
	name string
	cfg  asynqredis.Config
}{
	{"plain", asynqredis.Config{NoPrefetch: true, NoPipelining: true}},
	{"pipelining", asynqredis.Config{NoPrefetch: true}},
	{"prefetch", asynqredis.Config{NoPipelining: true}},
	{"both", asynqredis.Config{}},
}

func BenchmarkDrain(b *testing.B) {
	for _, delay := range []time.Duration{0, time.Millisecond} {
		for _, servers := range []int{1, 4} {
			for _, bc := range drainConfigs {
				b.Run(fmt.Sprintf("rtt=%v/servers=%d/%s", delay, servers, bc.name), func(b *testing.B) { drain(b, bc.cfg, delay, servers) })
			}
		}
	}
}

func drain(b *testing.B, cfg asynqredis.Config, delay time.Duration, servers int) {
	server := redistest.Start(b)
	direct := server.Client(b)
	opts := redistest.Options(server.Addr())
	opts.PoolSize = 100
	if delay > 0 {
		proxy := redistest.StartProxy(b, server.Addr())
		proxy.Delay(delay)
		opts.Addr = proxy.Addr()
	}
	inner := redis.NewClient(opts)
	b.Cleanup(func() { inner.Close() })
	const tasks = 10_000
	n := tasks
	if delay > 0 && cfg.NoPrefetch {
		n = 500
	}
	for b.Loop() {
		b.StopTimer()
		direct.FlushDB(b.Context())
		payload := make([]byte, 60)
		for i := range servers {
			fill(b, direct, fmt.Sprintf("q%d", i), n/servers, payload)
		}
		var done atomic.Int64
		ended := make(chan struct{})
		var all []func()
		cpu, rcpu := clientCPU(), redisCPU(b, direct)
		b.StartTimer()
		began := time.Now()
		for i := range servers {
			var running atomic.Int64
			cfg := cfg
			cfg.Logger = quiet()
			cfg.Free = func() int { return 1024 - int(running.Load()) }
			c := asynqredis.New(inner, cfg)
			sc := serverConfig(&lines{}, time.Millisecond, fmt.Sprintf("q%d", i))
			sc.Concurrency = 1024
			s := asynq.NewServerFromRedisClient(c, sc)
			if err := s.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
				running.Add(1)
				defer running.Add(-1)
				if done.Add(1) == int64(n/servers*servers) {
					close(ended)
				}
				return nil
			})); err != nil {
				b.Fatal(err)
			}
			all = append(all, func() { c.Stop(); s.Shutdown(); c.Close() })
		}
		<-ended
		for i := range servers {
			for direct.LLen(b.Context(), fmt.Sprintf("asynq:{q%d}:active", i)).Val() > 0 {
				time.Sleep(time.Millisecond)
			}
		}
		took := time.Since(began)
		b.StopTimer()
		per := float64(n)
		b.ReportMetric(per/took.Seconds(), "tasks/s")
		b.ReportMetric((clientCPU()-cpu).Seconds()*1e6/per, "clientCPU-µs/task")
		b.ReportMetric((redisCPU(b, direct)-rcpu).Seconds()*1e6/per, "redisCPU-µs/task")
		for _, stop := range all {
			stop()
		}
		b.StartTimer()
	}
}

// fill makes tasks as Asynq's client does, many at a time.
func fill(b *testing.B, c redis.UniversalClient, q string, n int, payload []byte) {
	ap, err := c.(*redis.Client).AutoPipeline()
	if err != nil {
		b.Fatal(err)
	}
	client := asynq.NewClientFromRedisClient(ap)
	sem := make(chan struct{}, 256)
	for i := range n {
		sem <- struct{}{}
		go func() {
			defer func() { <-sem }()
			if _, err := client.Enqueue(asynq.NewTask("t", payload), asynq.Queue(q), asynq.TaskID(strconv.Itoa(i)+"-evt_0198f3a2:ep_0198f3a2:1")); err != nil {
				b.Error(err)
			}
		}()
	}
	for range cap(sem) {
		sem <- struct{}{}
	}
}

func clientCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var usedCPU = regexp.MustCompile(`used_cpu_(?:sys|user):([\d.]+)`)

func redisCPU(b *testing.B, c redis.UniversalClient) (sum time.Duration) {
	for _, m := range usedCPU.FindAllStringSubmatch(c.Info(b.Context(), "cpu").Val(), -1) {
		s, _ := strconv.ParseFloat(m[1], 64)
		sum += time.Duration(s * 1e9)
	}
	return sum
}
