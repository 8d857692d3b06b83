package queue

import (
	"context"
	"strconv"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// process is one that works queues, by any number of Asynq's servers.
type process struct {
	host string
	pid  int
}

// served answers which processes said within the last seconds, by Redis's clock, that they work a queue.
func (q *Queue) served(ctx context.Context) (map[string]map[process]bool, error) {
	now, err := q.redis.Time(ctx).Result()
	if err != nil {
		return nil, unavailable(err)
	}
	alive := &redis.ZRangeBy{Min: strconv.FormatInt(now.Unix(), 10), Max: "+inf"}
	keys, err := q.redis.ZRangeByScore(ctx, keyServers, alive).Result()
	if err != nil {
		return nil, unavailable(err)
	}
	kept := kept{keys: keys, values: map[string]*redis.StringCmd{}}
	pipe := q.redis.Pipeline()
	for _, key := range keys {
		kept.values[key] = pipe.Get(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil { // one may have ended since
		return nil, unavailable(err)
	}
	servers, err := asynq.NewInspectorFromRedisClient(kept).Servers()
	if err != nil {
		return nil, unavailable(err)
	}
	by := map[string]map[process]bool{}
	for _, s := range servers {
		for name := range s.Queues {
			if by[name] == nil {
				by[name] = map[process]bool{}
			}
			if s.Status == "active" {
				by[name][process{s.Host, s.PID}] = true
			}
		}
	}
	return by, nil
}

// kept is a Redis client that answers what was read before: Asynq v0.26.0 alone can decode what its servers say of
// themselves, and would strike those from their list that it has not heard of. Any other command panics.
type kept struct {
	redis.UniversalClient
	keys   []string
	values map[string]*redis.StringCmd
}

// EvalSha answers the list of servers, and an empty one of what they have in hand.
func (k kept) EvalSha(ctx context.Context, _ string, keys []string, _ ...any) *redis.Cmd {
	cmd, answer := redis.NewCmd(ctx), []any{}
	if len(keys) == 1 && keys[0] == keyServers {
		for _, key := range k.keys {
			answer = append(answer, key)
		}
	}
	cmd.SetVal(answer)
	return cmd
}

// Get answers what one server said.
func (k kept) Get(_ context.Context, key string) *redis.StringCmd { return k.values[key] }
