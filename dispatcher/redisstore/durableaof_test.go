package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// disks answers WAITAOF as Redis 7.2 would, and lets everything else through.
type disks struct {
	through
	have []int64
	seen [][]any
	// hasty are the scripts in pipelines that end without a wait.
	hasty int
}

func (d *disks) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		last := cmds[len(cmds)-1]
		if last.Name() != "waitaof" {
			if cmds[0].Name() == "evalsha" {
				d.hasty++
			}
			return next(ctx, cmds)
		}
		d.seen = append(d.seen, append(last.Args(), cmds[len(cmds)-2].Name()))
		err := next(ctx, cmds[:len(cmds)-1])
		last.(*redis.IntSliceCmd).SetVal(d.have)
		return err
	}
}

// The redis-server of most machines is older than WAITAOF: its answers are staged.
func TestAPublishWaitsForDisks(t *testing.T) {
	t.Parallel()
	redistest.NotCluster(t, "what one server answers is staged; TestAPublishWaitsForEveryMaster is of a cluster")
	for _, tt := range []struct {
		aofs     int
		have     []int64
		accepted bool
		replicas int
	}{
		{1, []int64{1, 0}, true, 0}, {1, []int64{0, 3}, false, 0}, {1, []int64{0, 0}, false, 0}, {1, nil, false, 0},
		{3, []int64{1, 2}, true, 2}, {3, []int64{1, 1}, false, 2}, {3, []int64{0, 3}, false, 2}, {3, []int64{1}, false, 2},
	} {
		t.Run(fmt.Sprintf("%d, have %v", tt.aofs, tt.have), func(t *testing.T) {
			w := newWorld(t, redisstore.Config{Durable: webhook.Durability{AOFs: tt.aofs, Timeout: 700 * time.Millisecond}})
			w.endpoint("a")
			stage := &disks{have: tt.have}
			w.client.AddHook(stage)
			_, err := publishDurably(t, w.Store, w.event("e1"), "a")
			if accepted := err == nil; accepted != tt.accepted || !accepted && !errors.Is(err, webhook.ErrUnavailable) {
				t.Errorf("error %v, want accepted %t", err, tt.accepted)
			}
			want := fmt.Sprint([]any{"waitaof", 1, tt.replicas, 700, "set"})
			if got := fmt.Sprint(stage.seen[len(stage.seen)-1]); got != want {
				t.Errorf("sent %s, want %s", got, want)
			}
		})
	}
}

// A script that Redis does not know, and the rest of a fan-out, are sent in pipelines of their own: each waits.
func TestEveryPipelineOfAPublishWaits(t *testing.T) {
	t.Parallel()
	redistest.NotCluster(t, "what one server answers is staged; TestAPublishWaitsForEveryMaster is of a cluster")
	w := newWorld(t, redisstore.Config{Durable: webhook.Durability{AOFs: 1}})
	w.endpoint("a")
	redistest.ForgetScripts(t, w.rdb)
	stage := &disks{have: []int64{1, 0}}
	w.client.AddHook(stage)
	first := w.acceptedDurably(w.event("e1"), "a")
	redistest.ForgetScripts(t, w.rdb)
	again := w.acceptedDurably(w.event("e1"), "a") // unfinished
	if first.Duplicate || !again.Duplicate || len(again.Runs()) != 1 {
		t.Fatalf("%+v, then %+v", first, again)
	}
	if len(stage.seen) < 4 || stage.hasty != 0 {
		t.Errorf("%d waits, and %d pipelines without", len(stage.seen), stage.hasty)
	}
}
