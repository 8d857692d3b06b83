package redisstore_test

import (
	"bytes"
	"fmt"
	"testing"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Figures: testdata/bench.txt.

// benchWorld is a store with the given number of endpoints, e0 and on, that never run out of slots.
func benchWorld(b *testing.B, endpoints int) *world {
	w := newWorld(b, redisstore.Config{MaxInFlight: 1 << 30})
	for i := range endpoints {
		w.endpoint(fmt.Sprint("e", i))
	}
	return w
}

func (w *world) batch(n int, endpoints ...string) []webhook.Fanout {
	payload := fmt.Appendf(nil, `{"filler":%q}`, bytes.Repeat([]byte("x"), 350-len(`{"filler":""}`)))
	fanouts, _ := fanoutsOf(w, n, endpoints...)
	for i := range fanouts {
		fanouts[i].Event.Payload = payload
	}
	return fanouts
}

func BenchmarkAdmit(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			w := benchWorld(b, 1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Admit(b.Context(), w.batch(n, "e0")); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/event")
		})
	}
}

func BenchmarkClaim(b *testing.B) {
	w := benchWorld(b, 1)
	answers, err := w.Admit(b.Context(), w.batch(1, "e0"))
	w.must(err)
	run := answers[0].Runs()[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Claim(b.Context(), run); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	w := benchWorld(b, 1)
	var runs []webhook.Run
	b.ReportAllocs()
	for b.Loop() {
		if len(runs) == 0 {
			b.StopTimer()
			answers, err := w.Admit(b.Context(), w.batch(500, "e0"))
			w.must(err)
			for _, a := range answers {
				runs = append(runs, a.Runs()...)
			}
			b.StartTimer()
		}
		if _, err := w.Record(b.Context(), settlementOf(runs[0], delivered(), w.clock.Now())); err != nil {
			b.Fatal(err)
		}
		runs = runs[1:]
	}
}
