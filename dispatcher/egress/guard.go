package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
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

// maxAddresses bounds how many addresses of one name a dial tries: a name may
// have thousands, none of which need be its owner's.
const maxAddresses = 16

// azureWireServer answers the guests of Azure only, but is no special-purpose address.
var azureWireServer = netip.MustParsePrefix("168.63.129.16/32")

// guard decides which addresses may be dialled.
type guard struct {
	// addresses has the operator's ranges, public has none.
	addresses, public *ssrf.Guardian
	// internal: an operator allowed ranges, so names of a private network may be meant.
	internal bool
	resolver *net.Resolver
	watch    func(net.Conn) net.Conn
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
	return guard{
		addresses: ssrf.New(options...),
		public:    ssrf.New(ssrf.WithDeniedV4Prefixes(azureWireServer)),
		internal:  len(cfg.Allow) > 0,
		resolver:  cfg.Resolver, watch: cfg.watch,
	}
}

// families sorts ranges by family; an IPv4 range is in both: as itself, and in
// the IPv6 forms by which the same hosts are reached, mapped and behind NAT64.
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
		v6 = append(v6,
			netip.PrefixFrom(netip.AddrFrom16(addr.As16()), bits+mappedBits),
			netip.PrefixFrom(throughNAT64(addr), bits+mappedBits))
	}
	return v4, v6
}

// allows tells whether an address, on whatever port, may be dialled.
func (g guard) allows(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.Zone() != "" || g.addresses.SafeAddr(addr) != nil {
		return false
	}
	if nat64.Contains(addr) {
		return g.addresses.SafeAddr(lastFour(addr)) == nil
	}
	return !slices.ContainsFunc(embedded(addr), func(inner netip.Addr) bool { return g.public.SafeAddr(inner) != nil })
}

func (g guard) allowsLoopback() bool {
	return g.allows(netip.IPv6Loopback()) || g.allows(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
}

// dial connects as net.Dialer does, but to no address that the guard refuses.
// When a name has several addresses, the allowed ones are tried. Errors are
// [dialError]s.
func (g guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var refused atomic.Bool // Control is called for two families at once
	var tried atomic.Int32
	dialer := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: g.resolver,
		Control: func(network, address string, raw syscall.RawConn) error {
			err := g.control(network, address, raw)
			if err != nil {
				refused.Store(true)
				return err
			}
			if tried.Add(1) > maxAddresses {
				return errTooMany
			}
			return nil
		},
	}
	conn, err := dialer.DialContext(ctx, network, g.rooted(address))
	if err != nil {
		return nil, dialError{dialReason(err, refused.Load() && tried.Load() == 0)}
	}
	if g.watch != nil {
		conn = g.watch(conn)
	}
	return conn, nil
}

// rooted puts the final dot to a name, so that no search domain of this machine is tried behind it: those are internal names.
func (g guard) rooted(address string) string {
	host, port, err := net.SplitHostPort(address)
	if _, notAddress := netip.ParseAddr(host); err != nil || g.internal || notAddress == nil {
		return address
	}
	return net.JoinHostPort(host+".", port)
}

var errTooMany = errors.New("enough addresses were tried")

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
