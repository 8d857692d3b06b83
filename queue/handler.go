package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// newerDelay is how long a task of a newer version waits for a worker that knows it.
const newerDelay = 30 * time.Second

// handler is what the Servers of one Run call, all of them the same.
type handler struct {
	handle func(context.Context, webhook.Run) error
	log    *slog.Logger
	// slots has one element for each handler in flight.
	slots chan struct{}
	// patience is how long a task waits for a slot.
	patience time.Duration
}

// ProcessTask is Asynq's way in. What it returns decides what becomes of the task, and its text is stored with it.
func (h *handler) ProcessTask(ctx context.Context, task *asynq.Task) error {
	run, err := decode(task.Type(), task.Payload())
	if errors.Is(err, errNewer) {
		h.log.WarnContext(ctx, "task of another version left for its worker", "type", task.Type())
		return fmt.Errorf("%w: %w", err, &webhook.RetryError{After: newerDelay})
	}
	if err != nil {
		h.log.ErrorContext(ctx, "undecodable task archived", "error", err)
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	run.Queue, _ = asynq.GetQueueName(ctx)
	run.Failures, _ = asynq.GetRetryCount(ctx)
	if !h.take(ctx) {
		return fmt.Errorf("%w: %w", errSaturated, &webhook.RetryError{})
	}
	defer func() { <-h.slots }()
	return h.outcome(ctx, run, h.call(ctx, run))
}

// take waits for a slot, but not so long that the attempt would no longer fit into the task's timeout.
func (h *handler) take(ctx context.Context) bool {
	select {
	case h.slots <- struct{}{}:
		return true
	default:
	}
	patience := time.NewTimer(h.patience)
	defer patience.Stop()
	select {
	case h.slots <- struct{}{}:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}

// call keeps a panic from Asynq, which would store its value with the task.
func (h *handler) call(ctx context.Context, run webhook.Run) (err error) {
	defer func() {
		if value := recover(); value != nil {
			h.log.ErrorContext(ctx, "handler panicked", "run", run.ID(), "panic", panicText(value), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return h.handle(ctx, run)
}

// panicText tells a runtime error, and of any other value only its type: it may hold what must not be logged.
func panicText(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", value)
}

func (h *handler) outcome(ctx context.Context, run webhook.Run, err error) error {
	if err == nil || errors.Is(err, errPanicked) {
		return err
	}
	if retry, ok := errors.AsType[*webhook.RetryError](err); ok {
		return retry
	}
	h.log.WarnContext(ctx, "handler error, task comes again", "run", run.ID(), "error", err)
	if errors.Is(err, webhook.ErrUnavailable) {
		return webhook.ErrUnavailable
	}
	return errHandler
}

// drained waits a moment for what still runs after Asynq's Shutdown: handlers that did not end with their context.
func (h *handler) drained(wait time.Duration) error {
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for taken := range cap(h.slots) {
		select {
		case h.slots <- struct{}{}:
		case <-patience.C:
			return fmt.Errorf("%w: %d still run", ErrUnfinished, cap(h.slots)-taken)
		}
	}
	return nil
}
