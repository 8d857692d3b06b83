package egress_test

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// full is a listener whose queue has no room: Linux drops what else would connect.
func full(t *testing.T) *receiver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		conn, err := net.DialTimeout("tcp", listener.Addr().String(), short)
		if err != nil {
			return &receiver{Listener: listener, port: listener.Addr().(*net.TCPAddr).Port}
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the queue is never full")
	return nil
}

func TestCheckOfAHostThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	server := full(t)
	cfg := loopback().WithResolver(names(t, map[string][]string{"receiver.test": {"127.0.0.1"}, "some.test": {"10.0.0.1", "127.0.0.1"}}))
	cfg.DefaultTimeout = enough
	client := newClient(t, cfg)
	for _, url := range []string{server.url("127.0.0.1"), server.url("receiver.test"), server.https("some.test")} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			if got := check(t, client, url); story(got) != "connect: timed out" {
				t.Errorf("%s: %+v, want timed out", url, got)
			}
		})
	}
}

// TCP has no way to a multicast group: the kernel says so, without a packet.
func TestCheckOfAHostWithoutARoute(t *testing.T) {
	cfg := loopback()
	cfg.Allow = append(cfg.Allow, netip.MustParsePrefix("224.0.0.0/4"))
	cfg.DefaultTimeout = time.Second
	if got := check(t, newClient(t, cfg), "http://224.0.0.1/"); story(got) != "connect: unreachable" {
		t.Errorf("%+v, want unreachable", got)
	}
}
