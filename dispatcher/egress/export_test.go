package egress

import (
	"context"
	"net"
	"net/url"
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

// MaxKnown bounds the URLs that are kept parsed, and Known is how many are.
const MaxKnown = maxKnown

func (c *Client) Known() int { return len(c.known.destinations) }

// Destination answers where an attempt goes, which is what all attempts to raw share.
func (c *Client) Destination(raw string) (*url.URL, error) {
	d, err := c.destination(raw)
	return d.url, err
}
