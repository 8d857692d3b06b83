package egress_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// spellings of places that only an operator may open; PORT is the canary's.
var refusedURLs = []string{
	"http://127.0.0.1:PORT/", "http://127.0.0.1.:PORT/", "http://127.8.9.10:PORT/", "http://localhost:PORT/", "http://LOCALHOST.:PORT/", "http://a.localhost:PORT/",
	"http://[::1]:PORT/", "http://[::]:PORT/", "http://0.0.0.0:PORT/", "http://0:PORT/",
	"http://[::ffff:127.0.0.1]:PORT/", "http://[::ffff:7f00:1]:PORT/", "http://[::127.0.0.1]:PORT/",
	"http://2130706433:PORT/", "http://0x7f000001:PORT/", "http://0x7f.1:PORT/", "http://0177.0.0.1:PORT/", "http://127.1:PORT/", "http://127.0.0.01:PORT/",
	"http://１２７.０.０.１:PORT/", "http://127。0。0。1:PORT/", "http://ⓛocalhost:PORT/", "http://%31%32%37.0.0.1:PORT/",
	"http://169.254.169.254:PORT/latest", "http://168.63.129.16:PORT/", "http://100.100.100.200:PORT/", "http://192.0.0.192:PORT/",
	"http://10.0.0.1:PORT/", "http://172.16.0.1:PORT/", "http://192.168.1.1:PORT/", "http://100.64.0.1:PORT/", "http://224.0.0.1:PORT/", "http://255.255.255.255:PORT/",
	"http://[fe80::1]:PORT/", "http://[fe80::1%25lo]:PORT/", "http://[fd00:ec2::254]:PORT/", "http://[64:ff9b::7f00:1]:PORT/", "http://[2002:7f00:1::]:PORT/",
	"http://[2001:0:7f00:1::]:PORT/", "http://[2606:4700::5efe:7f00:1]:PORT/", "http://[2606:4700::200:5efe:10.0.0.1]:PORT/",
}

func TestNothingIsDialledWithoutTheAllowList(t *testing.T) {
	canary := listen(t, "127.0.0.1:0", answers(ok))
	client := newClient(t, open())
	for _, raw := range refusedURLs {
		url := strings.ReplaceAll(raw, "PORT", strconv.Itoa(canary.port))
		if err := client.CheckURL(url); err == nil {
			t.Errorf("CheckURL accepts %s", raw)
		}
		if got := send(t, client, post(url)); got.Reason != webhook.ReasonBlocked || got.Status != 0 {
			t.Errorf("%s: %+v, want blocked", raw, got)
		}
	}
	if n := canary.count(t); n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestTheDialledAddressDecides(t *testing.T) {
	canary := listen(t, "127.0.0.1:0", answers(ok))
	resolver := names(t, map[string][]string{
		"loopback.test": {"127.0.0.1"}, "mapped.test": {"::ffff:127.0.0.1"}, "six.test": {"::1"}, "both.test": {"127.0.0.1", "::1"},
		"metadata.test": {"169.254.169.254"}, "private.test": {"10.0.0.1", "192.168.0.1"}, "zero.test": {"0.0.0.0"},
		"isatap.test": {"2606:4700::5efe:7f00:1"}, "nat64.test": {"64:ff9b::7f00:1"}, "azure.test": {"168.63.129.16"},
	})
	client := newClient(t, open().WithResolver(resolver))
	for _, host := range []string{
		"loopback.test", "mapped.test", "six.test", "both.test", "metadata.test", "private.test", "zero.test", "isatap.test", "nat64.test", "azure.test",
	} {
		url := canary.url(host)
		if err := client.CheckURL(url); err != nil {
			t.Errorf("CheckURL(%s) = %v: a name is decided when it is dialled", url, err)
		}
		if got := send(t, client, post(url)); got.Reason != webhook.ReasonBlocked {
			t.Errorf("%s: %+v, want blocked", host, got)
		}
	}
	if n := canary.count(t); n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestAnAllowedAddressAmongRefusedOnesIsUsed(t *testing.T) {
	canary := listen(t, "127.0.0.1:0", answers(ok))
	closed := listen(t, "127.0.0.1:0", answers(ok))
	closed.Close()
	resolver := names(t, map[string][]string{"mixed.test": {"10.0.0.1", "127.0.0.1", "169.254.169.254"}})
	client := newClient(t, loopback().WithResolver(resolver))

	if got := send(t, client, post(canary.url("mixed.test"))); got.Status != 200 {
		t.Errorf("%+v, want 200 from the allowed address", got)
	}
	// One allowed address was tried: the receiver is down, not forbidden.
	if got := send(t, client, post(closed.url("mixed.test"))); got.Reason != webhook.ReasonConnect {
		t.Errorf("%+v, want connect", got)
	}
}

func TestAllowListCoversTheMappedForm(t *testing.T) {
	canary := listen(t, "127.0.0.1:0", answers(ok))
	resolver := names(t, map[string][]string{"mapped.test": {"::ffff:127.0.0.1"}})
	for name, allow := range map[string]string{"as IPv4": "127.0.0.0/8", "as mapped": "::ffff:127.0.0.0/104"} {
		cfg := open().WithResolver(resolver)
		cfg.Allow = []netip.Prefix{netip.MustParsePrefix(allow)}
		client := newClient(t, cfg)
		for _, host := range []string{"127.0.0.1", "::ffff:127.0.0.1", "mapped.test"} {
			if got := send(t, client, post(canary.url(host))); got.Status != 200 {
				t.Errorf("%s, %s: %+v, want 200", name, host, got)
			}
		}
	}
}

func TestPortsOutsideTheListAreNotDialled(t *testing.T) {
	canary := listen(t, "127.0.0.1:0", answers(ok))
	cfg := loopback()
	cfg.Ports = []int{1}
	client := newClient(t, cfg)
	if got := send(t, client, post(canary.url("127.0.0.1"))); got.Reason != webhook.ReasonBlocked {
		t.Errorf("%+v, want blocked", got)
	}
	if n := canary.count(t); n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}

// net/http reads the proxies of the environment once per process, and never
// uses them for loopback by its usual names: a child process calls a receiver by another.
func TestEnvironmentProxiesAreIgnored(t *testing.T) {
	if os.Getenv("EGRESS_TEST_CHILD") != "" {
		resolver := names(t, map[string][]string{"receiver.test": {"127.0.0.1"}})
		client := newClient(t, loopback().WithResolver(resolver))
		server := listen(t, "127.0.0.1:0", answers(ok))
		if got := send(t, client, post(server.url("receiver.test"))); got.Status != 200 || server.accepted.Load() != 1 {
			t.Errorf("%+v, want 200 from the receiver itself", got)
		}
		return
	}
	proxy := listen(t, "127.0.0.1:0", answers(ok))
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEnvironmentProxiesAreIgnored$")
	child.Env = append(os.Environ(), "EGRESS_TEST_CHILD=1", "NO_PROXY=", "no_proxy=")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		child.Env = append(child.Env, name+"="+proxy.url("127.0.0.1"))
	}
	if output, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	if n := proxy.count(t); n != 0 {
		t.Errorf("the proxy got %d connections", n)
	}
}

func TestIPv6ReceiverIsReached(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on this machine")
	}
	probe.Close()
	server := listen(t, "[::1]:0", answers(ok))
	client := newClient(t, loopback().WithResolver(names(t, map[string][]string{"six.test": {"::1"}})))
	for _, host := range []string{"::1", "six.test"} {
		if got := send(t, client, post(server.url(host))); got.Status != 200 {
			t.Errorf("%s: %+v, want 200", host, got)
		}
	}
}
