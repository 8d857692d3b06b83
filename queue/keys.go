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
)
