package asynqredis

import (
	"crypto/sha1"
	"encoding/hex"
	"log/slog"
	"strings"
)

// The digests of scripts of Asynq v0.26.0. Tests compare them with what Asynq sends.
const (
	// dequeueSHA takes a task.
	dequeueSHA = "a8153319360adc71cdc370107f8ab9786f204765"
	// doneSHA ends a task that is neither to be kept for a time nor the only one of its kind.
	doneSHA = "1241eaa1c73409baaf1fea0c08d203a4911bda15"
)

// queueKeys are those of a queue's keys that matter here, and how all of them begin.
type queueKeys struct{ queue, pending, paused, active, lease string }

// dequeueOf tells a dequeue of Asynq's by its four keys, which no other of its scripts has, and answers whose it is.
func dequeueOf(keys []string) (queueKeys, bool) {
	if len(keys) != 4 {
		return queueKeys{}, false
	}
	queue, ok := strings.CutSuffix(keys[0], ":pending")
	if !ok || !strings.HasPrefix(queue, "asynq:{") ||
		keys[1] != queue+":paused" || keys[2] != queue+":active" || keys[3] != queue+":lease" {
		return queueKeys{}, false
	}
	return queueKeys{queue: queue, pending: keys[0], paused: keys[1], active: keys[2], lease: keys[3]}, true
}

// known watches whether the dequeues are such that the cures may step in.
type known struct {
	log     *slog.Logger
	pending string // the queue served
	several bool   // queues: waiting for one would hold up the others
	unknown bool   // script
}

// understands says whether the idle wait and the prefetch may step in, and logs once when they may not.
func (k *known) understands(q queueKeys, sha1 string) bool {
	if k.pending == "" {
		k.pending = q.pending
	}
	if q.pending != k.pending && !k.several {
		k.several = true
		k.log.Warn("asynq server works several queues: idle wait and prefetch are off", "queue", k.pending, "another", q.pending)
	}
	if sha1 != dequeueSHA && !k.unknown {
		k.unknown = true
		k.log.Warn("asynq dequeues by a script that is not known: idle wait and prefetch are off", "sha1", sha1, "known", dequeueSHA)
	}
	return !k.several && !k.unknown
}

// digest is what Redis calls a script by: SHA-1 is its choice and guards nothing here.
func digest(script string) string {
	sum := sha1.Sum([]byte(script))
	return hex.EncodeToString(sum[:])
}

// endsTask tells a script of Asynq's that takes a task out of the active ones: done, retry, archive and requeue. Each refuses
// a task that is not active any more, so that sending it again does no harm.
func endsTask(keys []string) bool {
	return len(keys) > 2 && (strings.HasSuffix(keys[0], "}:active") || strings.HasSuffix(keys[1], "}:active"))
}
