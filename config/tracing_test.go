package config_test

import (
	"testing"

	"go.smobi.com/outhook/config"
)

func TestOTLPEndpoint(t *testing.T) {
	for text, fine := range map[string]bool{
		"http://127.0.0.1:4318": true, "https://otel.example.com": true, "http://[::1]:4318/v1/traces": true, "http://collector/": true, "": true,
		"otel.example.com:4318": false, "grpc://a:4317": false, "http://": false, "http://:4318": false, "http:a": false, "http://a:0": false, "http://a:x": false,
		"http://a:65536": false, "http://a?b": false, "http://a?": false, "http://a#b": false, "http://user@a": false, "http://a b": false, "/v1/traces": false,
	} {
		c, err := config.Load(config.Sources{Env: []string{"OUTHOOK_TRACING_OTLP_ENDPOINT=" + text}})
		if fine && (err != nil || c.Tracing.OTLPEndpoint != text) {
			t.Errorf("%q: %v, got %q", text, err, c.Tracing.OTLPEndpoint)
		}
		if !fine && err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
