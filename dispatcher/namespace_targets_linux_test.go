package dispatcher_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// fate is what becomes of a target on a road.
type fate string

const (
	refused    fate = "refused"    // for what the URL says
	blocked    fate = "blocked"    // for the address that was about to be dialled
	lost       fate = "lost"       // blocked, or not resolved: resolvers differ
	unknown    fate = "unknown"    // not resolved
	reached    fate = "reached"    // at an allowed address
	redirected fate = "redirected" // reached, and answered otherwise than 2xx
)

func (f fate) isReached() bool { return f == reached || f == redirected }

// target is a URL that means harm, or is answered by one who does.
type target struct {
	url string
	// Create and PATCH refuse it exactly when check does.
	check, test, deliver fate
	// name is what our name server answers for: aliases in turn, each look-up
	// with the next addresses, the last again and again. owner is whose they are said to be.
	name, owner string
	aliases     []string
	lookups     []lookup
}

const (
	hostileZone      = ".hostile.test"
	hostsFileName    = "in-hosts-file.test"
	hostsFileAddress = "10.66.0.53"
	searchDomain     = "search.test"

	// The only addresses that may be dialled, ...
	allowed4, allowed6 = "1.1.1.1", "2606:4700::1111"
	// ... and public ones that are forbidden for another reason than their range.
	forbiddenProxy, forbiddenRedirect, forbiddenPlain = "9.9.9.9", "9.9.9.10", "9.9.9.11"
	forbiddenUserinfo, forbiddenPort, forbiddenScheme = "9.9.9.12", "9.9.9.13", "9.9.9.14"
)

// specialRanges have addresses that no brand has any business with.
var specialRanges = strings.Fields(`
	0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.254 100.64.0.1 100.100.100.200 100.127.255.254 127.0.0.1 127.8.9.10 127.255.255.254
	169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.254 192.0.0.1 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1
	192.88.99.1 192.168.0.1 192.168.255.254 192.175.48.1 198.18.0.1 198.19.255.254 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250
	240.0.0.1 255.255.255.254 255.255.255.255 168.63.129.16

	:: ::1 ::2 ::7f00:1 ::a00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:168.63.129.16 ::ffff:0:a00:1
	64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::808:808 64:ff9b:1::a00:1 64:ff9b:1:fffe::1 100::1 100:0:0:1::1
	2001::1 2001:0:7f00:1::1 2001:0:808:808:0:fbff:f5ff:fffe 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
	2002:7f00:1::1 2002:a00:1::1 2002:a9fe:a9fe::1 2002:808:808::1 2620:4f:8000::1 3fff::1 5f00::1
	fc00::1 fd00:ec2::254 fd20:ce::254 fdff:ffff::1 fe80::1 fe80::a9fe:a9fe febf::1 fec0::1 feff::1 ff00::1 ff02::1 ff0e::1
	2606:4700::5efe:7f00:1 2606:4700::200:5efe:a00:1 2606:4700::5efe:a9fe:a9fe 2606:4700::5efe:a83f:8110
	1000::1 4000::1 8000::1 e000::1`)

func specialAddresses() []netip.Addr {
	all := []string{hostsFileAddress, forbiddenProxy, forbiddenRedirect, forbiddenPlain, forbiddenUserinfo, forbiddenPort, forbiddenScheme}
	var addresses []netip.Addr
	for _, text := range slices.Concat(all, specialRanges) {
		addresses = append(addresses, netip.MustParseAddr(text))
	}
	return addresses
}

func hostileTargets() []target {
	return slices.Concat(literals(), namesOfRanges(), spellings(), wellKnownNames(), tricks(), ports(), redirects(), mixedAnswers(), aliasesAndRebinding())
}

func always(url string, what fate) target {
	return target{url: url, check: what, test: what, deliver: what}
}

// named is a target that our name server answers for.
func named(label string, what fate, lookups ...lookup) target {
	name := label
	if !strings.Contains(label, ".") {
		name = label + hostileZone
	}
	t := always("https://"+name+"/hook", what)
	t.name, t.lookups = name, lookups
	return t
}

// literals are the special ranges as the host of a URL.
func literals() (all []target) {
	for _, text := range specialRanges {
		host := text
		if strings.Contains(text, ":") {
			host = "[" + text + "]"
		}
		all = append(all, always("https://"+host+"/hook", refused))
	}
	return all
}

// namesOfRanges are names that resolve to the special ranges.
func namesOfRanges() (all []target) {
	for i, text := range specialRanges {
		all = append(all, named(fmt.Sprintf("range-%d", i), blocked, lookup{text}))
	}
	return all
}

// spellings of loopback and of the metadata address that one parser or another understands.
func spellings() (all []target) {
	for _, host := range strings.Fields(`
		127.1 127.0.1 0x7f.1 0x7f000001 0x7F.0x0.0x0.0x1 2130706433 017700000001 0177.0.0.1 127.0.0.01 127.0.0.1. 0 0x0 00 0.0 0.0.0.0.
		[::] [::1] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:7f00:1] [::127.0.0.1] [::ffff:0:127.0.0.1] [127.0.0.1] [::1]. ::1
		localhost localhost. LOCALHOST LocalHost. sub.localhost localhost.localhost ⓛocalhost loc%61lhost localhost%00.hostile.test
		１２７.０.０.１ 127。0。0。1 127．0．0．1 ①②⑦.0.0.1 127.0.0.１ ０x7f.1 %31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.1%2f 127.0.0.1%00
		2852039166 0xa9fea9fe 0xa9.0xfe.0xa9.0xfe 0251.0376.0251.0376 169.254.43518 169.254.169.254. [::ffff:a9fe:a9fe] 3232235521 10.1
		[fe80::1%25lo] [fe80::1%lo] [fe80::1%251] [fe80::1%25] [::1%25lo] [::1%lo] [::ffff:127.0.0.1%25lo] [2606:4700::1111%25lo]`) {
		all = append(all, always("https://"+host+"/hook", refused))
	}
	return all
}

// wellKnownNames are such as clouds, clusters and systems have.
func wellKnownNames() (all []target) {
	for _, name := range []string{"metadata.goog", "metadata.tencentyun.com"} {
		all = append(all, named(name, blocked, lookup{"169.254.169.254"}))
	}
	// Whether these resolve is not to be told: the name server is not asked.
	for _, name := range strings.Fields(`metadata.google.internal Metadata.Oracle.Internal metadata.azure.internal instance-data.ec2.internal
		rancher-metadata.internal metadata instance-data METADATA. redis kubernetes.default.svc.cluster.local host.docker.internal printer.local
		router.home.arpa nas.lan wiki.corp mail.intranet db.private tv.home`) {
		all = append(all, always("https://"+name+"/latest/meta-data/", refused))
	}
	return append(all,
		named("db.prod."+searchDomain, blocked, lookup{"10.0.0.1"}),
		always("https://db.prod/hook", unknown), // and not by way of the search domain
		always("https://kubernetes.default.svc/", unknown),
		named("localhost.localdomain", blocked, lookup{"127.0.0.1"}),
		named("ip6-localhost.test", blocked, lookup{"::1"}),
		named("10-0-0-1.nip.test", blocked, lookup{"10.0.0.1"}),
		always("https://"+hostsFileName+"/", lost), // the C library's look into the file does not know final dots
		always("https://"+strings.ToUpper(hostsFileName)+"./", lost),
	)
}

// tricks make a URL look as if its host were another, or its scheme.
func tricks() (all []target) {
	for _, url := range strings.Fields(strings.NewReplacer("GOOD", allowed4, "BAD", "10.0.0.1", "USER", forbiddenUserinfo, "PLAIN", forbiddenPlain, "SCHEME", forbiddenScheme).Replace(`
		https://user:pw@USER/ https://user@USER/ https://:@USER/ https://@USER/ https://GOOD@USER/ https://GOOD:443@USER:443/ https://GOOD%40@USER/
		https://GOOD@BAD/ https://BAD#@GOOD/ https://BAD?@GOOD/ https://BAD/@GOOD/ https://GOOD\@BAD/ https://BAD\@GOOD/ https://GOOD#@BAD/
		https:///BAD/ https:/BAD/ https:BAD https:\\BAD\ //BAD/ BAD https://BAD:443:80/ https://[GOOD]@BAD/ https://GOOD,BAD/ https://GOOD;@BAD/
		http://PLAIN/ http://PLAIN:443/ HTTP://PLAIN:80/ http://BAD/ http://169.254.169.254/latest/meta-data/ http://localhost/ http://[::1]/
		file:///etc/passwd gopher://SCHEME:443/_POST ftp://SCHEME/ dict://SCHEME:443/ ldap://SCHEME/ unix:///var/run/docker.sock ws://SCHEME/ wss://SCHEME/ httpss://SCHEME/`)) {
		all = append(all, always(url, refused))
	}
	plain := named("plain", refused, lookup{forbiddenPlain})
	plain.url = "http://" + plain.name + "/"
	return append(all, plain)
}

// ports outside the list, of an address and of a name that are public.
func ports() (all []target) {
	for _, port := range trapPorts {
		byName := named(fmt.Sprintf("port-%d", port), refused, lookup{forbiddenPort})
		byName.url = fmt.Sprintf("https://%s:%d/", byName.name, port)
		all = append(all, always(fmt.Sprintf("https://%s:%d/", forbiddenPort, port), refused), byName)
	}
	for _, port := range []string{"0", "65536", "-1", "4294967739", "0x1bb", "４４３"} {
		all = append(all, always("https://"+forbiddenPort+":"+port+"/", refused))
	}
	return all
}

// lures are headers that a client might follow.
var lures = []string{
	"Location: https://10.0.0.1/", "Location: http://169.254.169.254/latest/meta-data/", "Location: https://localhost/", "Location: //127.0.0.1/",
	"Location: https://" + forbiddenRedirect + "/", "Location: https://lured" + hostileZone + "/", "Location: https://user:pw@[::1]:6379/",
	"Refresh: 0; url=https://10.0.0.1/", `Alt-Svc: h2="10.0.0.1:443", h3=":443"`, "Content-Location: https://10.0.0.1/", "Link: <https://10.0.0.1/>; rel=preload",
}

// redirects of each kind, and what else an answer can do to send a client elsewhere.
func redirects() []target {
	all := []target{named("lured", blocked, lookup{"10.0.0.1"})}
	for i, header := range lures {
		statuses := []int{301, 302, 303, 307, 308}
		switch {
		case i == 0:
			statuses = append(statuses, 300, 304, 305, 306, 399)
		case !strings.HasPrefix(header, "Location"):
			statuses = []int{302, 401, 503}
		}
		for _, status := range statuses {
			all = append(all, always(fmt.Sprintf("https://%s/lure/%d/%d", allowed4, status, i), redirected))
		}
		all = append(all, always(fmt.Sprintf("https://%s/lure/200/%d", allowed4, i), reached))
	}
	return all
}

// mixedAnswers give an allowed address and others with it: the allowed one is used.
func mixedAnswers() []target {
	return []target{
		named("mixed-1", reached, lookup{allowed4, "10.0.0.1"}),
		named("mixed-2", reached, lookup{"10.0.0.1", allowed4}),
		named("mixed-3", reached, lookup{allowed4, "::1"}),
		named("mixed-4", reached, lookup{"127.0.0.1", allowed6}),
		named("mixed-5", reached, lookup{allowed4, allowed6, "169.254.169.254", "fd00:ec2::254"}),
		named("mixed-6", reached, lookup{allowed4, "::ffff:10.0.0.1", "64:ff9b::a00:1"}),
		named("mixed-7", blocked, lookup{"10.0.0.1", "fd00::1"}),
		named("mixed-8", blocked, lookup{"10.0.0.1", "10.0.0.2", "192.168.0.1", "::1"}),
		named("many", reached, append(lookup{allowed4}, specialRanges[:20]...)),
	}
}

// aliasesAndRebinding are names that are not what they were said to be.
func aliasesAndRebinding() []target {
	chain := named("alias", blocked, lookup{"10.0.0.1"})
	chain.aliases = []string{"cdn.example.com", "db.corp.internal"}
	metadata := named("alias-metadata", blocked, lookup{"169.254.169.254"})
	metadata.aliases = []string{"metadata.google.internal"}
	numeric := named("alias-number", blocked, lookup{"127.0.0.1"})
	numeric.aliases = []string{"127.0.0.1"}
	loop := named("alias-loop", lost)
	loop.aliases = []string{"b" + hostileZone, "alias-loop" + hostileZone, "b" + hostileZone}
	foreign := named("foreign", lost, lookup{"10.0.0.1", "::1"})
	foreign.owner = "other" + hostileZone

	all := []target{chain, metadata, numeric, loop, foreign}
	for i, pair := range [][2]lookup{
		{{allowed4}, {"10.0.0.1"}}, {{allowed6}, {"fd00::1"}}, {{allowed4}, {"::ffff:169.254.169.254"}}, {{allowed4, allowed6}, {"127.0.0.1", "::1"}},
	} {
		second := named(fmt.Sprintf("rebinding-%d", i), blocked, pair[0], pair[1])
		second.check = reached // the first look-up is its
		third := named(fmt.Sprintf("patient-%d", i), blocked, pair[0], pair[0], pair[1])
		third.check, third.test = reached, reached
		all = append(all, second, third)
	}
	return all
}
