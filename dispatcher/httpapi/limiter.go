package httpapi

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// triesAtOnce is what an address may spend at once, triesEvery how long it
	// takes to get one back.
	triesAtOnce = 20
	triesEvery  = time.Second
	// triedAddresses bounds the memory, and keptAddresses is what is left of it
	// when it has to be cleaned: not one less, or each new one would clean again.
	triedAddresses = 10_000
	keptAddresses  = triedAddresses * 9 / 10
	// clientBits is how much of an IPv6 address tells clients apart: a host
	// chooses the rest as it likes (RFC 4291, section 2.5.4).
	clientBits = 64
)

// tryLimiter is a bucket of tries for each client address. A bucket is kept as
// the time at which it is full again; one that is full needs none.
type tryLimiter struct {
	mu   sync.Mutex
	full map[netip.Prefix]time.Time
}

// take spends a try, or tells that there is none left.
func (l *tryLimiter) take(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	full, known := l.full[from]
	if !known || full.Before(now) {
		full = now
	}
	full = full.Add(triesEvery)
	if full.Sub(now) > triesAtOnce*triesEvery {
		return false
	}
	if !known && len(l.full) >= triedAddresses {
		l.clean(now)
	}
	l.full[from] = full
	return true
}

func (l *tryLimiter) giveBack(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[from]
	if !known {
		return
	}
	full = full.Add(-triesEvery)
	if !full.After(time.Now()) {
		delete(l.full, from)
		return
	}
	l.full[from] = full
}

// clean drops the buckets that are full, then any.
func (l *tryLimiter) clean(now time.Time) {
	for from, full := range l.full {
		if !full.After(now) {
			delete(l.full, from)
		}
	}
	for from := range l.full {
		if len(l.full) <= keptAddresses {
			return
		}
		delete(l.full, from)
	}
}

// clientOf returns whom a connection stands for. What has no IP address, such as
// a Unix socket, is one client.
func clientOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip := at.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = clientBits
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
