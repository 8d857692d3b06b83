package egress_test

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// What is accepted is stable, short, and names a public address or a name.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range refusedURLs {
		f.Add(strings.ReplaceAll(strings.Replace(seed, "http:", "https:", 1), "PORT", "443"))
	}
	for _, seed := range []string{"https://example.com/a%2Fb?c=d", "https://bücher.example:8443", "https://[2606:4700::1]/", "https://8.8.8.8/?", "https://a@b/#c", `https://a\b`} {
		f.Add(seed)
	}
	client := newClient(f, egress.Config{})
	f.Fuzz(func(t *testing.T, raw string) {
		_ = egress.RedactURL(raw)
		stored, err := client.NormalizeURL(raw)
		if err != nil {
			if field, ok := errors.AsType[*webhook.FieldError](err); !ok || field.Field != "url" {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if again, err := client.NormalizeURL(stored); err != nil || again != stored {
			t.Fatalf("%q is stored as %q, and that as %q, %v", raw, stored, again, err)
		}
		target, err := url.Parse(stored)
		if err != nil || target.Scheme != "https" || target.User != nil || target.Opaque != "" || target.Fragment != "" || len(stored) > 2048 {
			t.Fatalf("%q is stored as %q, %v", raw, stored, err)
		}
		if strings.ContainsFunc(stored, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.ContainsAny(target.Host, "%@\\ ") {
			t.Fatalf("%q is stored as %q", raw, stored)
		}
		// What net/http makes of it is what was looked at.
		request, err := http.NewRequest(http.MethodPost, stored, nil)
		if err != nil || request.URL.Host != target.Host || request.Host != target.Host {
			t.Fatalf("%q is requested from %v, %v", stored, request, err)
		}
		if addr, err := netip.ParseAddr(target.Hostname()); err == nil && (addr.IsPrivate() || addr.IsLoopback() || !addr.IsGlobalUnicast()) {
			t.Fatalf("%q is stored as %q", raw, stored)
		}
		if redacted := egress.RedactURL(stored); target.RawQuery != "" && target.RawQuery != "redacted" && strings.HasSuffix(redacted, "?"+target.RawQuery) {
			t.Fatalf("%q is shown as %q", stored, redacted)
		}
	})
}

// What is accepted can be written as it stands, and touches nothing of ours.
func FuzzCheckHeaders(f *testing.F) {
	f.Add("X-Team", "blue", "x-team", "red")
	f.Add("webhook_id", "a", "Smobi-X", "b")
	f.Add("X\r\nY", "a\nb", "", " ")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		headers := map[string]string{name1: value1, name2: value2}
		if err := egress.CheckHeaders(headers); err != nil {
			if field, ok := errors.AsType[*webhook.FieldError](err); !ok || !strings.HasPrefix(field.Field, "headers") {
				t.Fatalf("%q: %v", headers, err)
			}
			return
		}
		seen := make(map[string]bool)
		for name, value := range headers {
			canonical := http.CanonicalHeaderKey(name)
			if seen[canonical] || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) ||
				strings.HasPrefix(canonical, "Webhook") && strings.ContainsAny(canonical[7:min(8, len(canonical))], "-_") ||
				canonical == "Host" || canonical == "Connection" || canonical == "Content-Length" || canonical == "Transfer-Encoding" {
				t.Fatalf("%q is accepted", headers)
			}
			seen[canonical] = true
		}
		asWritten(t, headers)
	})
}

// asWritten puts headers on the wire and reads them back.
func asWritten(t *testing.T, headers map[string]string) {
	request, err := http.NewRequest(http.MethodPost, "http://example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		request.Header[name] = []string{value}
	}
	var wire bytes.Buffer
	if err := request.Write(&wire); err != nil {
		t.Fatalf("%q cannot be written: %v", headers, err)
	}
	got := make(map[string]string)
	for _, line := range strings.Split(strings.TrimSuffix(wire.String(), "\r\n\r\n"), "\r\n")[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if _, twice := got[name]; twice || strings.ContainsAny(line, "\r\n") {
			t.Fatalf("%q is written as %q", headers, wire.String())
		}
		got[name] = value
	}
	for _, name := range []string{"Host", "User-Agent", "Content-Length"} {
		delete(got, name)
	}
	if !maps.Equal(got, headers) {
		t.Fatalf("%q is written as %q", headers, got)
	}
}

// Whatever is allowed of IPv6, no private IPv4 address is reached by it.
func FuzzCheckAddress(f *testing.F) {
	for _, seed := range []string{
		"::1", "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::192.168.0.1", "64:ff9b::8.8.8.8", "2002:a9fe:a9fe::", "2002:808:808::1",
		"2001:0:808:808:0:0:80ff:fffe", "2001:0:a00:1:0:0:f7f7:fbfb", "fd00::5efe:172.16.0.1", "2606:4700::200:5efe:127.0.0.1", "2606:4700::1111", "fe80::1",
	} {
		f.Add(netip.MustParseAddr(seed).AsSlice())
	}
	public := newClient(f, egress.Config{})
	all := newClient(f, egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("::/0")}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		addr, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		url := "https://" + netip.AddrPortFrom(addr, 443).String() + "/"
		addr = addr.Unmap()
		if public.CheckURL(url) == nil && (!addr.IsGlobalUnicast() || isPrivate(addr)) {
			t.Fatalf("%s is public", url)
		}
		if all.CheckURL(url) != nil {
			if public.CheckURL(url) == nil {
				t.Fatalf("%s is refused where more is allowed", url)
			}
			return
		}
		if slices.ContainsFunc(innerOf(addr), isPrivate) {
			t.Fatalf("%s holds %v", url, innerOf(addr))
		}
	})
}

// innerOf reads IPv4 addresses out of an IPv6 one wherever a router may.
func innerOf(addr netip.Addr) (inner []netip.Addr) {
	if addr.Is4() {
		return []netip.Addr{addr}
	}
	b := addr.As16()
	last := netip.AddrFrom4([4]byte(b[12:]))
	for prefix, at := range map[string]netip.Addr{
		"\x00\x64\xff\x9b\x00\x00\x00\x00\x00\x00\x00\x00": last,
		"\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00": last,
		"\x20\x02":         netip.AddrFrom4([4]byte(b[2:])),
		"\x20\x01\x00\x00": netip.AddrFrom4([4]byte(b[4:])),
	} {
		if strings.HasPrefix(string(b[:]), prefix) {
			inner = append(inner, at)
		}
	}
	if isatap := string(b[9:12]) == "\x00\x5e\xfe"; isatap && (b[8] == 0 || b[8] == 2) {
		inner = append(inner, last)
	}
	return inner
}

func isPrivate(addr netip.Addr) bool {
	return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified()
}
