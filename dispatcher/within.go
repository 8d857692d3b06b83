package dispatcher

import (
	"context"
	"fmt"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// answerFor bounds what a caller waits for: Redis away is an answer, not a wait.
const answerFor = 1800 * time.Millisecond

// within runs do, and answers [webhook.ErrUnavailable] when it takes longer than
// answerFor, or than ctx: a client of the host's may wait for Redis far longer
// than its context says. do then goes on in the background until it ends by itself.
func within[T any](ctx context.Context, verb string, do func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	done := make(chan outcome, 1)
	go func() {
		defer cancel()
		value, err := do(ctx)
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-done: // both came at once
		return o.value, o.err
	default:
		var none T
		return none, fmt.Errorf("%s: %w: %w", verb, webhook.ErrUnavailable, ctx.Err())
	}
}
