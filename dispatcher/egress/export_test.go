package egress

import "net"

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
