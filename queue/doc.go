// Package queue runs deliveries with Asynq v0.26.0. It is the only package that names Asynq, and implements [webhook.Queue].
//
// There are two lanes, live for what happens now and bulk for replays, each spread over shards: queues named live-0, live-1, …
// and bulk-0, bulk-1, …. A shard is a stable hash of the endpoint, so that endpoints are spread and one endpoint's deliveries
// share a queue. Each queue that a process serves has an asynq.Server of its own, because Asynq fetches with one goroutine per
// Server, and its own asynqredis client.
//
// There are two types of task. A delivery carries ids only, and its own id is the run's, so that enqueueing a run twice makes
// one task. An endpoint:wake is scheduled for when a gate opens that holds an endpoint's line back, one for each such time:
// asynqmon shows how many wait behind what until when, and can run it now. It carries that and the endpoint's ids.
//
// Asynq never gives a task up: the ledger decides when a delivery is dead. The one exception is a task that cannot be decoded:
// it goes to Asynq's archive, with the reason. Whatever happens to a task, by hand or by a crash, Inspect tells whether a worker
// will still run it, and Remove clears its remains.
//
// Four times bound an attempt, each longer than the one before, so that every part ends before what is around it cuts it off:
//
//	AttemptTimeout (30 s) < TaskTimeout (35 s) < ShutdownTimeout (38 s) < what the platform allows between SIGTERM and SIGKILL
//
// Open asserts the first three; the pod's terminationGracePeriodSeconds must be larger than ShutdownTimeout plus the time for
// which readiness fails beforehand.
package queue
