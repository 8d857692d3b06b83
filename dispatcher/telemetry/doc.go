// Package telemetry tells how outhook is doing: to Prometheus in [Metrics].
package telemetry
