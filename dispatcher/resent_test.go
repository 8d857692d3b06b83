package dispatcher_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// sentTwice is a network that loses the first answers to some scripts, so that the
// client sends them once more.
type sentTwice struct {
	redis.Hook
	lose int
}

func (s *sentTwice) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *sentTwice) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (s *sentTwice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if s.lose > 0 && cmds[0].Name() == "evalsha" {
			s.lose--
			_ = next(ctx, cmds)
		}
		return next(ctx, cmds)
	}
}

// Whoever creates an endpoint gets its secret, although the answer that it was
// created came too late; whoever rotates gets one new secret and not two.
func TestSecretsWhenCommandsAreSentTwice(t *testing.T) {
	t.Parallel()
	rdb := dispatchertest.Embedded(t)
	network := &sentTwice{}
	rdb.AddHook(network)
	cfg := dispatchertest.Config()
	cfg.Redis = rdb
	d, err := dispatcher.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e := webhook.Endpoint{ID: "a", Brand: "acme", URL: "https://example.com/", Purpose: webhook.PurposeStatus}
	network.lose = 10
	stored, created, err := d.CreateEndpoint(t.Context(), e)
	if err != nil || !created {
		t.Fatalf("created %t, %v", created, err)
	}
	if again, created, err := d.CreateEndpoint(t.Context(), e); err != nil || created || !again.Secrets[0].SameKey(stored.Secrets[0]) {
		t.Fatalf("the same again: created %t, %v", created, err)
	}
	network.lose = 1
	rotated, err := d.RotateSecret(t.Context(), stored.Ref(), webhook.Rotation{})
	if err != nil || len(rotated.Secrets) != 2 || !rotated.Secrets[1].SameKey(stored.Secrets[0]) {
		t.Fatalf("%d secrets after one rotation, %v", len(rotated.Secrets), err)
	}
}
