// Package telemetry makes what operators watch.
//
// [Metrics], for Prometheus: each process counts what it does, and one of them says how all together stand.
//
// Traces: a publish is a producer span, child of what its caller's context holds. The event is stored with its name, so that
// every attempt, in whatever process, hours later or sent once more, belongs to the same trace: a span of the wait before it,
// and a client span of the POST, linked to that of the attempt before. Spans name brand, event, endpoint and type; never a
// payload, a URL, a header or an address.
package telemetry
