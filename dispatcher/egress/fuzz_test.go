package egress_test

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
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
		if err != nil || target.Scheme != "https" || target.User != nil || target.Fragment != "" || len(stored) > 2048 {
			t.Fatalf("%q is stored as %q, %v", raw, stored, err)
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
	})
}
