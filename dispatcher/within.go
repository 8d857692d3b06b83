package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// answerFor bounds what a caller waits for: Redis away is an answer, not a wait.
const answerFor = 1800 * time.Millisecond

// within runs do, and answers [webhook.ErrUnavailable] when it takes longer than
// answerFor, or than ctx. A client that may wait for Redis far longer than its
// context says is left behind, and do goes on until it ends by itself.
func within[T any](ctx context.Context, d *Dispatcher, verb string, do func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	if d.prompt {
		defer cancel()
		value, err := do(ctx)
		return value, d.noteAbsence(ctx, verb, err)
	}
	done := make(chan outcome, 1)
	go func() {
		defer cancel()
		value, err := do(ctx)
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, d.noteAbsence(ctx, verb, o.err)
	case <-ctx.Done():
	}
	select {
	case o := <-done: // both came at once
		return o.value, o.err
	default:
		var none T
		return none, d.noteAbsence(ctx, verb, fmt.Errorf("%s: %w: %w", verb, webhook.ErrUnavailable, ctx.Err()))
	}
}

// noteAbsence logs once a minute that callers are answered that Redis is away, or full.
func (d *Dispatcher) noteAbsence(ctx context.Context, verb string, err error) error {
	ours := errors.Is(err, webhook.ErrUnavailable) && !errors.Is(err, context.Canceled) && verb != "ready"
	full := errors.Is(err, webhook.ErrFull)
	switch now := time.Now(); {
	case ours && full && d.warned.first("full", now):
		d.log.WarnContext(ctx, "publishing is refused: redis is nearly full; said once a minute", "error", err)
	case ours && !full && d.warned.first("redis", now):
		d.log.WarnContext(ctx, "callers are refused for want of redis; said once a minute", "error", err)
	}
	return err
}

// isBounded tells whether a client waits for an answer only so long, whatever its context says.
func isBounded(rdb redis.UniversalClient) bool {
	switch client := rdb.(type) {
	case *redis.Client:
		return client.Options().ReadTimeout > 0
	case *redis.ClusterClient:
		return client.Options().ReadTimeout > 0
	}
	return false
}

// isPrompt tells whether a client ends with its context, as ContextTimeoutEnabled says.
func isPrompt(rdb redis.UniversalClient) bool {
	switch client := rdb.(type) {
	case *redis.Client:
		return client.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return client.Options().ContextTimeoutEnabled
	}
	return false
}
