package httpapi_test

import (
	"context"
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

// benchmarkEvent has a payload of about 350 bytes.
var benchmarkEvent = `{"id":"evt-1","type":"message.read","payload":{"text":"` + strings.Repeat("hello ", 55) + `"}}`

func BenchmarkPublish(b *testing.B) { benchmarkPost(b, publishPath, benchmarkEvent) }

func BenchmarkPublishBatch(b *testing.B) {
	benchmarkPost(b, batchPath, `{"events":[`+strings.Repeat(benchmarkEvent+",", 499)+benchmarkEvent+`]}`)
}
