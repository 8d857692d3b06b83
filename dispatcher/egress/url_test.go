package egress_test

import (
	"errors"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestNormalizeURL(t *testing.T) {
	client := newClient(t, egress.Config{})
	for raw, want := range map[string]string{
		"https://example.com":                         "https://example.com/",
		"HTTPS://Example.COM:443/Hook":                "https://example.com/Hook",
		"https://example.com:/hook":                   "https://example.com/hook",
		"https://example.com:08443/hook":              "https://example.com:8443/hook",
		"https://example.com./hook":                   "https://example.com/hook",
		"https://example.com:80/":                     "https://example.com:80/",
		"https://example.com?token=a%20b&x=%2F;|":     "https://example.com/?token=a%20b&x=%2F;|",
		"https://example.com/a%2Fb/%E4/../c//d":       "https://example.com/a%2Fb/%E4/../c//d",
		"https://bücher.example/":                     "https://xn--bcher-kva.example/",
		"https://BÜCHER。example/":                     "https://xn--bcher-kva.example/",
		"https://xn--bcher-kva.example/":              "https://xn--bcher-kva.example/",
		"https://qa--site.example.com/":               "https://qa--site.example.com/",
		"https://my_service.example.com/":             "https://my_service.example.com/",
		"https://1.example.com/":                      "https://1.example.com/",
		"https://8.8.8.8/":                            "https://8.8.8.8/",
		"https://８.８.８.８/":                            "https://8.8.8.8/",
		"https://[2606:4700:0:0::1111]/":              "https://[2606:4700::1111]/",
		"https://[::ffff:8.8.8.8]:8443/":              "https://8.8.8.8:8443/",
		"https://example.com/?":                       "https://example.com/?",
		"https://example.com/@a:b":                    "https://example.com/@a:b",
		"https://" + strings.Repeat("a", 63) + ".com": "https://" + strings.Repeat("a", 63) + ".com/",
	} {
		got, err := client.NormalizeURL(raw)
		if err != nil || got != want {
			t.Errorf("NormalizeURL(%q) = %q, %v, want %q", raw, got, err, want)
		}
		if again, err := client.NormalizeURL(got); err != nil || again != got {
			t.Errorf("NormalizeURL(%q) = %q, %v: not stable", got, again, err)
		}
	}
}

func TestCheckURLRefuses(t *testing.T) {
	client := newClient(t, egress.Config{})
	for raw, rule := range map[string]string{
		"":                                                 "is required",
		"example.com/hook":                                 "must be absolute",
		"/hook":                                            "must be absolute",
		"//example.com/":                                   "must be absolute",
		"https:example.com":                                "must be absolute",
		"https:/example.com":                               "must be absolute",
		"mailto:a@example.com":                             "must be absolute",
		"https:example.com://a":                            "must be absolute",
		"https:a@example.com://b/":                         "must be absolute",
		"mailto:a@example.com?x=://b":                      "scheme must be https",
		"https://":                                         "must name a host",
		"https:///hook":                                    "must name a host",
		"https://:443/":                                    "must name a host",
		"http://example.com/":                              "scheme must be https",
		"ftp://example.com/":                               "scheme must be https",
		"file:///etc/passwd":                               "scheme must be https",
		"gopher://example.com/":                            "scheme must be https",
		"https://user:pw@example.com/":                     "credentials",
		"https://user@example.com/":                        "credentials",
		"https://@example.com/":                            "credentials",
		"https://example.com/#a":                           "fragment",
		"https://example.com/#":                            "fragment",
		"https://example.com#@a.com/":                      "fragment",
		"https://example.com\\@a.com/":                     "backslash",
		" https://example.com/":                            "whitespace",
		"https://example.com/ ":                            "whitespace",
		"https://exa mple.com/":                            "whitespace",
		"https://example.com/\n":                           "control",
		"https://example.com/\u00a0":                       "whitespace",
		"https://example.com/\x00":                         "control",
		"https://example.com/\x7f":                         "control",
		"https://example.com/\xff":                         "UTF-8",
		"https://example.com/ü":                            "percent-encoded",
		"https://example.com/?q=ü":                         "percent-encoded",
		"https://ex%61mple.com/":                           "zone or percent",
		"https://[fe80::1%25eth0]/":                        "zone or percent",
		"https://[fe80::1%eth0]/":                          "zone or percent",
		"https://example.com/%zz":                          "not a valid URL",
		"https://example.com:99999/":                       "between 1 and 65535",
		"https://example.com:0/":                           "between 1 and 65535",
		"https://example.com:-1/":                          "not a valid URL",
		"https://example.com:22/":                          "80, 443, 8443",
		"https://[::1/":                                    "not a valid URL",
		"https://-a.example.com/":                          "labels",
		"https://a-.example.com/":                          "labels",
		"https://a..example.com/":                          "labels",
		"https://example.com../":                           "labels",
		"https://./":                                       "labels",
		"https://ex*mple.com/":                             "labels",
		"https://" + strings.Repeat("a", 64) + ".com/":     "labels",
		"https://" + strings.Repeat("a.", 127) + "com/":    "at most 253",
		"https://xn--a.example.com/":                       "internationalised",
		"https://\u200b.example.com/":                      "", // nothing is left of the label
		"https://1.2.3/":                                   "usual form",
		"https://1.2.3.4.5/":                               "usual form",
		"https://1.2.3.256/":                               "usual form",
		"https://0x01020304/":                              "usual form",
		"https://example.0x/":                              "usual form",
		"https://192.168.1.1/":                             "public Internet",
		"https://localhost/":                               "public Internet",
		"https://[::1]/":                                   "public Internet",
		"https://example.com/" + strings.Repeat("a", 2048): "at most 2048",
		"https://example.com/" + strings.Repeat("^", 1000): "at most 2048", // percent-encoded it is longer
	} {
		err := client.CheckURL(raw)
		field, ok := errors.AsType[*webhook.FieldError](err)
		if !ok || field.Field != "url" || !strings.Contains(field.Rule, rule) || !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("CheckURL(%.80q) = %v, want field url and %q", raw, err, rule)
		}
	}
}

func TestURLRulesFollowTheConfiguration(t *testing.T) {
	for raw, cfg := range map[string]egress.Config{
		"http://example.com/":        {AllowHTTP: true},
		"https://example.com:22/":    {Ports: []int{22}},
		"https://example.com:12345/": {Ports: []int{}},
		"http://localhost:9000/hook": loopback(),
		"http://127.0.0.1:9000/hook": loopback(),
		"http://[::1]:9000/hook":     loopback(),
	} {
		if err := newClient(t, egress.Config{}).CheckURL(raw); err == nil {
			t.Errorf("the default accepts %s", raw)
		}
		if err := newClient(t, cfg).CheckURL(raw); err != nil {
			t.Errorf("%+v refuses %s: %v", cfg, raw, err)
		}
	}
	if err := newClient(t, egress.Config{Ports: []int{22}}).CheckURL("https://example.com/"); err == nil {
		t.Error("the scheme's port is accepted although it is not in the list")
	}
}

func TestRedactURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://example.com/hook":                "https://example.com/hook",
		"https://example.com/hook?token=s3cret":   "https://example.com/hook?redacted",
		"https://example.com/?":                   "https://example.com/?",
		"https://user:s3cret@example.com/#s3cret": "https://example.com/",
		"/hook?s3cret":                            "/hook?redacted",
		"https://example.com:port/?token=s3cret":  "redacted",
		"%zz?s3cret":                              "redacted",
		"mailto:a@example.com?s3cret":             "mailto:a@example.com?redacted",
	} {
		if got := egress.RedactURL(raw); got != want {
			t.Errorf("RedactURL(%q) = %q, want %q", raw, got, want)
		}
	}
}
