package asynqredis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
)

// trips counts the round trips in which tasks end, and can hold them up.
type trips struct {
	mu    sync.Mutex
	sizes []int
	ends  int           // tasks, of which one command may end many
	hold  chan struct{} // nil holds nothing
}

func (h *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.note([]redis.Cmder{cmd})
		return next(ctx, cmd)
	}
}

func (h *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.note(cmds)
		return next(ctx, cmds)
	}
}

func (h *trips) note(cmds []redis.Cmder) {
	if args := cmds[0].Args(); len(args) < 5 || args[3] != activeKey && args[4] != activeKey {
		return
	}
	h.mu.Lock()
	h.sizes = append(h.sizes, len(cmds))
	for _, cmd := range cmds {
		h.ends++
		if args := cmd.Args(); args[1] == asynqredis.DoneDigest {
			h.ends += args[2].(int) - 5 // keys: four, and one of each task
		}
	}
	h.mu.Unlock()
	if h.hold != nil {
		<-h.hold
	}
}

// sent is how many tasks are being ended, or have been.
func (h *trips) sent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends
}

func (h *trips) all() []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sizes
}

// endings are the ways a task leaves the handler, by the key that it is in afterwards; done is nowhere.
var endings = map[string]error{"done": nil, "retry": errors.New("again"), "archived": asynq.SkipRetry}

// While one or two ends are on their way the others gather, and go together.
func TestEndsGoTogether(t *testing.T) {
	for backend, open := range backends {
		for name, end := range endings {
			t.Run(backend+" "+name, func(t *testing.T) {
				t.Parallel()
				inner, seen := open(t), &trips{hold: make(chan struct{})}
				inner.AddHook(seen)
				const tasks = 30
				var atOnce, leaving sync.WaitGroup
				atOnce.Add(tasks)
				leaving.Add(tasks)
				client := asynqredis.New(inner, asynqredis.Config{Logger: quiet(), NoPipelining: without("pipelining")})
				cfg := serverConfig(&lines{}, time.Millisecond)
				cfg.Concurrency = tasks
				server := asynq.NewServerFromRedisClient(client, cfg)
				for i := range tasks {
					enqueue(t, inner, strconv.Itoa(i))
				}
				if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
					defer leaving.Done()
					atOnce.Done()
					atOnce.Wait()
					return end
				})); err != nil {
					t.Fatal(err)
				}
				leaving.Wait()
				eventually(t, 10*time.Second, "the others wait", func() bool { return without("pipelining") || seen.sent()+asynqredis.Waiting(client) >= tasks })
				close(seen.hold)
				eventually(t, 10*time.Second, "all have ended", func() bool { return inner.LLen(t.Context(), activeKey).Val() == 0 })
				client.Stop()
				server.Shutdown()
				client.Close()

				if n := len(seen.all()); n > tasks/2 && !without("pipelining") {
					t.Errorf("%d round trips: %v", n, seen.all())
				}
				if now := lookAt(t, inner); len(now.leases) > 0 || len(now.pending) > 0 {
					t.Errorf("left: %v", now)
				}
				if n := inner.ZCard(t.Context(), "asynq:{"+queue+"}:"+name).Val(); name != "done" && n != tasks {
					t.Errorf("%d are %s", n, name)
				}
			})
		}
	}
}

// Who comes while two pipelines are under way waits for the next pipeline, gets the answer to its own command, and is not ended by
// the context of another.
func TestWhoWaitsGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &staging{answer: make(chan error)}
		c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
		ended, end := context.WithCancel(t.Context())
		end()
		errs := map[string]error{}
		var mu sync.Mutex
		var all sync.WaitGroup
		send := func(name string) {
			all.Go(func() {
				err := c.EvalSha(ended, name, []string{activeKey, leaseKey, taskPrefix + name}, name).Err()
				mu.Lock()
				defer mu.Unlock()
				errs[name] = err
			})
			synctest.Wait()
		}
		for _, name := range []string{"a", "b", "c", "d"} {
			send(name)
		}
		inner.answer <- nil // to a or b: two are under way
		synctest.Wait()
		send("e")
		for range 3 {
			inner.answer <- nil
		}
		all.Wait()
		send("f")
		inner.answer <- nil
		all.Wait()

		if got := fmt.Sprint(inner.sent); got != "[[a] [b] [c d] [e] [f]]" {
			t.Errorf("sent %s", got)
		}
		for name, err := range errs {
			want := map[string]string{"c": "c's"}[name]
			if err == nil && want != "" || err != nil && err.Error() != want {
				t.Errorf("%s got %v", name, err)
			}
		}
		if len(errs) != 6 || inner.ended > 0 {
			t.Errorf("%d answers, %d contexts had ended", len(errs), inner.ended)
		}
	})
}

// staging is a Redis that answers when the test says so; c's command fails in a pipeline.
type staging struct {
	redis.UniversalClient
	answer chan error
	sent   [][]string
	ended  int
}

func (s *staging) Process(ctx context.Context, cmd redis.Cmder) error {
	err := s.run(ctx, []redis.Cmder{cmd})
	cmd.SetErr(err)
	return err
}

func (s *staging) run(ctx context.Context, cmds []redis.Cmder) error {
	var names []string
	for _, cmd := range cmds {
		names = append(names, cmd.Args()[1].(string))
	}
	s.sent = append(s.sent, names)
	if ctx.Err() != nil {
		s.ended++
	}
	return <-s.answer
}

func (s *staging) Pipeline() redis.Pipeliner { return &stagedPipe{to: s} }

type stagedPipe struct {
	redis.Pipeliner
	to   *staging
	cmds []redis.Cmder
}

func (p *stagedPipe) Process(_ context.Context, cmd redis.Cmder) error {
	p.cmds = append(p.cmds, cmd)
	return nil
}

func (p *stagedPipe) Exec(ctx context.Context) ([]redis.Cmder, error) {
	err := p.to.run(ctx, p.cmds)
	for _, cmd := range p.cmds {
		if cmd.Args()[1] == "c" {
			cmd.SetErr(errors.New("c's"))
		}
	}
	return p.cmds, err
}
