package telemetry

import (
	"context"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// Hook times the commands of a client, for its AddHook; nil without metrics.
func (m *Metrics) Hook() redis.Hook {
	if m == nil {
		return nil
	}
	return redisHook{m}
}

// redisHook times a pipeline as one command: it is what somebody waits for.
type redisHook struct{ m *Metrics }

func (h redisHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (h redisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if waits(cmd.Name()) {
			return next(ctx, cmd)
		}
		begun := time.Now()
		err := next(ctx, cmd)
		h.m.redis.Observe(time.Since(begun).Seconds())
		return err
	}
}

func (h redisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if waits(cmd.Name()) {
				return next(ctx, cmds)
			}
		}
		begun := time.Now()
		err := next(ctx, cmds)
		h.m.redis.Observe(time.Since(begun).Seconds())
		return err
	}
}

// waits tells of a command whether it waits for something to happen.
func waits(name string) bool {
	switch name {
	case "blmove", "blmpop", "blpop", "brpop", "bzmpop", "bzpopmax", "bzpopmin", "subscribe", "psubscribe", "wait", "waitaof", "xread", "xreadgroup":
		return true
	}
	return false
}
