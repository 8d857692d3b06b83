package queue_test

import (
	"fmt"
	"testing"

	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func BenchmarkEnqueue(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			q := open(b, queue.Config{Redis: redistest.Start(b).Client(b)})
			runs := runsOf(q, size)
			b.ReportAllocs()
			for b.Loop() {
				for i := range runs {
					runs[i].Number++ // every one a new task
				}
				if err := q.Enqueue(b.Context(), runs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "runs/s")
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
