package redisstore_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Figures: testdata/bench.txt.

// benchWorld is a store with the given number of endpoints, e0 and on, that never run out of slots.
func benchWorld(b *testing.B, endpoints int) *world {
	w := newWorld(b, redisstore.Config{MaxInFlight: 1 << 30})
	for i := range endpoints {
		w.adapt(w.endpoint(fmt.Sprint("e", i)), 1<<30)
	}
	return w
}

// benchPayload has 350 bytes.
var benchPayload = fmt.Appendf(nil, `{"filler":%q}`, bytes.Repeat([]byte("x"), 350-len(`{"filler":""}`)))

func (w *world) batch(n int, endpoints ...string) []webhook.Fanout {
	fanouts, _ := fanoutsOf(w, n, endpoints...)
	for i := range fanouts {
		fanouts[i].Event.Payload = benchPayload
	}
	return fanouts
}

// runs are n deliveries that are in flight, of the endpoints by turns.
func (w *world) runs(n, endpoints int) []webhook.Run {
	var runs []webhook.Run
	for len(runs) < n {
		fanouts := w.batch(min(500, n-len(runs)))
		for i := range fanouts {
			fanouts[i].Endpoints = []string{fmt.Sprint("e", i%endpoints)}
		}
		answers, err := w.Admit(w.Context(), fanouts)
		w.must(err)
		for _, a := range answers {
			if runs = append(runs, a.Runs()...); len(a.Runs()) != 1 {
				w.Fatalf("admitted %+v, want one run", a)
			}
		}
	}
	return runs
}

// benchCallers has the sub-benchmark's calls made by one and by many goroutines, on one endpoint and on many. ready returns what
// makes the i-th call.
func benchCallers(b *testing.B, ready func(w *world, n, endpoints int) func(i int) error) {
	for _, c := range []struct{ callers, endpoints int }{{1, 1}, {64, 1}, {64, 50}} {
		b.Run(fmt.Sprintf("callers=%d/endpoints=%d", c.callers, c.endpoints), func(b *testing.B) {
			one := ready(benchWorld(b, c.endpoints), b.N, c.endpoints)
			b.ReportAllocs()
			b.ResetTimer()
			callAll(b, c.callers, one)
		})
	}
}

// callAll makes b.N calls from so many goroutines.
func callAll(b *testing.B, callers int, one func(i int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				if err := one(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
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

// Events that arrive one by one, some at the same time.
func BenchmarkAdmitOne(b *testing.B) {
	benchCallers(b, func(w *world, _, endpoints int) func(int) error {
		return func(i int) error {
			_, err := w.Admit(b.Context(), w.batch(1, fmt.Sprint("e", i%endpoints)))
			return err
		}
	})
}

func BenchmarkClaim(b *testing.B) {
	benchCallers(b, func(w *world, n, endpoints int) func(int) error {
		runs := w.runs(n, endpoints)
		return func(i int) error {
			c, err := w.Claim(b.Context(), runs[i])
			if err == nil && c.Verdict != webhook.ClaimGo {
				err = fmt.Errorf("verdict %d", c.Verdict)
			}
			return err
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	benchCallers(b, func(w *world, n, endpoints int) func(int) error {
		runs := w.runs(n, endpoints)
		return func(i int) error {
			_, err := w.Record(b.Context(), settlementOf(runs[i], delivered(), w.clock.Now()))
			return err
		}
	})
}
