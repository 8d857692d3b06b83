// Package queue runs deliveries with Asynq v0.26.0. It is the only package that names Asynq, and implements [webhook.Queue].
//
// There are two lanes, live for what happens now and bulk for replays, each spread over shards: queues named live-0, live-1, …
// and bulk-0, bulk-1, …. A shard is a stable hash of the endpoint, so that endpoints are spread and one endpoint's deliveries
// share a queue. Each queue that a process serves has an asynq.Server of its own, because Asynq fetches with one goroutine per
// Server, and its own asynqredis client.
//
// A task carries ids only. Its id is the run's, so that enqueueing a run twice makes one task. Asynq never gives a task up:
// the ledger decides when a delivery is dead. The one exception is a task that cannot be decoded: it goes to Asynq's archive,
// with the reason.
//
// Four times bound an attempt, each longer than the one before, so that every part ends before what is around it cuts it off:
//
//	AttemptTimeout (30 s) < TaskTimeout (35 s) < ShutdownTimeout (38 s) < what the platform allows between SIGTERM and SIGKILL
//
// Open asserts the first three; the pod's terminationGracePeriodSeconds must be larger than ShutdownTimeout plus the time for
// which readiness fails beforehand.
package queue
