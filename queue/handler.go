package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// newerDelay is how long a task of a newer version waits for a worker that knows it.
	newerDelay = 30 * time.Second
	// earlyBy is how long before its time a wake-up must run for somebody to have wanted it so: the clocks of two processes
	// may differ by five seconds.
	earlyBy = 6 * time.Second
	// maxWakes bounds the wake-ups in flight. They are quick, and have slots of their own so as not to wait behind attempts.
	maxWakes = 32
	// ownFor is how long a delivery holds a slot of its queue.
	ownFor = time.Second
)

// part is what one queue has of its own.
type part struct {
	slots slots
	// most is how many of its tasks Asynq runs at once, running how many it does.
	most    int
	running atomic.Int64
}

// handler is what the Servers of one Run call, all of them the same.
type handler struct {
	do   webhook.Handlers
	log  *slog.Logger
	told told
	// deliveries and wakes are the slots of each. A delivery holds one of its queue's too, of which there are half as many,
	// for its first second: so a queue whose receivers all begin to hang stands still for a second, and not for as long as
	// they do.
	deliveries, wakes slots
	queues            map[string]*part
	// replays gives way to what is live.
	replays *yield
	// patience is how long a task waits for a slot: not so long that the attempt would no longer fit into its timeout.
	patience time.Duration
}

// ProcessTask is Asynq's way in. What it returns decides what becomes of the task, and its text is stored with it.
func (h *handler) ProcessTask(ctx context.Context, task *asynq.Task) error {
	makeRoom(len(task.Payload()))
	name, _ := asynq.GetQueueName(ctx)
	own := h.queues[name]
	own.running.Add(1)
	defer own.running.Add(-1)
	switch task.Type() {
	case deliveryType:
		return h.deliver(ctx, name, task)
	case wakeType:
		return h.wake(ctx, task)
	}
	return h.refuse(ctx, task, errNewer)
}

// stackBytes is about what a delivery needs of a stack; Go makes the next power of two.
const stackBytes = 4 << 10

// makeRoom grows the stack at once, and while there is little on it. Asynq begins a goroutine for each task; its small stack
// would else be copied three times on the way down, each time with more frames to look through.
//
//go:noinline
func makeRoom(i int) byte {
	var room [stackBytes]byte
	return room[i%stackBytes]
}

// free is how many of a queue's deliveries could begin now.
func (h *handler) free(queue string) int {
	own := h.queues[queue]
	return min(own.most-int(own.running.Load()), own.slots.left(), h.deliveries.left())
}

func (h *handler) deliver(ctx context.Context, queue string, task *asynq.Task) error {
	run, err := decodeRun(task.Payload())
	if err != nil {
		return h.refuse(ctx, task, err)
	}
	run.Queue = queue
	run.Failures, _ = asynq.GetRetryCount(ctx)
	began, own := time.Now(), h.queues[queue].slots
	if isBulk(queue) {
		if !h.replays.enter(ctx, h.patience) {
			return fmt.Errorf("%w: %w", errSaturated, &webhook.RetryError{})
		}
		defer h.replays.leave()
	}
	if !own.take(ctx, h.patience) {
		return fmt.Errorf("%w: %w", errSaturated, &webhook.RetryError{})
	}
	defer own.lend(ownFor)()
	return h.within(ctx, h.deliveries, h.patience-time.Since(began), func() error { return h.do.Deliver(ctx, run) })
}

func (h *handler) wake(ctx context.Context, task *asynq.Task) error {
	w, err := decodeWakeup(task.Payload())
	if err != nil {
		return h.refuse(ctx, task, err)
	}
	early := time.Until(w.At) > earlyBy
	return h.within(ctx, h.wakes, h.patience, func() error { return h.do.Wake(ctx, w.Endpoint, early) })
}

// refuse leaves what a newer version understands to it, and archives what nobody does.
func (h *handler) refuse(ctx context.Context, task *asynq.Task, why error) error {
	if errors.Is(why, errNewer) {
		if yes, untold := h.told.again("newer", time.Now()); yes {
			h.log.WarnContext(ctx, "task of another version left for its worker; said once a minute", "type", task.Type(), "untold", untold)
		}
		return fmt.Errorf("%w: %w", why, &webhook.RetryError{After: newerDelay})
	}
	h.log.ErrorContext(ctx, "undecodable task archived", "task", taskID(ctx), "error", why)
	return fmt.Errorf("%w: %w", why, asynq.SkipRetry)
}

// within calls a handler in a slot.
func (h *handler) within(ctx context.Context, s slots, patience time.Duration, call func() error) error {
	if !s.take(ctx, patience) {
		return fmt.Errorf("%w: %w", errSaturated, &webhook.RetryError{})
	}
	defer s.free()
	return h.outcome(ctx, h.guard(ctx, call))
}

// guard keeps a panic from Asynq, which would store its value with the task.
func (h *handler) guard(ctx context.Context, call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			h.log.ErrorContext(ctx, "handler panicked", "task", taskID(ctx),
				"panic", webhook.PanicText(value), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return call()
}

func (h *handler) outcome(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errPanicked) {
		return err
	}
	if retry, ok := errors.AsType[*webhook.RetryError](err); ok {
		return retry
	}
	if !errors.Is(err, webhook.ErrUnavailable) {
		h.log.WarnContext(ctx, "handler error, task comes again", "task", taskID(ctx), "error", err)
		return errHandler
	}
	if yes, untold := h.told.again("unavailable", time.Now()); yes { // all that are in flight have the same to say
		h.log.WarnContext(ctx, "redis was away, tasks come again; said once a minute", "task", taskID(ctx), "error", err, "untold", untold)
	}
	return webhook.ErrUnavailable
}

func taskID(ctx context.Context) string {
	id, _ := asynq.GetTaskID(ctx)
	return id
}

// drained waits a moment for what still runs after Asynq's Shutdown: handlers that did not end with their context.
func (h *handler) drained(wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if running := h.deliveries.drain(ctx) + h.wakes.drain(ctx); running > 0 {
		return fmt.Errorf("%w: %d still run", ErrUnfinished, running)
	}
	return nil
}
