package main

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapesAtOnce bounds the scrapes of a process: each may ask Redis how all of them stand.
const scrapesAtOnce = 4

// newRegistry has what is known of the process itself.
func newRegistry(is role) *prometheus.Registry {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "outhook", Name: "build_info", Help: "1, for the version and the role of this process.",
		ConstLabels: prometheus.Labels{"version": buildVersion(), "role": is.String()},
	})
	info.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// metricsHandler answers a scrape; what cannot be collected is left out, and logged.
func metricsHandler(registry *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapesAtOnce,
	})
}
