package charttest

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"code.dny.dev/ssrf"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// contact is what a pod of ours may want with another pod, or with an address.
type contact struct {
	comes     bool // to our pods, rather than from them
	namespace string
	labels    map[string]string
	address   string // of what is no pod
	port      int32
	// to is the port of ours that is asked, where the other comes to us.
	to   string
	udp  bool
	want bool
}

func (c contact) String() string {
	other := c.address
	if other == "" {
		other = fmt.Sprintf("pod %v of %s", c.labels, c.namespace)
	}
	if c.comes {
		return other + " to " + c.to
	}
	return fmt.Sprintf("to %s, port %d", other, c.port)
}

var (
	dns     = map[string]string{"k8s-app": "kube-dns"}
	store   = map[string]string{"app.kubernetes.io/name": "redis"}
	another = map[string]string{"app": "another"}

	// always is what holds whatever redis.to and apiFrom are.
	always = []contact{
		{namespace: "kube-system", labels: dns, port: 53, udp: true, want: true},
		{namespace: "kube-system", labels: dns, port: 53, want: true},
		{namespace: "kube-system", labels: dns, port: 443},
		{namespace: "kube-system", labels: another, port: 53, udp: true},
		{namespace: namespace, labels: dns, port: 53, udp: true},
		{namespace: namespace, labels: another, port: 443},
		{namespace: namespace, labels: another, port: 6379},
		{comes: true, namespace: "elsewhere", labels: another, to: "http"},
		{comes: true, namespace: "elsewhere", labels: another, to: "admin"},
		{comes: true, namespace: namespace, labels: another, to: "admin"},
		{comes: true, namespace: namespace, labels: another, to: "http", want: true},
		{comes: true, namespace: "monitoring", labels: another, to: "http"},
		{comes: true, address: "8.8.8.8", to: "http"},
	}
	defaultReach = append([]contact{
		{namespace: namespace, labels: store, port: 6379, want: true},
		{namespace: namespace, labels: store, port: 22},
		{namespace: "elsewhere", labels: store, port: 6379},
		{comes: true, namespace: "monitoring", labels: another, to: "admin", want: true},
	}, always...)
	productionReach = append([]contact{
		{address: "10.20.0.9", port: 6379, want: true},
		{address: "10.20.0.9", port: 26379, want: true},
		{address: "10.20.0.9", port: 443},
		{address: "10.20.1.9", port: 6379},
		{namespace: namespace, labels: store, port: 6379},
		{comes: true, namespace: "ingress-nginx", labels: another, to: "http", want: true},
		{comes: true, namespace: "ingress-nginx", labels: another, to: "admin"},
		{comes: true, namespace: "monitoring", labels: another, to: "admin", want: true},
	}, always...)
	everythingReach = append([]contact{
		{namespace: namespace, labels: store, port: 6379},
		{namespace: "tracing", labels: another, port: 4318, want: true},
		{namespace: "tracing", labels: another, port: 443},
		{comes: true, namespace: "monitoring", labels: another, to: "admin"},
	}, always...)
)

// networkProblems: the one policy lets through what the case names, and of all addresses those that the program itself takes for
// the public Internet and those of egress.allow, at the ports of egress.ports.
func networkProblems(t *testing.T, r release) (problems []string) {
	if len(r.policies) != 1 {
		return []string{fmt.Sprintf("%d network policies", len(r.policies))}
	}
	policy := r.policies[0].Spec
	if len(policy.PolicyTypes) != 2 {
		problems = append(problems, fmt.Sprintf("it is about %v", policy.PolicyTypes))
	}
	for _, rule := range policy.Egress {
		for _, peer := range rule.To {
			problems = append(problems, blockProblems(peer.IPBlock)...)
		}
	}
	c, wrong := r.configured(t, r.deployments[0])
	if c == nil {
		return wrong
	}
	for _, contact := range append(addresses(t, c), r.reach...) {
		if got := r.lets(policy, contact); got != contact.want {
			problems = append(problems, fmt.Sprintf("%s: let through: %t", contact, got))
		}
	}
	return problems
}

// blockProblems are what the API server refuses: a prefix with bits behind its length, and an exception that is not within.
func blockProblems(block *networkingv1.IPBlock) (problems []string) {
	if block == nil {
		return nil
	}
	whole, err := netip.ParsePrefix(block.CIDR)
	if err != nil || whole != whole.Masked() {
		return []string{block.CIDR + " is no prefix"}
	}
	for _, text := range block.Except {
		except, err := netip.ParsePrefix(text)
		if err != nil || except != except.Masked() || !whole.Contains(except.Addr()) || except.Bits() <= whole.Bits() {
			problems = append(problems, text+" is no part of "+block.CIDR)
		}
	}
	return problems
}

// lets is what a network plugin would do.
func (r release) lets(policy networkingv1.NetworkPolicySpec, c contact) bool {
	if c.comes {
		for _, rule := range policy.Ingress {
			if onPort(rule.Ports, c) && fromOrTo(rule.From, c) {
				return true
			}
		}
		return false
	}
	for _, rule := range policy.Egress {
		if onPort(rule.Ports, c) && fromOrTo(rule.To, c) {
			return true
		}
	}
	return false
}

func onPort(ports []networkingv1.NetworkPolicyPort, c contact) bool {
	for _, p := range ports {
		udp := p.Protocol != nil && *p.Protocol == corev1.ProtocolUDP
		if udp == c.udp && (p.Port == nil || c.comes && p.Port.StrVal == c.to || !c.comes && p.Port.IntVal == c.port) {
			return true
		}
	}
	return len(ports) == 0
}

// fromOrTo is true without peers: that is how Kubernetes reads it.
func fromOrTo(peers []networkingv1.NetworkPolicyPeer, c contact) bool {
	for _, peer := range peers {
		switch {
		case peer.IPBlock != nil:
			if c.address != "" && inBlock(*peer.IPBlock, netip.MustParseAddr(c.address)) {
				return true
			}
		case c.address == "" && selects(peer.PodSelector, c.labels) && inNamespace(peer.NamespaceSelector, c.namespace):
			return true
		}
	}
	return len(peers) == 0
}

// selects is true for no selector of pods: it is then about namespaces.
func selects(selector *metav1.LabelSelector, is map[string]string) bool {
	if selector == nil {
		return true
	}
	matches, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && matches.Matches(labels.Set(is))
}

func inNamespace(selector *metav1.LabelSelector, name string) bool {
	if selector == nil {
		return name == namespace
	}
	return selects(selector, map[string]string{"kubernetes.io/metadata.name": name})
}

func inBlock(block networkingv1.IPBlock, address netip.Addr) bool {
	if !contains(block.CIDR, address) {
		return false
	}
	return !slices.ContainsFunc(block.Except, func(except string) bool { return contains(except, address) })
}

func contains(prefix string, address netip.Addr) bool {
	p, err := netip.ParsePrefix(prefix)
	return err == nil && p.Contains(address)
}

// azure is what the program denies beside the ranges of its library.
var azure = netip.MustParsePrefix("168.63.129.16/32")

// addresses are the first and the last of every range that the program knows, and the ones before and after it, with what the
// program's own library says of them.
func addresses(t *testing.T, c effective) (found []contact) {
	t.Helper()
	allowed := prefixes(t, c)
	guard := guardian(allowed)
	ranges := append([]netip.Prefix{azure, ssrf.IPv6GlobalUnicast, netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10")}, allowed...)
	ranges = append(append(ranges, ssrf.IPv4DeniedPrefixes...), ssrf.IPv6DeniedPrefixes...)
	ports := ports(c)
	for _, p := range ranges {
		for _, address := range []netip.Addr{p.Masked().Addr(), last(p), p.Masked().Addr().Prev(), last(p).Next()} {
			if !address.IsValid() {
				continue
			}
			network := "tcp6"
			if address.Is4() {
				network = "tcp4"
			}
			public := guard.Safe(network, net.JoinHostPort(address.String(), "443"), nil) == nil
			for port, open := range ports {
				found = append(found, contact{address: address.String(), port: port, want: public && open})
			}
			found = append(found, contact{address: address.String(), port: 443, udp: true, want: public && ports[25]})
		}
	}
	return found
}

// ports are those of egress.ports, and two more: whether each is open.
func ports(c effective) map[int32]bool {
	listed, _ := c["egress"]["ports"].([]any)
	found := map[int32]bool{25: len(listed) == 0, 6379: len(listed) == 0}
	for _, port := range listed {
		found[int32(port.(float64))] = true
	}
	return found
}

func prefixes(t *testing.T, c effective) (found []netip.Prefix) {
	t.Helper()
	listed, _ := c["egress"]["allow"].([]any)
	for _, text := range listed {
		p, err := netip.ParsePrefix(text.(string))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
	return found
}

// guardian is the program's, as dispatcher/egress makes it.
func guardian(allowed []netip.Prefix) *ssrf.Guardian {
	var v4, v6 []netip.Prefix
	for _, p := range allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...), ssrf.WithDeniedV4Prefixes(azure))
}

func last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	address, _ := netip.AddrFromSlice(bytes)
	return address
}

// TestGuardianIsThePrograms: the ranges above are those of the version that the program is built with.
func TestGuardianIsThePrograms(t *testing.T) {
	const module = "code.dny.dev/ssrf v"
	version := func(file string) string {
		_, rest, _ := strings.Cut(read(t, file), module)
		found, _, _ := strings.Cut(rest, "\n")
		return found
	}
	if ours, theirs := version("go.mod"), version("../../go.mod"); ours != theirs || ours == "" {
		t.Errorf("%s%s here, and %s%s in the program", module, ours, module, theirs)
	}
	if guard := read(t, "../../dispatcher/egress/guard.go"); !strings.Contains(guard, `MustParsePrefix("`+azure.String()+`")`) {
		t.Errorf("the program does not deny %s any more", azure)
	}
}
