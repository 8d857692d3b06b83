package monitor_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/monitor"
)

const (
	goodKey   = "the-admin-key-of-32-characters-or-more"
	pagesRoot = "/asynqmon"
)

// door is a handler whose answers are recorded. What a page would show needs no Redis.
type door struct {
	*testing.T
	handler http.Handler
	// asked counts the keys that came.
	asked atomic.Int32
}

func newDoor(t *testing.T, change ...func(*monitor.Config)) *door {
	t.Helper()
	d := &door{T: t}
	nobody := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { nobody.Close() })
	cfg := monitor.Config{
		Redis: nobody,
		AdminKey: func(_ *http.Request, key string) (string, error) {
			d.asked.Add(1)
			if key != goodKey {
				return "", webhook.ErrUnauthorized
			}
			return "key_1", nil
		},
		StillAdmin: func(_ context.Context, id string) error {
			if id != "key_1" {
				return webhook.ErrUnauthorized
			}
			return nil
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	h, err := monitor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.handler = h
	return d
}

// browse is a request as a browser makes it.
func browse(r *http.Request) {
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9")
}

func with(cookie *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(cookie) }
}

func (d *door) do(method, path, body string, edit ...func(*http.Request)) *http.Response {
	r := httptest.NewRequestWithContext(d.Context(), method, path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Result()
}

func form(key, next string) string { return url.Values{"key": {key}, "next": {next}}.Encode() }

// signIn returns the cookie of a session.
func (d *door) signIn(edit ...func(*http.Request)) *http.Cookie {
	d.Helper()
	answer := d.do("POST", pagesRoot+"/login", form(goodKey, pagesRoot+"/"), append([]func(*http.Request){browse}, edit...)...)
	if answer.StatusCode != http.StatusSeeOther || len(answer.Cookies()) != 1 {
		d.Fatalf("signed in: %d, %v", answer.StatusCode, answer.Cookies())
	}
	return answer.Cookies()[0]
}

// opens tells whether a cookie is a session's.
func (d *door) opens(cookie *http.Cookie) bool {
	d.Helper()
	status := d.do("GET", pagesRoot+"/login", "", browse, with(cookie)).StatusCode
	if page := d.do("GET", pagesRoot+"/", "", browse, with(cookie)).StatusCode; page != status || status != 200 && status != 401 {
		d.Errorf("who is signed in: %d, the first page: %d", status, page)
	}
	return status == http.StatusOK
}

func TestBrowserIsAskedForAKey(t *testing.T) {
	d := newDoor(t)
	for _, path := range []string{"/", "/queues/live-0?status=retry", "/api/queues", "/login", "/logout"} {
		answer := d.do("GET", pagesRoot+path, "", browse)
		text, _ := io.ReadAll(answer.Body)
		page := string(text)
		if answer.StatusCode != 401 || !strings.Contains(page, `<label for="key">Admin key</label>`) || strings.Contains(page, "<script") {
			t.Errorf("%s: %d %s", path, answer.StatusCode, page)
		}
		if got := answer.Header.Values("WWW-Authenticate"); len(got) != 1 || got[0] != `Bearer realm="outhook"` {
			t.Errorf("%s: challenges %q", path, got)
		}
		policy := answer.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %s", path, policy)
		}
		if answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, answer.Header)
		}
	}
	// What a page of its own loads, when the session is over, must not make the browser ask in a dialog.
	answer := d.do("GET", pagesRoot+"/api/queues", "", header("User-Agent", "Mozilla/5.0"))
	if got := answer.Header.Values("WWW-Authenticate"); answer.StatusCode != 401 || len(got) != 1 || !strings.HasPrefix(got[0], "Bearer") {
		t.Errorf("a page's own request: %d, %q", answer.StatusCode, got)
	}
	if d.asked.Load() != 0 {
		t.Error("somebody was asked about a key that did not come")
	}
}

func TestFormsComeFromThePagesOnly(t *testing.T) {
	d := newDoor(t)
	c := d.signIn()
	for name, foreign := range map[string]func(*http.Request){
		"another site": header("Sec-Fetch-Site", "cross-site"), "another subdomain": header("Sec-Fetch-Site", "same-site"),
		"another origin": header("Origin", "https://example.org"), "no origin": header("Origin", "null"),
	} {
		for path, body := range map[string]string{"/login": form(goodKey, ""), "/logout": "", "/api/queues/live-0:pause": ""} {
			answer := d.do("POST", pagesRoot+path, body, browse, with(c), foreign)
			if answer.StatusCode != 403 || len(answer.Cookies()) > 0 {
				t.Errorf("%s, %s: %d %v", name, path, answer.StatusCode, answer.Cookies())
			}
		}
	}
	// A browser says where it comes from; only one has a session.
	for _, method := range []string{"POST", "DELETE", "PUT"} {
		if answer := d.do(method, pagesRoot+"/api/queues/live-0", "", with(c)); answer.StatusCode != 403 {
			t.Errorf("%s of nowhere: %d", method, answer.StatusCode)
		}
	}
}

func TestSessionMayDoWhatItsPagesMay(t *testing.T) {
	for readOnly, want := range map[bool]int{false: 204, true: 405} {
		rdb := connect(t)
		oneTask(t, rdb)
		d := newDoor(t, func(c *monitor.Config) { c.Redis, c.ReadOnly = rdb, readOnly })
		c := d.signIn()
		for _, from := range []func(*http.Request){header("Sec-Fetch-Site", "same-origin"), header("Origin", "http://example.com")} {
			for _, what := range []string{"pause", "resume"} {
				if answer := d.do("POST", pagesRoot+"/api/queues/live-0:"+what, "", with(c), from); answer.StatusCode != want {
					t.Errorf("read-only %t, %s: %d", readOnly, what, answer.StatusCode)
				}
			}
		}
	}
}

func TestLoginLeadsToOurPagesOnly(t *testing.T) {
	d := newDoor(t)
	for next, want := range map[string]string{
		"/asynqmon/queues/live-0?status=retry": "/asynqmon/queues/live-0?status=retry", "/asynqmon/": "/asynqmon/", "/asynqmon/servers": "/asynqmon/servers",
		"/asynqmon/queues/a%0d%0aX:y": "/asynqmon/queues/a%0D%0AX:y",
		"":                            "/asynqmon/", "/": "/asynqmon/", "/asynqmonster": "/asynqmon/", "/debug/pprof/": "/asynqmon/",
		"https://example.org/asynqmon/": "/asynqmon/", "//example.org/asynqmon/": "/asynqmon/", `/\example.org/asynqmon/`: "/asynqmon/",
		"https:/asynqmon/": "/asynqmon/", "/asynqmon//example.org": "/asynqmon/", "/asynqmon/../debug": "/asynqmon/", "/asynqmon/%2e%2e/debug": "/asynqmon/",
		"javascript:alert(1)": "/asynqmon/", "/asynqmon/logout": "/asynqmon/", "/asynqmon/login": "/asynqmon/", "/asynqmon/api/queues": "/asynqmon/", "%": "/asynqmon/",
	} {
		answer := d.do("POST", pagesRoot+"/login", form(goodKey, next), browse)
		if got := answer.Header.Get("Location"); answer.StatusCode != 303 || got != want {
			t.Errorf("%q: %d to %q, want %q", next, answer.StatusCode, got, want)
		}
	}
	shown, _ := io.ReadAll(d.do("GET", pagesRoot+`/"><script>x</script>`, "", browse).Body)
	if strings.Contains(string(shown), "<script") {
		t.Errorf("the address is not escaped: %s", shown)
	}
}

func TestFormIsBounded(t *testing.T) {
	d := newDoor(t)
	for name, test := range map[string]struct {
		path, body, kind string
		want             int
	}{
		"too long":         {"/login", form(strings.Repeat("x", 17<<10), ""), "application/x-www-form-urlencoded", 413},
		"too many fields":  {"/login", strings.Repeat("a=b&", 5<<10) + form(goodKey, ""), "application/x-www-form-urlencoded", 413},
		"no form":          {"/login", "key=%zz", "application/x-www-form-urlencoded", 400},
		"of another type":  {"/login", `{"key":"` + goodKey + `"}`, "application/json", 401},
		"of several parts": {"/login", "--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n" + goodKey + "\r\n--x--", "multipart/form-data; boundary=x", 401},
		"key in the query": {"/login?" + form(goodKey, ""), "", "application/x-www-form-urlencoded", 401},
		"empty key":        {"/login", form(" ", ""), "application/x-www-form-urlencoded", 401},
	} {
		answer := d.do("POST", pagesRoot+test.path, test.body, browse, header("Content-Type", test.kind))
		if answer.StatusCode != test.want || len(answer.Cookies()) > 0 {
			t.Errorf("%s: %d", name, answer.StatusCode)
		}
	}
	if d.asked.Load() != 0 {
		t.Errorf("%d keys were asked about", d.asked.Load())
	}
	if answer := d.do("PUT", pagesRoot+"/login", form(goodKey, "")); answer.StatusCode != 405 {
		t.Errorf("put: %d", answer.StatusCode)
	}
	if c := d.do("POST", pagesRoot+"/login", form(goodKey+"\n", ""), browse).Cookies(); len(c) != 1 {
		t.Error("a key with the end of its line is not taken")
	}
}

// The pages run the scripts that they came with, and load nothing from others.
func TestPagesAreKeptToThemselves(t *testing.T) {
	d := newDoor(t)
	answer := d.do("GET", pagesRoot+"/queues/live-0", "", browse, header("Authorization", "Bearer "+goodKey))
	text, _ := io.ReadAll(answer.Body)
	page, policy := string(text), answer.Header.Get("Content-Security-Policy")
	if answer.StatusCode != 200 || strings.Contains(page, "https://") || !strings.Contains(page, `href="/asynqmon/logout"`) || !strings.Contains(page, `<div id="root">`) {
		t.Errorf("%d %s", answer.StatusCode, page)
	}
	for _, part := range []string{"default-src 'self'; script-src 'self' 'sha256-", "object-src 'none'", "frame-ancestors 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("no %s in %s", part, policy)
		}
	}
	if script, _, _ := strings.Cut(policy, "; style-src"); strings.Contains(script, "unsafe") || strings.Count(script, "sha256-") != 2 {
		t.Errorf("policy of scripts: %s", script)
	}
	if got := answer.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("referrers: %s", got)
	}
}
