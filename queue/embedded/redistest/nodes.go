package redistest

import (
	"context"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Each calls do for every master that the client knows, one after another, and fails the test on an error.
func Each(t testing.TB, rdb redis.UniversalClient, do func(ctx context.Context, node *redis.Client) error) {
	t.Helper()
	var err error
	switch client := rdb.(type) {
	case *redis.ClusterClient:
		var one sync.Mutex
		err = client.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
			one.Lock()
			defer one.Unlock()
			return do(ctx, node)
		})
	case *redis.Client:
		err = do(t.Context(), client)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Keys lists all keys that match the pattern, of all masters. The client must be one that may, see [Admin].
func Keys(t testing.TB, rdb redis.UniversalClient, pattern string) (all []string) {
	t.Helper()
	Each(t, rdb, func(ctx context.Context, node *redis.Client) error {
		keys, err := node.Keys(ctx, pattern).Result()
		all = append(all, keys...)
		return err
	})
	return all
}

// Configure sets a parameter of every master. The client must be one that may, see [Admin].
func Configure(t testing.TB, rdb redis.UniversalClient, parameter, value string) {
	t.Helper()
	Each(t, rdb, func(ctx context.Context, node *redis.Client) error {
		return node.ConfigSet(ctx, parameter, value).Err()
	})
}

// ForgetScripts has every master know no script, as after a restart. The client must be one that may, see [Admin].
func ForgetScripts(t testing.TB, rdb redis.UniversalClient) {
	t.Helper()
	Each(t, rdb, func(ctx context.Context, node *redis.Client) error { return node.ScriptFlush(ctx).Err() })
}
