package webhook_test

import (
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// statusPayload is a payload of 350 bytes, the size of a status event.
func statusPayload() string {
	const head, tail = `{"event":"message.delivered","to":"15552223333","at":"2026-01-02T03:04:05.678Z","parts":[{"n":1,"ok":true}],"text":"`, `"}`
	return head + strings.Repeat("x", 350-len(head)-len(tail)) + tail
}

// Figures: bench.txt.
func BenchmarkValidate(b *testing.B) {
	e := event(statusPayload())
	b.ReportAllocs()
	b.SetBytes(int64(len(e.Payload)))
	for b.Loop() {
		if err := e.Validate(maxPayload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	asks := answered(503)
	asks.Response.Header = after("120")
	late := answered(500)
	late.Number = 14
	for _, bench := range []struct {
		name  string
		facts webhook.Facts
	}{
		{"delivered", answered(200)},
		{"retry_1", answered(500)},
		{"retry_14", late},
		{"retry_after", asks},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := webhook.Judge(defaults, bench.facts); v.Reason == "" {
					b.Fatal("no reason")
				}
			}
		})
	}
}
