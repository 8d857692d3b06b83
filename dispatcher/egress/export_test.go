package egress

import (
	"context"
	"net"
	"time"
)

// WithWatch returns a copy of the configuration whose connections pass through watch.
func (c Config) WithWatch(watch func(net.Conn) net.Conn) Config {
	c.watch = watch
	return c
}

// WithResolver returns a copy of the configuration that asks another name server.
func (c Config) WithResolver(r *net.Resolver) Config {
	c.Resolver = r
	return c
}

// Dials answers how many connections an attempt may open that never gets one.
func Dials() (n int) {
	ctx := withTries(context.Background(), &tries{until: time.Now().Add(time.Hour)})
	for range 100 {
		_, cancel, err := admitDial(ctx)
		if err != nil {
			break
		}
		cancel()
		n++
	}
	return n
}
