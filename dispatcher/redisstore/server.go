package redisstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Servers implements [webhook.Store]: the server, or every master of a cluster. It asks by INFO, which is
// allowed where CONFIG is not.
func (s *Store) Servers(ctx context.Context) ([]webhook.ServerInfo, error) {
	cluster, ok := s.rdb.(*redis.ClusterClient)
	if !ok {
		info, err := describe(ctx, s.rdb)
		if err != nil {
			return nil, unavailable("servers", err)
		}
		return []webhook.ServerInfo{info}, nil
	}
	var mu sync.Mutex
	var all []webhook.ServerInfo
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		info, err := describe(ctx, node)
		info.Address = node.Options().Addr
		mu.Lock()
		defer mu.Unlock()
		all = append(all, info)
		return err
	})
	if err != nil {
		return nil, unavailable("servers", err)
	}
	slices.SortFunc(all, func(a, b webhook.ServerInfo) int { return cmp.Compare(a.Address, b.Address) })
	return all, nil
}

// describe asks one server. One that does not know the question, or does not let us ask it, says nothing.
func describe(ctx context.Context, rdb redis.Cmdable) (webhook.ServerInfo, error) {
	text, err := rdb.Info(ctx, "server", "memory", "persistence", "replication").Result()
	if answers(err, "ERR", "NOPERM") {
		return webhook.ServerInfo{}, nil
	}
	return readInfo(text), err
}

func readInfo(text string) webhook.ServerInfo {
	var info webhook.ServerInfo
	for line := range strings.Lines(text) {
		field, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch field {
		case "redis_version":
			info.Version = value
		case "maxmemory_policy":
			info.Policy = value
		case "maxmemory":
			info.MaxMemory = number(value)
		case "used_memory":
			info.UsedMemory = number(value)
		case "aof_enabled":
			info.AOF = value == "1"
		case "role":
			info.Replica = value == "slave"
		}
	}
	return info
}
