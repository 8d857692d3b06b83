package main

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"go.smobi.com/outhook/config"
)

// openRedisEvery is between looks at a Redis that does not answer yet.
const openRedisEvery = time.Second

// openRedis says what is wrong with a Redis that asks nobody who they are.
const (
	openToAll     = "redis has no authentication: whoever reaches it can read and change everything, and so take over outhook"
	openToMachine = "redis has no authentication: every program and user of this machine can read and change everything"
	openAdvice    = "give Redis the users of deploy/redis-acl.conf, and redis.url a user and password: redis://outhook:PASSWORD@host"
)

// warnOfOpenRedis logs once when Redis does what we ask without knowing who asks.
func (d *daemon) warnOfOpenRedis(ctx context.Context) {
	if d.set.proof {
		return
	}
	for d.rdb.Ping(ctx).Err() != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(openRedisEvery):
		}
	}
	message := openToAll
	if onThisMachine(d.set.redis.Addrs) {
		message = openToMachine
	}
	d.log.WarnContext(ctx, message, "redis", d.set.redis.Addrs, "do", openAdvice)
}

// provesItself tells whether Redis is told who asks: by a password, or by a certificate.
func provesItself(c config.Redis) bool {
	return !c.URL.Target().Password.IsZero() || c.ClientCertificate != ""
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
