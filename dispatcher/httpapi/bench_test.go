package httpapi_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// accepting takes every event for one endpoint, so that a benchmark measures the API alone.
type accepting struct{ *fakeService }

func (accepting) Publish(_ context.Context, e webhook.Event) (webhook.Receipt, error) {
	return webhook.Receipt{ID: e.ID, Endpoints: []string{"ep-1"}}, nil
}

func (a accepting) PublishBatch(ctx context.Context, events []webhook.Event) ([]webhook.Result, error) {
	results := make([]webhook.Result, len(events))
	for i, e := range events {
		results[i].Receipt, results[i].Err = a.Publish(ctx, e)
	}
	return results, nil
}

func benchmarkPost(b *testing.B, path, body string) {
	handler, err := httpapi.New(httpapi.Config{Service: accepting{newFake()}, Identify: identify})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+adminKey)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 202 {
			b.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
}

// eventOfBytes has a payload of about so many bytes, batchOf is n such events.
func eventOfBytes(payload int) string {
	return `{"id":"evt-1","type":"message.read","payload":{"text":"` + strings.Repeat("hello ", payload/6) + `"}}`
}

func batchOf(n, payload int) string {
	return `{"events":[` + strings.Repeat(eventOfBytes(payload)+",", n-1) + eventOfBytes(payload) + `]}`
}

// Figures: testdata/bench.txt.
func BenchmarkPublish(b *testing.B) { benchmarkPost(b, publishPath, eventOfBytes(350)) }

func BenchmarkPublishBatch(b *testing.B) { benchmarkPost(b, batchPath, batchOf(500, 350)) }

// What cutting the events out of a batch takes of that: it copies no payload.
func BenchmarkCut(b *testing.B) {
	for _, bench := range []struct{ events, payload int }{{1, 350}, {100, 350}, {500, 350}, {100, 8 << 10}} {
		b.Run(fmt.Sprintf("events=%d/bytes=%d", bench.events, bench.payload), func(b *testing.B) {
			body := []byte(batchOf(bench.events, bench.payload))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := httpapi.Cut("acme", body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
