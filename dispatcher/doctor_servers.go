package dispatcher

import (
	"context"
	"fmt"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// silentFor is how long a replica may not be heard of; it reports each second. lagsMost is in bytes.
	silentFor = 10 * time.Second
	lagsMost  = 16 << 20
	// drift is how far a clock may be off before somebody should look at it; at maxSkew it is trouble.
	drift = time.Second
)

// servers looks at each server that is written to.
func (v *visit) servers(ctx context.Context) error {
	states, err := v.d.doctor.store.ServerStates(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Version == "" {
			v.warn("redis", at(s, "says nothing of itself: not known are its version, persistence, eviction, memory and replicas"),
				"let the user of redis.url ask INFO, as deploy/redis-acl.conf does; an embedded redis is for trials only")
			continue
		}
		v.version(s)
		v.persistence(s)
		v.eviction(s)
		v.memory(s)
		v.replicas(s)
	}
	return nil
}

// at says of which server a text is, where there are several.
func at(s redisstore.ServerState, text string) string {
	if s.Address == "" {
		return text
	}
	return s.Address + ": " + text
}

func (v *visit) version(s redisstore.ServerState) {
	text := at(s, fmt.Sprintf("%s, up for %s", s.Version, roughly(s.Up)))
	switch {
	case !isAtLeast(s.Version, 7, 0):
		v.bad("redis", text+": too old, scripts of outhook fail on it", "move to Redis or Valkey 7.0 or later")
	case s.Replica:
		v.bad("redis", text+", and a replica: it takes no writes",
			"point redis.url at the master, or at the sentinels, which know it; if the master is lost for good: redis-cli REPLICAOF NO ONE, here")
	default:
		v.ok("redis", text)
	}
}

func (v *visit) persistence(s redisstore.ServerState) {
	const check = "persistence"
	durable := v.d.cfg.Durable
	switch {
	case s.AOFFails:
		v.bad(check, at(s, "redis cannot write its append-only file, and refuses every write until it can"),
			"look at its disk (df -h) and its log; it goes on by itself")
	case s.SnapshotFails:
		v.bad(check, at(s, "redis could not save its last snapshot, and refuses every write unless stop-writes-on-bgsave-error is no"),
			"look at its disk (df -h), its memory and its log, then: redis-cli BGSAVE")
	case durable.AOFs > 0 && !isAtLeast(s.Version, 7, 2):
		v.bad(check, at(s, fmt.Sprintf("redis.durable %s needs Redis 7.2 or later: outhook serve ends at once", durable)), "use redis.durable wait:N, or off")
	case durable.AOFs > 0 && !s.AOF:
		v.bad(check, at(s, fmt.Sprintf("redis.durable %s needs an append-only file, and there is none: outhook serve ends at once", durable)),
			adviceAOF)
	case !s.AOF:
		v.warn(check, at(s, "no append-only file: when redis ends, what it was told since its last snapshot is lost"), adviceAOF)
	case s.RewriteFails:
		v.warn(check, at(s, "redis could not rewrite its append-only file, which grows until it can"),
			"look at its disk (df -h) and its log, then: redis-cli BGREWRITEAOF")
	default:
		v.ok(check, at(s, "append-only file"))
	}
}

const adviceAOF = "redis-cli CONFIG SET appendonly yes, and appendonly yes in redis.conf"

func (v *visit) eviction(s redisstore.ServerState) {
	advice := "redis-cli CONFIG SET maxmemory-policy " + webhook.NoEviction + ", and the same in redis.conf"
	switch {
	case s.Evicts() && s.MaxMemory > 0:
		v.bad("eviction", at(s, fmt.Sprintf("policy %s: a full redis drops what is stored, open deliveries too; no worker delivers meanwhile", s.Policy)), advice)
	case s.Evicts():
		v.warn("eviction", at(s, fmt.Sprintf("policy %s would drop what is stored if there were a maxmemory", s.Policy)), advice)
	default:
		v.ok("eviction", at(s, s.Policy))
	}
}

func (v *visit) memory(s redisstore.ServerState) {
	const check = "memory"
	if s.MaxMemory == 0 {
		v.warn(check, at(s, sizeOf(s.UsedMemory)+" in use, and no maxmemory: redis grows until the machine ends it"),
			"redis-cli CONFIG SET maxmemory 2gb, or what fits well into the machine's memory, and the same in redis.conf")
		return
	}
	publish, history := v.d.cfg.PublishWatermark, v.d.historyWatermark()
	text := at(s, fmt.Sprintf("%.0f %% of %s in use", 100*s.Used(), sizeOf(s.MaxMemory)))
	advice := "give it more: redis-cli CONFIG SET maxmemory, and in redis.conf; or keep less: outhook dead-letter delete, shorter retention.*"
	switch {
	case s.Full(1):
		v.bad(check, text+": full, no delivery is begun and nothing is published until there is room", advice)
	case s.Full(publish):
		v.bad(check, text+fmt.Sprintf(": publishing is refused from %s on (redis.publishWatermark); deliveries go on", share(publish)), advice)
	case s.Full(history):
		v.warn(check, text+fmt.Sprintf(": from %s on (redis.historyWatermark) the history of what was delivered is dropped, oldest first; publishing is refused at %s",
			share(history), share(publish)), advice)
	default:
		v.ok(check, text)
	}
}

func share(watermark float64) string { return fmt.Sprintf("%g %%", 100*watermark) }

func (v *visit) replicas(s redisstore.ServerState) {
	const check = "replicas"
	const advice = "look at the replica, and at the network between: redis-cli INFO replication"
	durable := v.d.cfg.Durable
	online, silent, behind := 0, time.Duration(0), int64(0)
	for _, r := range s.Replicas {
		if r.Online {
			online++
			silent, behind = max(silent, r.Lag), max(behind, r.Behind)
		}
	}
	wanted := max(durable.Replicas, durable.AOFs-1)
	switch {
	case online < wanted:
		v.bad(check, at(s, fmt.Sprintf("redis.durable %s needs %d, and %d follow: every publish is refused", durable, wanted, online)), advice)
	case online < len(s.Replicas):
		v.warn(check, at(s, fmt.Sprintf("%d of %d do not have everything yet: they are being sent it, or cannot keep up", len(s.Replicas)-online, len(s.Replicas))), advice)
	case silent >= silentFor:
		v.warn(check, at(s, fmt.Sprintf("one of %d has not been heard of for %s: a failover to it would lose what came since", online, roughly(silent))), advice)
	case behind >= lagsMost:
		v.warn(check, at(s, fmt.Sprintf("one of %d is %s behind: a failover to it would lose that", online, sizeOf(behind))), advice)
	case online == 0:
		v.ok(check, at(s, "none: what is lost with its machine is lost"))
	default:
		v.ok(check, at(s, fmt.Sprintf("%d, at most %s behind, heard of within %s", online, sizeOf(behind), roughly(max(silent, time.Second)))))
	}
}

// clock compares that of this machine, as workers do theirs.
func (v *visit) clock(ctx context.Context) error {
	skew, err := v.d.store.Ping(ctx)
	if err != nil {
		return err
	}
	off := skew.Abs().Round(time.Millisecond)
	side := "behind"
	if skew < 0 {
		side = "ahead of"
	}
	text := fmt.Sprintf("this machine is %s %s redis", off, side)
	const advice = "see which of the two is wrong, and have it follow a time server: date -u; chronyc tracking"
	switch {
	case off > maxSkew:
		v.bad("clock", text+fmt.Sprintf(": a worker whose clock is more than %s off takes nothing", maxSkew), advice)
	case off > drift:
		v.warn("clock", text+fmt.Sprintf(": from %s on, a worker takes nothing", maxSkew), advice)
	default:
		v.ok("clock", text)
	}
	return nil
}

// historyWatermark is the share of maxmemory at which delivered history is dropped.
func (d *Dispatcher) historyWatermark() float64 {
	return min(d.cfg.HistoryWatermark, d.cfg.PublishWatermark)
}
