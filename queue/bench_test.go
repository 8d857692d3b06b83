package queue_test

import (
	"fmt"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// BenchmarkEnqueue is what runs cost that are enqueued together, spread over four queues.
func BenchmarkEnqueue(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			rdb := redistest.Start(b).Client(b)
			q := open(b, queue.Config{Redis: rdb})
			runs := runsOf(q, size)
			b.ReportAllocs()
			own, theirs := ownCPU(), redisCPU(b, rdb)
			for b.Loop() {
				for i := range runs {
					runs[i].Number++ // every one a new task
				}
				if err := q.Enqueue(b.Context(), runs); err != nil {
					b.Fatal(err)
				}
			}
			all := float64(size * b.N)
			b.ReportMetric(all/b.Elapsed().Seconds(), "runs/s")
			b.ReportMetric(float64((ownCPU()-own).Microseconds())/all, "own-cpu-µs/run")
			b.ReportMetric(float64((redisCPU(b, rdb)-theirs).Microseconds())/all, "redis-cpu-µs/run")
		})
	}
}

func BenchmarkInspect(b *testing.B) {
	q := open(b, queue.Config{Redis: redistest.Start(b).Client(b)})
	runs := runsOf(q, 100)
	enqueue(b, q, runs...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.Inspect(b.Context(), runs); err != nil {
			b.Fatal(err)
		}
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
