package asynqredis_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
)

type scriptCall func(redis.UniversalClient, context.Context) *redis.Cmd

// scriptCalls are the ways to run a script; on the server of these tests each answers 1.
var scriptCalls = map[string]scriptCall{
	"Eval":      func(c redis.UniversalClient, ctx context.Context) *redis.Cmd { return c.Eval(ctx, "return 1", nil) },
	"EvalSha":   func(c redis.UniversalClient, ctx context.Context) *redis.Cmd { return c.EvalSha(ctx, returnOne, nil) },
	"EvalRO":    func(c redis.UniversalClient, ctx context.Context) *redis.Cmd { return c.EvalRO(ctx, "return 1", nil) },
	"EvalShaRO": func(c redis.UniversalClient, ctx context.Context) *redis.Cmd { return c.EvalShaRO(ctx, returnOne, nil) },
}

var returnOne = redis.NewScript("return 1").Hash()

type valueKey struct{}

// contexts is a go-redis hook that notes the context of each command.
type contexts struct{ all []context.Context }

func (h *contexts) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *contexts) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *contexts) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.all = append(h.all, ctx)
		return next(ctx, cmd)
	}
}

func TestScriptsOutliveTheirContext(t *testing.T) {
	for name, call := range scriptCalls {
		for _, off := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				inner, seen := embeddedClient(t), &contexts{}
				inner.ScriptLoad(t.Context(), "return 1")
				inner.AddHook(seen)
				c := asynqredis.New(inner, asynqredis.Config{NoWithoutCancel: off})
				ctx, cancel := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "kept"))
				cancel()

				call(c, ctx)

				got := seen.all[0]
				if ended := got.Err() != nil; ended != off {
					t.Errorf("context of the command ended: %v, want %v", ended, off)
				}
				if got.Value(valueKey{}) != "kept" {
					t.Error("the context has lost its value")
				}
			})
		}
	}
}

func TestCloseLeavesTheInnerClientOpen(t *testing.T) {
	inner := embeddedClient(t)
	c := asynqredis.New(inner, asynqredis.Config{})
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := inner.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for name, call := range scriptCalls {
		inner.ScriptLoad(t.Context(), "return 1")
		if n, err := call(c, t.Context()).Int(); err != nil || n != 1 {
			t.Errorf("%s answered %d, %v after Close", name, n, err)
		}
	}
}
