package asynqredis_test

import (
	"slices"
	"testing"
	"time"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// BenchmarkPickup is the time from before the enqueue to the handler, at a worker that waits; "enqueued" is the enqueue alone.
// Redis 7.0 on loopback, two cores that others kept busy, 2,000 tasks, three runs:
//
//	enqueued p50 0.50 ms, p99 2.2 to 5.3 ms; handled p50 0.73 to 0.75 ms, p99 3.2 to 10 ms
//
// and on the same cores when less was going on: handled p50 0.70 ms, p99 1.9 ms.
func BenchmarkPickup(b *testing.B) {
	for name, cfg := range switchedOff {
		b.Run(name, func(b *testing.B) { pickUp(b, cfg) })
	}
}

func pickUp(b *testing.B, cfg asynqredis.Config) {
	inner := redistest.Start(b).Client(b)
	w := startWorker(b, inner, cfg)
	var took, enqueued []time.Duration
	for b.Loop() {
		b.StopTimer()
		awaitBlocked(b, inner)
		b.StartTimer()
		before := time.Now()
		enqueue(b, inner, "x")
		enqueued = append(enqueued, time.Since(before))
		<-w.handled
		took = append(took, time.Since(before))
	}
	for name, d := range map[string][]time.Duration{"handled": took, "enqueued": enqueued} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds()), name+"-p50-µs")
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), name+"-p99-µs")
	}
}
