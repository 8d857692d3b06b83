package egress

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"code.dny.dev/ssrf"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// mappedBits is the length of ::ffff:0:0/96, which IPv4-mapped addresses share.
const mappedBits = 96

// dialTimeout bounds DNS and connect, and then TLS, of a connection whose
// request is over: net/http finishes it for the next one. It is no shorter than
// the longest attempt, so that the attempt's own deadline is what a caller sees.
const dialTimeout = webhook.MaxTimeout

var (
	// azureWireServer answers the guests of Azure only, but is no special-purpose address.
	azureWireServer = netip.MustParsePrefix("168.63.129.16/32")
	// nat64 holds IPv4 addresses in its last 32 bits (RFC 6052, section 2.1).
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// guard decides which addresses may be dialled.
type guard struct {
	addresses *ssrf.Guardian
	resolver  *net.Resolver
}

func newGuard(cfg Config) guard {
	v4, v6 := families(cfg.Allow)
	options := []ssrf.Option{
		ssrf.WithAnyPort(),
		ssrf.WithAllowedV4Prefixes(v4...),
		ssrf.WithAllowedV6Prefixes(v6...),
		ssrf.WithDeniedV4Prefixes(azureWireServer),
	}
	if len(cfg.Ports) > 0 {
		ports := make([]uint16, len(cfg.Ports))
		for i, port := range cfg.Ports {
			ports[i] = uint16(port)
		}
		options = append(options, ssrf.WithPorts(ports...))
	}
	return guard{addresses: ssrf.New(options...), resolver: cfg.resolver}
}

// families sorts ranges by family; an IPv4 range is in both, as itself and mapped.
func families(allow []netip.Prefix) (v4, v6 []netip.Prefix) {
	for _, p := range allow {
		addr, bits := p.Addr(), p.Bits()
		if addr.Is4In6() {
			addr, bits = addr.Unmap(), bits-mappedBits
		}
		if !addr.Is4() {
			v6 = append(v6, p)
			continue
		}
		v4 = append(v4, netip.PrefixFrom(addr, bits))
		v6 = append(v6, netip.PrefixFrom(netip.AddrFrom16(addr.As16()), bits+mappedBits))
	}
	return v4, v6
}

// allows tells whether an address, on whatever port, may be dialled.
func (g guard) allows(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.Zone() != "" || g.addresses.SafeAddr(addr) != nil {
		return false
	}
	inner, found := embedded(addr)
	return !found || g.addresses.SafeAddr(inner) == nil
}

// embedded returns the IPv4 address that a router would take out of an IPv6
// one: NAT64, and ISATAP (RFC 5214, section 6.1), which can stand in any network.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	isatap := b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
	return netip.AddrFrom4([4]byte(b[12:])), isatap || nat64.Contains(addr)
}

// dial connects as net.Dialer does, but to no address that the guard refuses.
// When a name has several addresses, the allowed ones are tried. Errors are
// [dialError]s.
func (g guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var refused, tried atomic.Bool // Control is called for two families at once
	dialer := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: g.resolver,
		Control: func(network, address string, raw syscall.RawConn) error {
			err := g.control(network, address, raw)
			if err == nil {
				tried.Store(true)
			} else {
				refused.Store(true)
			}
			return err
		},
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, dialError{dialReason(err, refused.Load() && !tried.Load())}
	}
	return conn, nil
}

// control sees the address of a socket that is about to be connected.
func (g guard) control(network, address string, raw syscall.RawConn) error {
	if err := g.addresses.Safe(network, address, raw); err != nil {
		return err
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !g.allows(target.Addr()) {
		return ssrf.ErrProhibitedIP
	}
	return nil
}
