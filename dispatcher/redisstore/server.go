package redisstore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Servers implements [webhook.Store]: the server, or every master of a cluster. It asks by INFO, which is
// allowed where CONFIG is not.
func (s *Store) Servers(ctx context.Context) ([]webhook.ServerInfo, error) {
	return eachServer(ctx, s.rdb, func(address, text string) webhook.ServerInfo {
		info := readInfo(text)
		info.Address = address
		return info
	})
}

// eachServer reads what the servers that are written to say of themselves, by address, which is empty where there is one only.
func eachServer[T any](ctx context.Context, rdb redis.UniversalClient, read func(address, text string) T) ([]T, error) {
	cluster, ok := rdb.(*redis.ClusterClient)
	if !ok {
		text, err := describe(ctx, rdb)
		if err != nil {
			return nil, unavailable("servers", err)
		}
		return []T{read("", text)}, nil
	}
	var mu sync.Mutex
	texts := map[string]string{}
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		text, err := describe(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		texts[node.Options().Addr] = text
		return err
	})
	if err != nil {
		return nil, unavailable("servers", err)
	}
	var all []T
	for _, address := range slices.Sorted(maps.Keys(texts)) {
		all = append(all, read(address, texts[address]))
	}
	return all, nil
}

// describe asks one server. One that does not know the question, or does not let us ask it, says nothing.
func describe(ctx context.Context, rdb redis.Cmdable) (string, error) {
	text, err := rdb.Info(ctx, "server", "memory", "persistence", "replication").Result()
	if answers(err, "ERR", "NOPERM") {
		return "", nil
	}
	return text, err
}

// infoFields are the lines of an INFO.
func infoFields(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if field, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[field] = value
		}
	}
	return fields
}

func readInfo(text string) webhook.ServerInfo {
	f := infoFields(text)
	return webhook.ServerInfo{
		Version: f["redis_version"], Policy: f["maxmemory_policy"],
		MaxMemory: number(f["maxmemory"]), UsedMemory: number(f["used_memory"]),
		AOF: f["aof_enabled"] == "1", Replica: f["role"] == "slave",
	}
}
