package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/queue/embedded"
)

// devKey marks a database as one that a dev is working on.
const devKey = "oh:dev"

// claimWithin bounds what is done to a Redis before and after all else.
const claimWithin = 10 * time.Second

// devRedis is the Redis that dev works on: its own, or an empty place in somebody else's.
type devRedis struct {
	url config.RedisURL
	// own is nil when the Redis is somebody else's.
	own *embedded.Server
}

// findRedis starts a Redis when no URL is given.
func findRedis(given string) (devRedis, error) {
	if given != "" {
		url, err := config.ParseRedisURL(given)
		if err != nil {
			return devRedis{}, usage("--redis: %w", err)
		}
		return devRedis{url: url}, nil
	}
	server, err := embedded.Start()
	if err != nil {
		return devRedis{}, err
	}
	url, err := config.ParseRedisURL("redis://" + server.Addr())
	if err != nil {
		server.Close()
		return devRedis{}, err
	}
	return devRedis{url: url, own: server}, nil
}

// notice says what becomes of what is kept there.
func (r devRedis) notice() string {
	if r.own != nil {
		return embedded.Notice
	}
	return fmt.Sprintf("%s: what dev stores there is deleted when it ends", r.url)
}

// claim refuses a Redis in which outhook or another Asynq program has left
// something: its workers are not here, ours would run its tasks, and nobody has
// the key to its secrets.
func (r devRedis) claim(ctx context.Context, client redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	err := eachOurs(ctx, client, func(_ context.Context, keys []string) error {
		return fmt.Errorf("key %q is there: dev wants a database without keys of outhook or Asynq, such as another number", keys[0])
	})
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	claimed, err := client.SetNX(ctx, devKey, "1", 0).Result()
	if err == nil && !claimed {
		err = errors.New("another dev has just started on it")
	}
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// release deletes what dev stored: its keys are gone, so nobody could read it.
func (r devRedis) release(ctx context.Context, client redis.UniversalClient) error {
	if r.own != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimWithin)
	defer cancel()
	err := eachOurs(ctx, client, func(ctx context.Context, keys []string) error { return deleteKeys(ctx, client, keys) })
	if err != nil {
		return fmt.Errorf("delete what is in redis: %w", err)
	}
	return nil
}

// close ends the Redis if it is dev's own.
func (r devRedis) close() error {
	if r.own != nil {
		r.own.Close()
	}
	return nil
}

// eachOurs hands over the keys that outhook and Asynq use, some at a time.
func eachOurs(ctx context.Context, client redis.UniversalClient, do func(context.Context, []string) error) error {
	for _, pattern := range []string{"oh:*", "asynq:*"} {
		err := eachNode(ctx, client, func(ctx context.Context, node redis.Cmdable) error { return scan(ctx, node, pattern, do) })
		if err != nil {
			return err
		}
	}
	return nil
}

func eachNode(ctx context.Context, client redis.UniversalClient, do func(context.Context, redis.Cmdable) error) error {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return do(ctx, node) })
	}
	return do(ctx, client)
}

func scan(ctx context.Context, node redis.Cmdable, pattern string, do func(context.Context, []string) error) error {
	var cursor uint64
	for {
		keys, next, err := node.Scan(ctx, cursor, pattern, 1000).Result()
		if err == nil && len(keys) > 0 {
			err = do(ctx, keys)
		}
		if err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

// deleteKeys names one key a command: in a cluster they are on many slots.
func deleteKeys(ctx context.Context, client redis.UniversalClient, keys []string) error {
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Unlink(ctx, key)
		}
		return nil
	})
	return err
}
