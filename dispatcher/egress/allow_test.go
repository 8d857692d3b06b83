package egress_test

import (
	"net/netip"
	"testing"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// What an allow list opens, and what stays closed, by the host of a URL.
func TestAllowListOpensItsRangesAndNothingElse(t *testing.T) {
	for allow, hosts := range map[string]map[string]bool{
		"": {
			"8.8.8.8": true, "[2606:4700::1111]": true, "[::ffff:8.8.8.8]": true,
			"10.0.0.1": false, "[::ffff:10.0.0.1]": false, "[64:ff9b::10.0.0.1]": false, "[64:ff9b::8.8.8.8]": false,
			"[2002:808:808::1]": false, "[2001:0:808:808::]": false, "[2606:4700::5efe:8.8.8.8]": true, "[2606:4700::5efe:10.0.0.1]": false,
		},
		"10.0.0.0/8": {
			"10.0.0.1": true, "10.255.255.255": true, "[::ffff:10.0.0.1]": true, "[64:ff9b::10.0.0.1]": true, "[64:ff9b::a00:1]": true,
			"[2606:4700::5efe:10.0.0.1]": false,                       // no form by which a host of the range is reached
			"11.0.0.1":                   true, "9.255.255.255": true, // public
			"192.168.0.1": false, "127.0.0.1": false, "169.254.169.254": false, "[::ffff:192.168.0.1]": false,
			"[64:ff9b::192.168.0.1]": false, "[64:ff9b::127.0.0.1]": false, "[64:ff9b::11.0.0.1]": false, "[64:ff9b::9.255.255.255]": false,
			"[::10.0.0.1]": false, "[::ffff:0:10.0.0.1]": false, "[64:ff9b:1::10.0.0.1]": false, "[fe80::5efe:10.0.0.1]": false,
			"[2002:a00:1::]": false, "[2001:0:a00:1::]": false, "[::1]": false, "[::]": false, "[fd00::1]": false,
		},
		"::ffff:10.0.0.0/104": {
			"10.0.0.1": true, "[64:ff9b::10.0.0.1]": true, "[64:ff9b::192.168.0.1]": false, "192.168.0.1": false,
		},
		"192.168.7.4/32": {
			"192.168.7.4": true, "[64:ff9b::192.168.7.4]": true, "192.168.7.5": false, "[64:ff9b::192.168.7.5]": false, "192.168.7.3": false,
		},
		"64:ff9b::/96": { // a network that reaches IPv4 through NAT64 only
			"[64:ff9b::8.8.8.8]": true, "[64:ff9b::10.0.0.1]": false, "[64:ff9b::169.254.169.254]": false, "[64:ff9b::168.63.129.16]": false,
			"10.0.0.1": false, "[64:ff9b:1::8.8.8.8]": false,
		},
		"fd00::/8": {
			"[fd00::1]": true, "[fdff::1]": true, "[fc00::1]": false, "[fd00::5efe:10.0.0.1]": false, "[fd00::5efe:8.8.8.8]": true, "10.0.0.1": false,
		},
		"2002::/16": {
			"[2002:808:808::1]": true, "[2002:a00:1::1]": false, "[2002:7f00:1::]": false, "[2002:a9fe:a9fe::]": false, "[2002:a83f:8110::]": false,
			"[2002:808:808::5efe:10.0.0.1]": false, "[2002:808:808::5efe:8.8.8.8]": true,
		},
		"2001::/32": { // Teredo: server 8.8.8.8; client 8.8.4.4, 10.0.0.1, 127.0.0.1; server 10.0.0.1
			"[2001:0:808:808:0:0:f7f7:fbfb]": true, "[2001:0:808:808:0:0:f5ff:fffe]": false, "[2001:0:808:808:0:0:80ff:fffe]": false,
			"[2001:0:a00:1:0:0:f7f7:fbfb]": false,
		},
		"::/0": {
			"[fd00::1]": true, "[::1]": true, "[2001:db8::1]": true,
			"127.0.0.1": false, "[::ffff:127.0.0.1]": false, "[::127.0.0.1]": false, "[::ffff:0:127.0.0.1]": false, "[64:ff9b::127.0.0.1]": false,
			"[2002:7f00:1::]": false, "[2001:0:808:808:0:0:80ff:fffe]": false, "[fe80::200:5efe:127.0.0.1]": false, "169.254.169.254": false,
		},
		"169.254.169.254/32": {"169.254.169.254": true, "[64:ff9b::169.254.169.254]": true, "169.254.169.253": false, "[fd00:ec2::254]": false},
	} {
		var cfg egress.Config
		if allow != "" {
			cfg.Allow = []netip.Prefix{netip.MustParsePrefix(allow)}
		}
		client := newClient(t, cfg)
		for host, want := range hosts {
			if err := client.CheckURL("https://" + host + "/"); (err == nil) != want {
				t.Errorf("allow %s: %s: %v, want allowed %t", allow, host, err, want)
			}
		}
	}
}

// A zone names an interface of this machine; no range covers it.
func TestZonesAreRefusedWhateverIsAllowed(t *testing.T) {
	cfg := open()
	cfg.Allow = []netip.Prefix{netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::/0")}
	client := newClient(t, cfg)
	for _, host := range []string{"[fe80::1%25lo]", "[fe80::1%25eth0]", "[::1%25lo]", "[fd00::1%251]"} {
		if got := send(t, client, post("http://"+host+"/")); got.Reason != webhook.ReasonBlocked {
			t.Errorf("%s: %+v, want blocked", host, got)
		}
	}
}

// The caller may go on using its slices.
func TestConfigIsCopied(t *testing.T) {
	cfg := egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Ports: []int{443}}
	client := newClient(t, cfg)
	cfg.Allow[0], cfg.Ports[0] = netip.MustParsePrefix("192.168.0.0/16"), 22
	for url, want := range map[string]bool{"https://10.0.0.1/": true, "https://192.168.0.1/": false, "https://example.com/": true, "https://example.com:22/": false} {
		if err := client.CheckURL(url); (err == nil) != want {
			t.Errorf("%s: %v, want allowed %t", url, err, want)
		}
	}
}
