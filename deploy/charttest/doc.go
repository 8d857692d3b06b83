// Package charttest holds deploy/chart against Kubernetes and against the program, without a cluster. The chart is rendered by
// Helm's own engine, every object is decoded strictly into the types of Kubernetes, KEDA and the Prometheus operator, and the
// program itself, built from this checkout, is asked what it makes of the rendered environment and file. It is a module of its
// own, so that the product does not require any of that.
//
// Each check has a name; for each there are mistakes in mistakes_test.go that it, and it first, must find.
package charttest
