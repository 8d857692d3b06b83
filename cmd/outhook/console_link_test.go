package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	cdptarget "github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher/session"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// linkEnv is the configuration that signs links as a child's does.
var linkEnv = []string{"OUTHOOK_AUTH_ADMIN_KEY=" + testKey, "OUTHOOK_SECRETS_KEYS=" + testSecretKey}

func consoleLink(t *testing.T, site, brand string) string {
	t.Helper()
	got := command(t, linkEnv, "console", "link", "--brand", brand, "--site", site, "--ttl", "1h")
	if got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	return strings.TrimSpace(got.out)
}

func TestConsoleLinkRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"no brand":    {linkEnv, nil, "console link: --brand: is required"},
		"brand":       {linkEnv, []string{"--brand=a b"}, "console link: --brand: must match"},
		"no ttl":      {linkEnv, []string{"--brand=acme", "--ttl=0s"}, "console link: --ttl: must be 1s to 168h"},
		"long ttl":    {linkEnv, []string{"--brand=acme", "--ttl=169h"}, "console link: --ttl: must be 1s to 168h"},
		"no keys":     {nil, []string{"--brand=acme"}, "console link: secrets.keys: is required"},
		"no site":     {linkEnv, []string{"--brand=acme", "--site=hooks.example.com"}, "console link: --site: must be a URL"},
		"site's path": {linkEnv, []string{"--brand=acme", "--site=https://example.com/?a=b"}, "console link: --site: must be a URL"},
	} {
		got := command(t, tc.env, append([]string{"console", "link"}, tc.args...)...)
		if got.code != exitUsage || !strings.Contains(got.errOut, tc.want) || got.out != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A link is good for its brand, its time and its server, and leaves no way to other brands.
func TestConsoleLinkOpensOneBrand(t *testing.T) {
	t.Parallel()
	d := startServe(t, redistest.Start(t).Addr(), "--role=api", "--console-frame-ancestors=https://app.example.com")
	c := newConsoleClient(t, d.api)
	link := strings.TrimPrefix(consoleLink(t, d.api, "acme"), d.api+"/console")
	answer, body := c.send(http.MethodGet, link, nil)
	cookie := answer.Header.Get("Set-Cookie")
	for _, part := range []string{"Path=/console/brands/acme/", "HttpOnly", "Secure", "SameSite=None", "Partitioned"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %s lacks %s", cookie, part)
		}
	}
	if answer.StatusCode != http.StatusOK || !strings.Contains(body, `content="0; url=/console/brands/acme/"`) || answer.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d %v\n%s", answer.StatusCode, answer.Header, body)
	}
	if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "frame-ancestors https://app.example.com") {
		t.Errorf("policy %s", policy)
	}
	own := strings.Split(cookie, ";")[0]
	for path, want := range map[string]int{
		"/brands/acme/": http.StatusOK, "/brands/acme/attempts": http.StatusOK, "/brands/globex/": http.StatusNotFound, "/jobs": http.StatusNotFound,
		"/brands/?brand=globex": http.StatusNotFound,
	} {
		if got := newConsoleClient(t, d.api).status(http.MethodGet, path, nil, "Cookie", own); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	good, _ := url.Parse(link)
	token := good.Query().Get("link")
	secret := sessionSecret(linkConfig(t).Secrets, hashOf(testKey))
	for name, bad := range map[string]string{
		"over": session.New(secret, "console link").Sign("acme", time.Now()), "of another server": session.New([]byte(strings.Repeat("x", 32)), "console link").Sign("acme", time.Now().Add(time.Hour)),
		"of another brand": strings.Replace(token, "acme", "evil", 1), "a session": strings.TrimPrefix(own, "outhook_console="), "none": "",
	} {
		answer, body := c.send(http.MethodGet, "/enter?link="+url.QueryEscape(bad), nil)
		if answer.StatusCode != http.StatusForbidden || answer.Header.Get("Set-Cookie") != "" || !strings.Contains(body, "This link is over, or not whole") {
			t.Errorf("%s: %d %s", name, answer.StatusCode, answer.Header)
		}
	}
	if strings.Contains(string(d.log()), token) {
		t.Error("the link is in the log")
	}
}

// platform is a page of another site, with a link to the console, and with the console in a frame.
func (s *consoleStage) platform() *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		to := r.FormValue("to")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>platform</title><p><a href="%s">Webhooks</a></p>`, to)
		if r.FormValue("frame") != "" {
			_, _ = io.WriteString(w, `<iframe src="`+to+`" width="1000" height="600"></iframe>`)
		}
	}))
	s.Cleanup(server.Close)
	return server
}

// comeByLink opens the console from another site's page, and in its frame.
func (s *consoleStage) comeByLink() {
	s.Helper()
	server := s.platform()
	page := strings.Replace(server.URL, "127.0.0.1", "platform.example.com", 1)
	s.open(page + "/?to=" + url.QueryEscape(consoleLink(s.T, s.daemon.api, consoleBrand)))
	s.press(link("Webhooks"))
	s.see("brand acme", "Message Status Webhook")
	if address := s.text("location.href"); strings.Contains(address, "link") {
		s.Errorf("the address is %s", address)
	}
	s.open(s.url + "/enter?link=1.acme.1.over")
	s.see("This link is over, or not whole")

	framing := startServe(s.T, s.redis.Addr(), append([]string{"--role=api", "--console-frame-ancestors=" + page}, consoleFlags...)...)
	s.open(page + "/?frame=1&to=" + url.QueryEscape(consoleLink(s.T, framing.api, consoleBrand)))
	frame := s.frame(framing.api + "/console/brands/acme/")
	frame.see("brand acme", "Message Status Webhook")
	frame.press(link("status"))
	frame.see("Settings", "Send test event")
	frame.press(button("Disable")) // a form works, too
	frame.see("Disabled: deliveries wait")
	frame.press(button("Enable"))
	frame.see("Enabled")
	frame.press(link("Attempts"))
	frame.see("live", "message.delivered")
	s.open(page + "/?frame=1&to=" + url.QueryEscape(consoleLink(s.T, s.daemon.api, consoleBrand)))
	s.frame(s.daemon.api + "/console/enter").see("refused to connect") // as that one lets nobody
}

// frame waits for a frame of another site that shows a page, and returns what looks into it.
func (s *consoleStage) frame(page string) *browser {
	s.Helper()
	var found *cdptarget.Info
	var shown []string
	s.eventually(func() bool {
		all, err := chromedp.Targets(s.ctx)
		s.must(err)
		shown = nil
		for _, one := range all {
			shown = append(shown, one.Type+" "+one.URL)
			if one.Type == "iframe" && strings.HasPrefix(one.URL, page) {
				found = one
				return true
			}
		}
		return false
	}, func() string { return fmt.Sprintf("no frame shows %s, but %q", page, shown) })
	ctx, cancel := chromedp.NewContext(s.ctx, chromedp.WithTargetID(found.TargetID))
	s.Cleanup(cancel)
	s.must(chromedp.Do(ctx)) // it lives as long as the context of its first
	return &browser{T: s.T, ctx: ctx}
}

func linkConfig(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{Env: linkEnv})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
