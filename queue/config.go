package queue

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	maxShards = 64
	// taskSlack is for a slot, the claim and the record; it ends before Asynq gives the task to somebody else.
	taskSlack = 5 * time.Second
	// shutdownSlack lets a task that ran into its timeout be put back before the shutdown is cut off.
	shutdownSlack = 3 * time.Second
)

// Config of a [Queue]. The zero value of each field but Redis stands for its default.
type Config struct {
	// Redis is the host's client, required and never closed. A process that runs tasks needs one connection of its pool for
	// each served queue, beside those for the commands that handlers make.
	Redis redis.UniversalClient

	// Logger is told what goes wrong, and what changes. Asynq's own lines arrive in it as attributes. Defaults to slog.Default().
	Logger *slog.Logger

	// Shards is the number of queues a lane is spread over, 1 to 64. Defaults to 4. It may only be raised while there are
	// open deliveries: every run carries the name of its queue, and a queue that is no longer served is not worked.
	Shards int

	// Serve names the queues that Run works, such as "live-0" and "bulk-1". Empty means all.
	Serve []string

	// Concurrency bounds the deliveries in flight over all queues of this process. No queue begins more than half as many
	// within a second. Defaults to 1024.
	Concurrency int

	// AttemptTimeout is the longest attempt that a handler makes. Defaults to 30 s.
	AttemptTimeout time.Duration

	// TaskTimeout ends a handler's context, counted from when the task was taken: whole seconds, longer than AttemptTimeout.
	// Half of the difference is how long a task may wait for a slot. Defaults to AttemptTimeout and 5 s, rounded up.
	TaskTimeout time.Duration

	// ShutdownTimeout bounds how long Run waits for its handlers, longer than TaskTimeout. Defaults to TaskTimeout and 3 s.
	ShutdownTimeout time.Duration

	// Switches are for tests and measurements.
	Switches Switches
}

// Switches turn parts of the Redis client off that each Asynq server has; the zero value has all of them on. What a queue does
// is the same, it is slower.
type Switches struct {
	// NoIdleWait has Asynq ask an empty queue about every millisecond.
	NoIdleWait bool
	// NoPrefetch takes tasks one by one.
	NoPrefetch bool
	// NoPipelining sends the end of each task by itself.
	NoPipelining bool
}

// UnmarshalText turns off what it names: of "idle-wait", "prefetch" and "pipelining" any, with commas between. Errors are
// [webhook.FieldError]s.
func (s *Switches) UnmarshalText(text []byte) error {
	for name := range strings.SplitSeq(string(text), ",") {
		switch name {
		case "":
		case "idle-wait":
			s.NoIdleWait = true
		case "prefetch":
			s.NoPrefetch = true
		case "pipelining":
			s.NoPipelining = true
		default:
			return webhook.Invalid("queue.switches", "has no %q", name)
		}
	}
	return nil
}

// WithDefaults returns a copy with every zero field set to its default.
func (c Config) WithDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Shards == 0 {
		c.Shards = 4
	}
	if len(c.Serve) == 0 {
		c.Serve = names(max(0, min(c.Shards, maxShards)))
	}
	if c.Concurrency == 0 {
		c.Concurrency = 1024
	}
	if c.AttemptTimeout == 0 {
		c.AttemptTimeout = 30 * time.Second
	}
	if c.TaskTimeout == 0 {
		c.TaskTimeout = (c.AttemptTimeout + taskSlack + time.Second - 1).Truncate(time.Second)
	}
	if c.ShutdownTimeout == 0 {
		c.ShutdownTimeout = c.TaskTimeout + shutdownSlack
	}
	c.Serve = slices.Compact(slices.Sorted(slices.Values(c.Serve)))
	return c
}

// Validate returns a [webhook.FieldError] for the first field whose value is impossible.
func (c Config) Validate() error {
	c = c.WithDefaults()
	switch {
	case c.Redis == nil:
		return webhook.Invalid("queue.redis", "is required")
	case c.Shards < 1 || c.Shards > maxShards:
		return webhook.Invalid("queue.shards", "must be between 1 and %d", maxShards)
	case c.Concurrency < 1:
		return webhook.Invalid("delivery.concurrency", "must be at least 1")
	}
	if err := c.validateServe(); err != nil {
		return err
	}
	return c.validateLadder()
}

func (c Config) validateServe() error {
	known := names(c.Shards)
	for _, name := range c.Serve {
		if !slices.Contains(known, name) {
			return webhook.Invalid("queue.serve", "must only name queues of queue.shards: %s", strings.Join(known, ", "))
		}
	}
	return nil
}

func (c Config) validateLadder() error {
	switch {
	case c.AttemptTimeout < 0:
		return webhook.Invalid("queue.attemptTimeout", "must be positive")
	case c.TaskTimeout%time.Second != 0:
		return webhook.Invalid("queue.taskTimeout", "must be whole seconds")
	case c.TaskTimeout <= c.AttemptTimeout:
		return webhook.Invalid("queue.taskTimeout", "must be longer than queue.attemptTimeout (%s)", c.AttemptTimeout)
	case c.ShutdownTimeout <= c.TaskTimeout:
		return webhook.Invalid("queue.shutdownTimeout", "must be longer than queue.taskTimeout (%s)", c.TaskTimeout)
	}
	return nil
}
