package asynqredis_test

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// measured is how long commands are counted: two of Asynq's heartbeats, and an end well between two.
const measured = 9 * time.Second

// The server counts everything it runs, what a script calls included. Asynq's own share is what an Asynq that never looks into
// its queue sends in the same time.
func TestIdleWorkerSendsTwoCommandsASecond(t *testing.T) {
	redistest.OneServer(t, "what one server was sent is counted, without what servers tell each other")
	tests := map[string]func(t *testing.T, c redis.UniversalClient){
		"idle": func(*testing.T, redis.UniversalClient) {},
		"paused with a pending task": func(t *testing.T, c redis.UniversalClient) {
			enqueue(t, c, "held")
			if err := asynq.NewInspectorFromRedisClient(c).PauseQueue(queue); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, stage := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			control, subject := redistest.Start(t).Client(t), redistest.Start(t).Client(t)
			stage(t, control)
			stage(t, subject)
			resetStats(t, control)
			resetStats(t, subject)

			bare := asynq.NewServerFromRedisClient(neverDequeues{control}, serverConfig(&lines{}, time.Millisecond))
			if err := bare.Start(asynq.NewServeMux()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(bare.Shutdown)
			startWorker(t, subject, asynqredis.Config{})
			time.Sleep(measured) // the span itself is what is counted over

			own, all := commandsRun(t, control), commandsRun(t, subject)
			t.Logf("in %v: %d commands, %d of them Asynq's own", measured, all, own)
			if most := int(2 * measured / time.Second); all-own > most {
				t.Errorf("%d commands beside Asynq's own, want at most %d", all-own, most)
			}
			if all-own < 5 {
				t.Errorf("%d commands beside Asynq's own: the worker did not wait", all-own)
			}
		})
	}
}

// neverDequeues keeps Asynq's dequeues from Redis.
type neverDequeues struct{ redis.UniversalClient }

func (n neverDequeues) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	if len(keys) == 4 && keys[0] == pendingKey {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(redis.Nil)
		return cmd
	}
	return n.UniversalClient.EvalSha(ctx, sha1, keys, args...)
}

func resetStats(t *testing.T, c redis.UniversalClient) {
	t.Helper()
	if err := redistest.Admin(t, c).ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

var commandCalls = regexp.MustCompile(`cmdstat_([^:]+):calls=(\d+)`)

// commandsRun sums what the server counted, less what this test itself sends.
func commandsRun(t *testing.T, c redis.UniversalClient) (sum int) {
	t.Helper()
	stats, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range commandCalls.FindAllStringSubmatch(stats, -1) {
		switch m[1] {
		case "info", "config|resetstat", "hello", "client|setinfo", "client|maint_notifications":
		default:
			n, _ := strconv.Atoi(m[2])
			sum += n
		}
	}
	return sum
}
