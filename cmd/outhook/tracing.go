package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// flushFor bounds how long a process that ends waits for a collector that does not answer.
	flushFor = 5 * time.Second
	// saidBytes is how much of what a collector answers is logged.
	saidBytes = 300
)

// tracer exports spans while the process runs; nil is off. What it cannot export it drops: nothing waits for a collector.
type tracer struct {
	provider *sdk.TracerProvider
	log      *slog.Logger
}

// newTracer returns nil without tracing.otlpEndpoint. Besides the configuration the environment of OpenTelemetry counts:
// OTEL_EXPORTER_OTLP_HEADERS and _CERTIFICATE, OTEL_BSP_*, OTEL_RESOURCE_ATTRIBUTES. Errors are [webhook.FieldError]s of the key.
func newTracer(c config.Tracing, is role, log *slog.Logger) (*tracer, error) {
	if c.OTLPEndpoint == "" {
		return nil, nil
	}
	ctx := context.Background() // nothing of this waits
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(tracesURL(c.OTLPEndpoint)))
	if err != nil {
		return nil, webhook.Invalid("tracing.otlpEndpoint", "must be one that can be used: %v", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		semconv.ServiceName("outhook"), semconv.ServiceVersion(buildVersion()), semconv.ServiceInstanceID(uuid.NewString()),
		attribute.String("outhook.role", is.String())), resource.WithFromEnv())
	if err != nil {
		return nil, webhook.Invalid("tracing.otlpEndpoint", "must be without mistakes beside it in OTEL_RESOURCE_ATTRIBUTES")
	}
	otel.SetErrorHandler(&spanErrors{log: log})
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about), sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.SampleRatio))))
	log.Info("traces are exported", "to", c.OTLPEndpoint, "ratio", c.SampleRatio, "propagate", c.Propagate)
	return &tracer{provider, log}, nil
}

// tracesURL gives a base URL the path that every collector has (OpenTelemetry Protocol, section OTLP/HTTP Request).
func tracesURL(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Path != "" && u.Path != "/" {
		return endpoint
	}
	return u.JoinPath("v1", "traces").String()
}

// settings are the dispatcher's.
func (t *tracer) settings(c config.Tracing) telemetry.Tracing {
	if t == nil {
		return telemetry.Tracing{}
	}
	return telemetry.Tracing{Provider: t.provider, Propagate: c.Propagate}
}

// close ends the tracer of a process that did not come to drain, and has hardly a span.
func (t *tracer) close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = t.provider.Shutdown(ctx)
}

// flush exports what is left, until ctx ends or for a few seconds, and ends the tracer.
func (t *tracer) flush(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushFor)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last spans are not exported", "error", clip(err))
	}
}

// spanErrors takes what OpenTelemetry cannot do, which would else be lines on stderr, once a batch.
type spanErrors struct {
	log  *slog.Logger
	said minutely
}

// Handle implements OpenTelemetry's error handler.
func (e *spanErrors) Handle(err error) {
	if e.said.due() {
		e.log.Warn("spans are not exported, and dropped; said once a minute", "error", clip(err))
	}
}

// clip is the beginning of an error that may hold a collector's answer.
func clip(err error) string {
	return oneLine(fmt.Sprintf("%.*s", saidBytes, err.Error()))
}
