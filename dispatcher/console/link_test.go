package console

import (
	"crypto/sha256"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/session"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestLinks(t *testing.T) {
	secret := session.Secret([]byte(strings.Repeat("k", 32)), sha256.Sum256([]byte("admin")))
	link, err := NewLink(secret, "acme", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil || u.Path != "/console/enter" {
		t.Fatalf("%s: %v", link, err)
	}
	brand, until, ok := linksOf(secret).Read(u.Query().Get("link"))
	if left := time.Until(until); !ok || brand != "acme" || left > time.Hour || left < 59*time.Minute {
		t.Errorf("%q until %s, %v", brand, until, ok)
	}
	for name, other := range map[string][]byte{
		"another key": session.Secret([]byte(strings.Repeat("x", 32)), sha256.Sum256([]byte("admin"))), "another admin": session.Secret([]byte(strings.Repeat("k", 32)), sha256.Sum256([]byte("x"))),
	} {
		if _, _, ok := linksOf(other).Read(u.Query().Get("link")); ok {
			t.Errorf("good with %s", name)
		}
	}
	for _, c := range []struct {
		brand, field string
		ttl          time.Duration
	}{{"a b", "brand", time.Hour}, {"", "brand", time.Hour}, {"acme", "ttl", 0}, {"acme", "ttl", MaxLink + 1}, {"acme", "ttl", -time.Hour}} {
		_, err := NewLink(secret, c.brand, c.ttl)
		if field, ok := errors.AsType[*webhook.FieldError](err); !ok || field.Field != c.field {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestPolicyNamesTheFrames(t *testing.T) {
	for want, ancestors := range map[string][]string{
		"frame-ancestors 'none'": {"none"}, "frame-ancestors 'self' https://app.example.com": {"self", "https://app.example.com"},
	} {
		if got := policyOf(ancestors); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s", ancestors, got)
		}
	}
	if got := policyOf(nil); !strings.HasSuffix(got, "frame-ancestors 'none'") {
		t.Error(got)
	}
}

func TestCookiesThatAreNone(t *testing.T) {
	until := time.Now().Add(time.Hour)
	for text, want := range map[string]visitor{
		"key.key_1.acme": {Identity: webhook.Identity{Key: "key_1", Brand: "acme"}, until: until}, "key..": {until: until},
		"link..acme": {Identity: webhook.Identity{Brand: "acme"}, link: true, until: until},
	} {
		if got, ok := visitorIn(text, until); !ok || got != want {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "acme", "link..", "other..acme", "key.a.b.c"} { // a link without a brand would be an operator's
		if got, ok := visitorIn(text, until); ok {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
