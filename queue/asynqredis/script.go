package asynqredis

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

// dequeueSHA is the digest of the script with which Asynq v0.26.0 takes a task. A test compares it with what Asynq sends.
const dequeueSHA = "a8153319360adc71cdc370107f8ab9786f204765"

// queueKeys are those of a queue's keys on which the idle wait looks.
type queueKeys struct{ pending, paused string }

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
	return queueKeys{pending: keys[0], paused: keys[1]}, true
}

// digest is what Redis calls a script by: SHA-1 is its choice and guards nothing here.
func digest(script string) string {
	sum := sha1.Sum([]byte(script))
	return hex.EncodeToString(sum[:])
}
