package queue

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// The lanes. Replays have their own, so that they never stand in the way of what happens now.
const (
	LaneLive = "live"
	LaneBulk = "bulk"
)

// names of all queues, lane by lane.
func names(shards int) []string {
	all := make([]string, 0, 2*shards)
	for _, lane := range []string{LaneLive, LaneBulk} {
		for shard := range shards {
			all = append(all, queueName(lane, shard))
		}
	}
	return all
}

func queueName(lane string, shard int) string { return lane + "-" + strconv.Itoa(shard) }

// WorksReplays tells whether some of [Config.Serve] are queues of replays; none named are all.
func WorksReplays(serve []string) bool { return len(serve) == 0 || slices.ContainsFunc(serve, isBulk) }

// replayLinger is how long a step of a replay waits for others to share its script: each alone would cost Redis, and by that live
// deliveries, several times as much.
const replayLinger = 10 * time.Millisecond

// Linger is how long a process that works [Config.Serve] has a step of a delivery wait for others: not at all, unless all of them are
// queues of replays.
func Linger(serve []string) time.Duration {
	if worksReplaysAlone(serve) {
		return replayLinger
	}
	return 0
}

func worksReplaysAlone(serve []string) bool {
	return len(serve) > 0 && !slices.ContainsFunc(serve, func(name string) bool { return !isBulk(name) })
}

func isBulk(queue string) bool { return strings.HasPrefix(queue, LaneBulk) }

// shard of an endpoint: FNV-1a, 32 bits, of "brand:endpoint". Processes of different versions share the queues, so this
// function never changes; the answer changes with the number of shards only, and a run keeps the queue it was released to.
func shard(ref webhook.EndpointRef, shards int) int {
	h := fnv.New32a()
	h.Write([]byte(ref.String()))
	return int(h.Sum32() % uint32(shards))
}
