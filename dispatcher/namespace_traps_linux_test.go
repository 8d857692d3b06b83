package dispatcher_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
)

var (
	// openPorts are those of the configuration's default, trapPorts others that somebody would like to reach.
	openPorts = []int{443, 80, 8443}
	trapPorts = []int{22, 25, 53, 2375, 3306, 5432, 6379, 8080, 8500, 9200, 10250, 11211}
)

// caught is an accepted connection: the address that was dialled, and whence.
type caught struct{ at, from netip.AddrPort }

// traps listen on every address, by IPv4 and IPv6, and serve what comes, in TLS
// or not, as a receiver would.
type traps struct {
	tls       *tls.Config
	listeners []net.Listener
	wg        sync.WaitGroup

	mu       sync.Mutex
	caught   []caught
	requests map[string]int // by method and path
}

func startTraps(t *testing.T, config *tls.Config) *traps {
	t.Helper()
	s := &traps{tls: config, requests: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		for _, l := range s.listeners {
			l.Close()
		}
		s.wg.Wait()
	})
	for _, port := range slices.Concat(openPorts, trapPorts) {
		for network, address := range map[string]string{"tcp4": "0.0.0.0", "tcp6": "::"} {
			listener, err := net.Listen(network, net.JoinHostPort(address, strconv.Itoa(port)))
			if err != nil {
				t.Fatal(err)
			}
			s.listeners = append(s.listeners, listener)
			s.wg.Go(func() { s.accept(ctx, listener) })
		}
	}
	return s
}

func (s *traps) accept(ctx context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.caught = append(s.caught, caught{at: bare(conn.LocalAddr()), from: bare(conn.RemoteAddr())})
		s.mu.Unlock()
		s.wg.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			s.serve(conn)
		})
	}
}

// bare is an address without its zone, and as IPv4 where it is a mapped one.
func bare(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// reread is a connection whose first bytes were looked at.
type reread struct {
	net.Conn
	from *bufio.Reader
}

func (r reread) Read(p []byte) (int, error) { return r.from.Read(p) }

const tlsHandshake = 22 // the first byte of a client that speaks TLS (RFC 8446, section 5.1)

// serve answers one request, and ends the connection: each attempt is to dial.
func (s *traps) serve(conn net.Conn) {
	lines := bufio.NewReader(conn)
	first, err := lines.Peek(1)
	if err != nil {
		return
	}
	if first[0] == tlsHandshake {
		secure := tls.Server(reread{conn, lines}, s.tls)
		defer secure.Close()
		conn, lines = secure, bufio.NewReader(secure)
	}
	r, err := http.ReadRequest(lines)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	s.requests[r.Method+" "+r.URL.Path]++
	s.mu.Unlock()
	status, header := lure(r.URL.Path)
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d\r\nConnection: close\r\nContent-Length: 0\r\n%s\r\n", status, header)
}

// lure is what the path asks to be answered: /lure/STATUS/INDEX of lures.
func lure(path string) (status int, header string) {
	parts := strings.Split(path, "/")
	if len(parts) != 4 || parts[1] != "lure" {
		return http.StatusOK, ""
	}
	status, _ = strconv.Atoi(parts[2])
	i, _ := strconv.Atoi(parts[3])
	return status, lures[i] + "\r\n"
}

// mustCatch fails unless a plain dial to each of the addresses, and to each
// port, is caught. It leaves the traps empty.
func (s *traps) mustCatch(t *testing.T, addresses []netip.Addr) {
	t.Helper()
	reachable := 0
	for _, addr := range addresses {
		if noWayByTCP(addr) {
			continue
		}
		s.probe(t, netip.AddrPortFrom(addr, 443))
		reachable++
	}
	if reachable < len(addresses)*3/4 {
		t.Errorf("only %d of %d special addresses can be caught", reachable, len(addresses))
	}
	s.fence(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.caught) != 0 {
		t.Errorf("caught without a probe: %v", s.caught)
	}
}

// noWayByTCP tells which addresses the kernel refuses to connect to: groups, and link-local ones without a zone.
func noWayByTCP(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || addr.Is6() && addr.IsLinkLocalUnicast()
}

// probe connects without outhook, and waits until that was caught.
func (s *traps) probe(t *testing.T, to netip.AddrPort) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", to.String(), dispatchertest.Patience)
	if err != nil {
		t.Fatalf("%s is not local: %v", to, err)
	}
	defer conn.Close()
	ours := caught{at: bare(conn.RemoteAddr()), from: bare(conn.LocalAddr())}
	dispatchertest.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		before := len(s.caught)
		s.caught = slices.DeleteFunc(s.caught, func(c caught) bool { return c == ours })
		return len(s.caught) < before
	})
}

// fence returns when every connection made before it was written down: the
// kernel queues those of a listener in order.
func (s *traps) fence(t *testing.T) {
	t.Helper()
	for _, port := range slices.Concat(openPorts, trapPorts) {
		for _, addr := range []string{allowed4, allowed6} {
			s.probe(t, netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port)))
		}
	}
}

// mustHoldOnly fails for every connection to another address, or another port,
// than the allowed ones. It returns how many there were to those.
func (s *traps) mustHoldOnly(t *testing.T, allowed ...string) int {
	t.Helper()
	s.fence(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[netip.AddrPort]int{}
	for _, c := range s.caught {
		if !slices.Contains(allowed, c.at.Addr().String()) || !slices.Contains(openPorts, int(c.at.Port())) {
			counts[c.at]++
		}
	}
	for at, n := range counts {
		t.Errorf("%d connections to %s, which is not allowed", n, at)
	}
	return len(s.caught)
}

// answered is how often a method and path were asked for.
func (s *traps) answered(method, path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[method+" "+path]
}
