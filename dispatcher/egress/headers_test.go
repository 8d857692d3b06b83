package egress_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestHeadersThatMayBeSet(t *testing.T) {
	for _, name := range []string{"Authorization", "X-Team", "x_team", "Idempotency-Key", "Accept", "Traceparent", "Contents", "Webhook", "Hosting", "!#$%&'*+-.^_`|~"} {
		if err := egress.CheckHeaders(map[string]string{name: "Bearer ä b"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	full := make(map[string]string)
	for i := range egress.MaxHeaders {
		full[fmt.Sprintf("X-%02d", i)] = strings.Repeat("v", egress.MaxHeaderBytes/egress.MaxHeaders-4)
	}
	for _, headers := range []map[string]string{nil, {"X-Empty": ""}, full} {
		if err := egress.CheckHeaders(headers); err != nil {
			t.Errorf("%d headers: %v", len(headers), err)
		}
	}
}

func TestReservedHeadersAreRefused(t *testing.T) {
	names := []string{
		"Host", "Cookie", "User-Agent", "Content-Type", "Content-Length", "Content-Encoding", "Content-Anything", "Transfer-Encoding",
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Trailer", "Upgrade", "HTTP2-Settings",
		"Accept-Encoding", "Expect", "Webhook-Id", "Webhook-Signature", "Webhook-Anything", "Smobi-Event-Type", "Smobi-Anything",
	}
	for _, name := range names {
		for _, spelling := range []string{
			name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ToLower(strings.Replace(name, "-", "_", 1)),
		} {
			refused(t, map[string]string{"X-Fine": "a", spelling: "a"}, "headers."+spelling, "reserved")
		}
	}
}

func TestHeadersThatBreakARule(t *testing.T) {
	for name, field := range map[string]string{
		"": `headers.""`, "X Team": `headers."X Team"`, "X:": `headers."X:"`, "Ünit": `headers."\u00dcnit"`, "X\r\nY": `headers."X\r\nY"`,
		":path": `headers.":path"`, "X\x00": `headers."X\x00"`, "(x)": `headers."(x)"`,
	} {
		refused(t, map[string]string{name: "a"}, field, "name must be")
	}
	for value, rule := range map[string]string{
		"a\r\nX-B: c": "control", "a\nb": "control", "\x00": "control", "a\tb": "control", "\x7f": "control", "\u0085": "control",
		" a": "space", "a ": "space", "\xff": "UTF-8",
	} {
		refused(t, map[string]string{"X-Team": value}, "headers.X-Team", rule)
	}
	refused(t, map[string]string{"X-Team": "a", "x-team": "b"}, "headers.x-team", "twice")
	refused(t, map[string]string{"X-Team": "a", "X_Team": "b"}, "headers.X_Team", "twice")
	refused(t, map[string]string{"X": strings.Repeat("a", egress.MaxHeaderBytes)}, "headers", "4096 bytes")
	refused(t, map[string]string{"Host": strings.Repeat("\x00", egress.MaxHeaderBytes)}, "headers", "4096 bytes") // size first
	many := make(map[string]string)
	for i := range egress.MaxHeaders + 1 {
		many[fmt.Sprint("X-", i)] = ""
	}
	refused(t, many, "headers", "at most 20")
}

func refused(t *testing.T, headers map[string]string, field, rule string) {
	t.Helper()
	err := egress.CheckHeaders(headers)
	got, ok := errors.AsType[*webhook.FieldError](err)
	if !ok || got.Field != field || !strings.Contains(got.Rule, rule) {
		t.Errorf("CheckHeaders(%q) = %v, want field %s and %q", headers, err, field, rule)
	}
}
