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
	ctx := (&tries{until: time.Now().Add(time.Hour)}).within(context.Background())
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

func (c *Client) Known() int { return len(c.known.values) }

// Destination answers where an attempt goes, which is what all attempts to raw share.
func (c *Client) Destination(raw string) (*url.URL, error) {
	d, err := c.destination(raw)
	return d.url, err
}

// The most connections that are kept idle, in all and to one destination, and for how long.
const (
	MaxIdle, MaxIdlePerHost = maxIdle, maxIdlePerHost
	IdleTimeout, SweepEvery = idleTimeout, sweepEvery
)

// Idle answers how many connections of HTTP/1.1 wait for a request.
func (c *Client) Idle() int { return c.idle.len() }

// Idle is what a client keeps its connections in.
type Idle struct{ idle }

// Put keeps a connection to a destination, Take answers whether one was kept.
func (i *Idle) Put(conn net.Conn, key string) { i.put(newHTTP1(newMeter(conn), key)) }

func (i *Idle) Take(key string) bool { return i.take(key) != nil }

// Len answers how many are kept, having counted them in two ways.
func (i *Idle) Len() int { return i.len() }

func (i *idle) len() (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, conns := range i.conns {
		n += len(conns)
	}
	if n != i.total {
		return -1
	}
	return n
}

// EndsByDeadline answers whether the deadline of an attempt closes the connection that it uses, and one that it has used.
func EndsByDeadline() (using, used bool) {
	meet := func(before func(*tries)) bool {
		conn, other := net.Pipe()
		defer conn.Close()
		defer other.Close()
		t := &tries{}
		t.take(newHTTP1(newMeter(conn), ""))
		before(t)
		t.expire()
		t.end()
		return conn.SetDeadline(time.Time{}) != nil
	}
	return meet(func(*tries) {}), meet(func(t *tries) { t.release() })
}

// Posts answers how many connections of HTTP/1.1 an attempt may use, one after the other.
func Posts() (n int) {
	conn, other := net.Pipe()
	defer conn.Close()
	defer other.Close()
	t := &tries{}
	defer t.end()
	for n < 100 && t.take(newHTTP1(newMeter(conn), "")) {
		n++
	}
	return n
}
