package webhook

import "context"

// TaskState is what the queue knows of a run.
type TaskState int

// The states of a task.
const (
	// TaskAlive: pending, scheduled, to be retried, or active with a live lease.
	TaskAlive TaskState = iota
	// TaskMissing: the queue does not know it.
	TaskMissing
	// TaskAbandoned: active, but its worker's lease is over.
	TaskAbandoned
	// TaskEnded: archived or completed.
	TaskEnded
	// TaskOrphaned: its state says where it is, and there it is not: no worker will find it.
	TaskOrphaned
)

// String names the state as a cause of a re-drive.
func (s TaskState) String() string {
	return [...]string{"alive", "missing", "abandoned", "ended", "orphaned"}[s]
}

// Queue runs what may run now. It carries ids only.
//
// Safe for concurrent use. Errors wrap [ErrUnavailable].
type Queue interface {
	// QueueFor names the Asynq queue of an endpoint's live deliveries.
	QueueFor(ref EndpointRef) string
	// Enqueue makes every run a task. A run that is a task already is left as it is.
	Enqueue(ctx context.Context, runs []Run) error
	// Schedule makes a wake-up a task of its time, one for each endpoint: one that
	// is there already is left as it is.
	Schedule(ctx context.Context, w Wakeup) error
	// Behind answers how many live deliveries are pending where most are: workers that keep up have hardly any.
	Behind(ctx context.Context) (int, error)
	// Inspect answers the states of runs, in the order of the input.
	Inspect(ctx context.Context, runs []Run) ([]TaskState, error)
	// Remove takes whatever is left of a run's task out of the queue.
	Remove(ctx context.Context, run Run) error
	// Run takes tasks and calls their handlers, until ctx ends; then it takes no
	// more, waits for the handlers, and returns nil after a clean drain. A nil
	// error of a handler ends the task, a [RetryError] repeats it later, any other
	// error repeats it after a moment.
	Run(ctx context.Context, h Handlers) error
}

// Handlers do what tasks ask for. Both are required.
type Handlers struct {
	// Deliver takes a run.
	Deliver func(ctx context.Context, run Run) error
	// Wake takes a wake-up; early when somebody had it run well before its time.
	Wake func(ctx context.Context, ref EndpointRef, early bool) error
}
