// Package bench measures outhook side by side with what it costs to POST at all (raw) and with a plain Asynq program (see
// the package plain), on this machine, in one run.
//
// [Run] starts processes: redis-server, a receiver, a publisher, and what is measured, which is this program itself as
// "serve --role api" and "serve --role worker", a host that embeds it, or the plain program. Those of our own get their orders
// and answer them as lines of JSON on stdin and stdout, and end when stdin does: see [Child].
//
// It never asserts a figure. It says when an event was lost, came twice where nothing failed, or when a run was cut.
package bench
