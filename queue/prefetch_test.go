package queue_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue"
)

// No more tasks are taken from Redis than have a slot, of which a queue has half and one of replays a 32nd.
func TestNoMoreTasksAreTakenThanCanBegin(t *testing.T) {
	t.Parallel()
	rdb, seen := embeddedClient(t), &pops{most: map[string]int{}}
	rdb.AddHook(seen)
	q := open(t, queue.Config{Redis: rdb, Concurrency: 64, Shards: 1})
	runs := runsOf(q, 200)
	for i := range runs[100:] {
		runs[100+i].Queue = "bulk-0"
	}
	enqueue(t, q, runs...)
	g := newGauge()
	work(t, q, g.handle)
	eventually(t, "all slots are taken", func() bool { return active(t, rdb, "live-0", "bulk-0") == 64+2 })
	close(g.gate)
	eventually(t, "all handled", func() bool { _, _, done := g.look(); return done == 200 })
	for name, most := range map[string]int{"live-0": 32, "bulk-0": 2} {
		if got := seen.mostOf(name); got > most || got == 0 && !withoutPrefetch() {
			t.Errorf("%s: %d asked for at once, want at most %d", name, got, most)
		}
	}
}

// pops notes how many tasks were asked for at once, of each queue.
type pops struct {
	redis.Hook
	mu   sync.Mutex
	most map[string]int
}

func (p *pops) DialHook(next redis.DialHook) redis.DialHook { return next }

func (p *pops) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (p *pops) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); cmd.Name() == "evalsha" && args[2] == 5 && strings.HasSuffix(args[3].(string), "}:pending") {
			p.mu.Lock()
			name := strings.TrimSuffix(strings.TrimPrefix(args[3].(string), "asynq:{"), "}:pending")
			p.most[name] = max(p.most[name], args[len(args)-1].(int))
			p.mu.Unlock()
		}
		return next(ctx, cmd)
	}
}

func (p *pops) mostOf(queue string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most[queue]
}
