package queue

// Where Asynq v0.26.0 keeps a queue. Everything of one queue has one tag, and so one node of a cluster.

func taskKey(queue, id string) string  { return "asynq:{" + queue + "}:t:" + id }
func setKey(queue, name string) string { return "asynq:{" + queue + "}:" + name }

// What a queue's keys are called: each task is in exactly one, and those in "active" have an entry in "lease" too.
const (
	keyPending   = "pending"
	keyActive    = "active"
	keyLease     = "lease"
	keyScheduled = "scheduled"
	keyRetry     = "retry"
	keyArchived  = "archived"
	keyCompleted = "completed"
	// keyPaused is there while the queue is paused.
	keyPaused = "paused"
)

// fieldPendingSince of a task's hash is when it became pending, in nanoseconds.
const fieldPendingSince = "pending_since"

// What there is once, for all queues.
const (
	keyQueues  = "asynq:queues"
	keyServers = "asynq:servers"
)

// PausedKey is there in Redis while the queue is paused; who deletes it resumes the queue.
func PausedKey(queue string) string { return setKey(queue, keyPaused) }
