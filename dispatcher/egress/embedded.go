package egress

import "net/netip"

// nat64 holds an IPv4 address in its last 32 bits (RFC 6052, section 2.1), by
// which a network without IPv4 reaches the same host.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Networks whose addresses hold an IPv4 address as well, which some router, or
// the machine's own kernel, takes out and sends the packet to. Where an operator
// has allowed one of them, or all of IPv6, what it holds must be public.
var (
	// siit is RFC 2765, section 2.1.
	siit = netip.MustParsePrefix("::ffff:0:0:0/96")
	// compatible is RFC 4291, section 2.5.5.1; it holds :: and ::1, which are none.
	compatible = netip.MustParsePrefix("::/96")
	// sixToFour is RFC 3056, section 2.
	sixToFour = netip.MustParsePrefix("2002::/16")
	// teredo is RFC 4380, section 4: a server, and a client whose bits are flipped.
	teredo = netip.MustParsePrefix("2001::/32")
)

// embedded returns the IPv4 addresses in an IPv6 one, NAT64 aside; ISATAP (RFC
// 5214, section 6.1) can stand in any network.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	var inner []netip.Addr
	b := addr.As16()
	switch {
	case sixToFour.Contains(addr):
		inner = append(inner, netip.AddrFrom4([4]byte(b[2:])))
	case teredo.Contains(addr):
		inner = append(inner, netip.AddrFrom4([4]byte(b[4:])), netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}))
	case siit.Contains(addr):
		inner = append(inner, lastFour(addr))
	case compatible.Contains(addr) && !addr.IsUnspecified() && !addr.IsLoopback():
		inner = append(inner, lastFour(addr))
	}
	if isISATAP(b) {
		inner = append(inner, lastFour(addr))
	}
	return inner
}

func isISATAP(b [16]byte) bool {
	return b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

func lastFour(addr netip.Addr) netip.Addr {
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

func throughNAT64(addr netip.Addr) netip.Addr {
	b, v4 := nat64.Addr().As16(), addr.As4()
	copy(b[12:], v4[:])
	return netip.AddrFrom16(b)
}
