package egress

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// maxBody bounds what is read of an answer's body, in bytes.
const maxBody = 64 << 10

const (
	defaultBodyBytes = 16 << 10
	defaultTimeout   = 15 * time.Second
	defaultUserAgent = "outhook"
)

// Config says where a [Client] may go. The zero value reaches the public
// Internet by https, on the ports 80, 443 and 8443.
type Config struct {
	// Allow lists ranges outside the public Internet that may be reached as
	// well. An IPv4 range covers its IPv6 forms, mapped (::ffff:0:0/96) and through
	// NAT64 (64:ff9b::/96); an IPv6 range does not cover what its addresses embed.
	// For operators only; a process logs it as it starts.
	Allow []netip.Prefix
	// Ports that may be reached. Nil means 80, 443 and 8443; empty but not nil means any.
	Ports []int
	// AllowHTTP permits http URLs. Defaults to https only.
	AllowHTTP bool
	// CABundle holds certificates in PEM, which are trusted in addition to the
	// system's. Defaults to none.
	CABundle []byte
	// ResponseBodyBytes is how much of a failed answer's body is kept, in bytes,
	// at most 64 KiB. 0 means 16 KiB, negative nothing.
	ResponseBodyBytes int
	// UserAgent is the value of the user-agent header. Defaults to "outhook".
	UserAgent string
	// DefaultTimeout bounds an attempt whose request has no timeout of its own,
	// and every check; at most [webhook.MaxTimeout]. 0 means 15 s.
	DefaultTimeout time.Duration

	// Resolver looks names up; what it answers is not trusted. Defaults to Go's
	// own, which holds no thread while a name server hangs.
	Resolver *net.Resolver

	// watch sees every connection; set by tests.
	watch func(net.Conn) net.Conn
}

func (c Config) withDefaults() Config {
	c.Allow, c.Ports = slices.Clone(c.Allow), slices.Clone(c.Ports) // the caller's are not ours to keep
	if c.Ports == nil {
		c.Ports = []int{80, 443, 8443}
	}
	if c.ResponseBodyBytes == 0 {
		c.ResponseBodyBytes = defaultBodyBytes
	}
	c.ResponseBodyBytes = max(0, c.ResponseBodyBytes)
	if c.UserAgent == "" {
		c.UserAgent = defaultUserAgent
	}
	if c.DefaultTimeout == 0 {
		c.DefaultTimeout = defaultTimeout
	}
	if c.Resolver == nil {
		c.Resolver = &net.Resolver{PreferGo: true}
	}
	return c
}

// validate names fields by their keys in the configuration file.
func (c Config) validate() error {
	for i, p := range c.Allow {
		if err := checkPrefix(i+1, p); err != nil {
			return err
		}
	}
	for i, port := range c.Ports {
		if port < 1 || port > 65535 {
			return webhook.Invalid("egress.ports", "entry %d must be between 1 and 65535", i+1)
		}
	}
	switch {
	case c.ResponseBodyBytes > maxBody:
		return webhook.Invalid("delivery.responseBodyBytes", "must be at most %d", maxBody)
	case c.DefaultTimeout < 0 || c.DefaultTimeout > webhook.MaxTimeout:
		return webhook.Invalid("delivery.timeout", "must be positive and at most %s", webhook.MaxTimeout)
	case !httpguts.ValidHeaderFieldValue(c.UserAgent) || strings.TrimSpace(c.UserAgent) != c.UserAgent:
		return webhook.Invalid("egress.userAgent", "must be a header value: no control characters, no space around it")
	}
	return nil
}

func checkPrefix(entry int, p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return webhook.Invalid("egress.allow", "entry %d must be a range such as 10.0.0.0/8 or fd00::/8", entry)
	case p.Masked() != p:
		return webhook.Invalid("egress.allow", "entry %d must be a network: no bit set after the first %d", entry, p.Bits())
	case p.Addr().Is4In6() && p.Bits() < mappedBits:
		return webhook.Invalid("egress.allow", "entry %d must be written as an IPv4 range", entry)
	case p.Bits() > nat64.Bits() && nat64.Contains(p.Addr()):
		return webhook.Invalid("egress.allow", "entry %d must be written as an IPv4 range, which covers it, or be %s", entry, nat64)
	}
	return nil
}

// roots returns the system's certificates and those of the bundle; nil, which
// means the system's, when the bundle is empty.
func (c Config) roots() (*x509.CertPool, error) {
	if len(c.CABundle) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // a system without any
		pool = x509.NewCertPool()
	}
	rest, found := c.CABundle, 0
	for block := (*pem.Block)(nil); ; found++ {
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != "CERTIFICATE" {
			return nil, webhook.Invalid("egress.caBundle", "block %d must be a certificate", found+1)
		}
		pool.AddCert(cert)
	}
	if found == 0 {
		return nil, webhook.Invalid("egress.caBundle", "must hold certificates in PEM")
	}
	return pool, nil
}
