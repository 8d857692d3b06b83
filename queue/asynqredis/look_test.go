package asynqredis_test

import (
	"regexp"
	"testing"

	"github.com/redis/go-redis/v9"
)

const taskPrefix = "asynq:{" + queue + "}:t:"

// looks is how the queue stands in Redis: lists from left to right, so that what Asynq takes next is the last of pending.
type looks struct {
	pending, active []string
	leases          map[string]float64
	tasks           map[string]map[string]string // the hashes of those in the lists
}

func lookAt(t testing.TB, c redis.UniversalClient) looks {
	t.Helper()
	var pending, active *redis.StringSliceCmd
	var leases *redis.ZSliceCmd
	if _, err := c.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		pending, active = p.LRange(t.Context(), pendingKey, 0, -1), p.LRange(t.Context(), activeKey, 0, -1)
		leases = p.ZRangeWithScores(t.Context(), leaseKey, 0, -1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	l := looks{pending: pending.Val(), active: active.Val(), leases: map[string]float64{}, tasks: map[string]map[string]string{}}
	for _, z := range leases.Val() {
		l.leases[z.Member.(string)] = z.Score
	}
	for _, ids := range [][]string{l.pending, l.active} {
		for _, id := range ids {
			l.tasks[id] = c.HGetAll(t.Context(), taskPrefix+id).Val()
		}
	}
	return l
}

// payloads of these tests begin with a letter, and stand in Asynq's protobuf message behind the type "t".
var payload = regexp.MustCompile(`^\n\x01t\x12.([a-z0-9]+)\x1a`)

func payloadOf(t testing.TB, message string) string {
	t.Helper()
	found := payload.FindStringSubmatch(message)
	if found == nil {
		t.Fatalf("not a message: %q", message)
	}
	return found[1]
}
