package egress_test

import (
	"crypto/tls"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkSendSecure is what most deliveries are: on a connection that is open, over TLS.
//
// Figures, Go 1.26.8 linux/amd64 on one core (-cpu 1), the server of net/http included, and of BenchmarkSend beside them:
//
//	BenchmarkSendSecure/HTTP1    31616 ns/op   3690 B/op   51 allocs/op
//	BenchmarkSendSecure/HTTP2    56071 ns/op   9150 B/op   95 allocs/op
//	BenchmarkSend                19314 ns/op   1992 B/op   23 allocs/op
//
// With net/http's connections of HTTP/1.1, in the same minutes:
//
//	BenchmarkSendSecure/HTTP1    38307 ns/op   6179 B/op   84 allocs/op
//	BenchmarkSend                31271 ns/op   4808 B/op   62 allocs/op
func BenchmarkSendSecure(b *testing.B) {
	for name, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS, server.EnableHTTP2 = &tls.Config{}, http2
			server.StartTLS()
			b.Cleanup(server.Close)
			cfg := loopback()
			cfg.CABundle = pemOf(server.Certificate())
			client := newClient(b, cfg)
			request := post(server.URL)
			header := request.Header
			b.ReportAllocs()
			for b.Loop() {
				request.Header = maps.Clone(header)
				if got := client.Send(b.Context(), request); got.Status != 200 {
					b.Fatalf("got %+v", got)
				}
			}
		})
	}
}
