package queue

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// retryDelay tells Asynq how long a task waits after its handler returned err.
func retryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	if retry, ok := errors.AsType[*webhook.RetryError](err); ok {
		return neverEarly(retry.After)
	}
	if errors.Is(err, asynq.ErrLeaseExpired) {
		return time.Second
	}
	return time.Second + rand.N(4*time.Second)
}

// neverEarly adds the second that Asynq takes away: it cuts the time of a retry off to whole seconds.
func neverEarly(after time.Duration) time.Duration {
	if after <= 0 {
		return 0
	}
	return min(after, math.MaxInt64-time.Second) + time.Second
}

// isFailure tells Asynq what to count: not a repetition that was asked for. A handler sees by the count that its task came
// again by itself.
func isFailure(err error) bool {
	_, asked := errors.AsType[*webhook.RetryError](err)
	return !asked
}
