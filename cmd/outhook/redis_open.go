package main

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// openRedisEvery is between looks at a Redis that does not answer yet.
const openRedisEvery = time.Second

// openRedis says what is wrong with a Redis that asks nobody who they are.
const (
	openToAll     = "redis has no authentication: whoever reaches it can read and change everything, and so take over outhook"
	openToMachine = "redis has no authentication: every program and user of this machine can read and change everything"
	openAdvice    = "give Redis the users of deploy/redis-acl.conf, and redis.url a user and password: redis://outhook:PASSWORD@host"
)

// warnOfOpenRedis logs once when Redis, as soon as it is there, does what somebody asks of whom it knows nothing: also when we
// tell it who we are.
func (d *daemon) warnOfOpenRedis(ctx context.Context) {
	for d.rdb.Ping(ctx).Err() != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(openRedisEvery):
		}
	}
	stranger := redis.NewUniversalClient(strangerTo(d.set.redis))
	defer func() { _ = stranger.Close() }()
	if stranger.Ping(ctx).Err() != nil {
		return
	}
	message := openToAll
	if onThisMachine(d.set.redis.Addrs) {
		message = openToMachine
	}
	d.log.WarnContext(ctx, message, "redis", d.set.redis.Addrs, "do", openAdvice)
}

// strangerTo is one connection that shows neither password nor certificate. Sentinels are told what they want to be told: they
// only know where Redis is.
func strangerTo(o redis.UniversalOptions) *redis.UniversalOptions {
	o.Username, o.Password = "", ""
	if o.TLSConfig != nil {
		o.TLSConfig = o.TLSConfig.Clone()
		o.TLSConfig.Certificates = nil
	}
	o.PoolSize, o.MinIdleConns = 1, 0
	return &o
}

func onThisMachine(hosts []string) bool {
	for _, address := range hosts {
		host, _, err := net.SplitHostPort(address)
		ip, errIP := netip.ParseAddr(host)
		local := errIP == nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
		if err != nil || !local {
			return false
		}
	}
	return true
}
