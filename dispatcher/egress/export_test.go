package egress

import "net"

// WithResolver returns a copy of the configuration that asks another name server.
func (c Config) WithResolver(r *net.Resolver) Config {
	c.resolver = r
	return c
}
