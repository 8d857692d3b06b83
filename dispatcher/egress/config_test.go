package egress_test

import (
	"encoding/pem"
	"errors"
	"net/netip"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestNewNamesTheField(t *testing.T) {
	ca := issue(t, nil, asCA)
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})
	for name, test := range map[string]struct {
		cfg   egress.Config
		field string
	}{
		"zero value":              {egress.Config{}, ""},
		"everything":              {egress.Config{Ports: []int{1, 65535}, AllowHTTP: true, CABundle: pemOf(ca.Leaf, ca.Leaf), ResponseBodyBytes: 64 << 10, UserAgent: "outhook/1", DefaultTimeout: time.Second}, ""},
		"no range":                {egress.Config{Allow: []netip.Prefix{{}}}, "egress.allow"},
		"host bits":               {egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}}, "egress.allow"},
		"more than mapped":        {egress.Config{Allow: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("::ffff:0:0"), 80).Masked(), netip.PrefixFrom(netip.MustParseAddr("::ffff:0.0.0.0"), 95)}}, "egress.allow"},
		"part of NAT64":           {egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("64:ff9b::a00:0/104")}}, "egress.allow"},
		"NAT64":                   {egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96")}}, ""},
		"port 0":                  {egress.Config{Ports: []int{443, 0}}, "egress.ports"},
		"port 65536":              {egress.Config{Ports: []int{65536}}, "egress.ports"},
		"bundle without any":      {egress.Config{CABundle: []byte("hello")}, "egress.caBundle"},
		"bundle with a key":       {egress.Config{CABundle: append(pemOf(ca.Leaf), key...)}, "egress.caBundle"},
		"bundle with a bad one":   {egress.Config{CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})}, "egress.caBundle"},
		"no body":                 {egress.Config{ResponseBodyBytes: -1}, ""},
		"body over the cap":       {egress.Config{ResponseBodyBytes: 64<<10 + 1}, "delivery.responseBodyBytes"},
		"control in user agent":   {egress.Config{UserAgent: "a\r\nb"}, "egress.userAgent"},
		"space around user agent": {egress.Config{UserAgent: " a"}, "egress.userAgent"},
		"negative timeout":        {egress.Config{DefaultTimeout: -1}, "delivery.timeout"},
		"timeout too long":        {egress.Config{DefaultTimeout: webhook.MaxTimeout + 1}, "delivery.timeout"},
	} {
		client, err := egress.New(test.cfg)
		if test.field == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			client.Close()
			continue
		}
		if got, ok := errors.AsType[*webhook.FieldError](err); !ok || got.Field != test.field {
			t.Errorf("%s: got %v, want field %s", name, err, test.field)
		}
	}
}
