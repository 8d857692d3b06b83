package main

import (
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"go.smobi.com/outhook/config"
)

const (
	// redisDial and redisAnswer bound one try of one command; go-redis makes up to four. What waits for an answer itself,
	// such as a publish, has its own and shorter deadline.
	redisDial   = time.Second
	redisAnswer = 2 * time.Second
	// minPool is enough to keep a Redis busy from one process, whatever the number of attempts in flight: each holds a
	// connection for well under a millisecond at a time.
	minPool  = 64
	idlePool = 4
	// durablePool is added where publishes wait for replicas, each with a connection.
	durablePool = 256

	lanes = 2 // live and bulk
)

// queuesOf is how many queues a process works.
func queuesOf(c config.Queue) int {
	if len(c.Serve) > 0 {
		return len(c.Serve)
	}
	return lanes * c.Shards
}

// redisOptions says how to reach Redis. waits is how many connections are held by blocking waits: one for each queue that is
// worked. In a cluster the pool is that of each node. TLS is up to redisTLS.
func redisOptions(t config.RedisTarget, waits int) redis.UniversalOptions {
	return redis.UniversalOptions{
		Addrs: t.Hosts, DB: t.DB, Username: t.Username, Password: t.Password.Reveal(),
		IsClusterMode: t.Scheme == "redis-cluster", MasterName: t.Master,
		SentinelUsername: t.SentinelUsername, SentinelPassword: t.SentinelPassword.Reveal(),
		ContextTimeoutEnabled: true,
		DialTimeout:           redisDial, ReadTimeout: redisAnswer, WriteTimeout: redisAnswer,
		DialerRetries: 1, // the tries of the command are enough
		PoolSize:      max(minPool, 10*runtime.GOMAXPROCS(0)) + waits,
		MinIdleConns:  idlePool,
		// Of Redis Enterprise only; elsewhere each new connection would be refused it.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		// The name and version of the library, told on each connection: a right more that the Redis user would need.
		DisableIdentity: true,
	}
}
