package monitor_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

func TestCookie(t *testing.T) {
	d := newDoor(t)
	for origin, secure := range map[string]bool{"http://example.com": false, "https://example.com": true} {
		c := d.signIn(header("Origin", origin))
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != pagesRoot+"/" || c.Domain != "" || c.Secure != secure || c.MaxAge != 8*60*60 {
			t.Errorf("from %s: %v", origin, c)
		}
		if strings.Contains(c.Raw, goodKey) || !d.opens(c) {
			t.Errorf("from %s: %v", origin, c)
		}
	}
	out := d.do("POST", pagesRoot+"/logout", "", browse, with(d.signIn()), header("Origin", "http://example.com"))
	if c := out.Cookies(); out.StatusCode != 303 || len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" || c[0].Path != pagesRoot+"/" {
		t.Errorf("signed out: %d, %v", out.StatusCode, c)
	}
}

func TestSessionsNotOurs(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	use := func(c *monitor.Config) { c.SessionKey = key }
	d := newDoor(t, use)
	good := d.signIn()
	if !d.opens(good) || !newDoor(t, use).opens(good) {
		t.Fatal("a session is not known where it began, or to another process of the same configuration")
	}
	for name, other := range map[string]*door{
		"another configuration":      newDoor(t, func(c *monitor.Config) { c.SessionKey = []byte(strings.Repeat("x", 32)) }),
		"another process, by itself": newDoor(t),
	} {
		if d.opens(other.signIn()) || other.opens(good) {
			t.Errorf("%s: knows the session", name)
		}
	}
	elsewhere := newDoor(t, use, func(c *monitor.Config) { c.RootPath = "/ops" })
	if elsewhere.do("GET", "/ops/login", "", browse, with(good)).StatusCode != 401 {
		t.Error("the session is good for other pages")
	}
	end := strings.LastIndexByte(good.Value, '.')
	said, signature := good.Value[:end], good.Value[end:]
	for name, value := range map[string]string{
		"nothing": "", "a dot": ".", "dots": "...", "no signature": said, "an empty one": said + ".", "signature alone": signature,
		"another key": strings.Replace(said, "key_1", "key_2", 1) + signature, "no key": strings.Replace(said, "key_1", "", 1) + signature,
		"more time": said[:len(said)-1] + "9" + signature, "the admin key": goodKey, "more fields": said + ".x" + signature, "twice": good.Value + "." + good.Value,
	} {
		if value != good.Value && d.opens(&http.Cookie{Name: good.Name, Value: value}) {
			t.Errorf("%s: %s", name, value)
		}
	}
	// Of the signature's last digit two bits say nothing: one text alone is a session's.
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	body, last := good.Value[:len(good.Value)-1], strings.IndexByte(digits, good.Value[len(good.Value)-1])
	if d.opens(&http.Cookie{Name: good.Name, Value: body + digits[last+1:last+2]}) {
		t.Error("another text of the same session")
	}
	for i := range good.Value {
		flipped := []byte(good.Value)
		if flipped[i] ^= 1; d.opens(&http.Cookie{Name: good.Name, Value: string(flipped)}) {
			t.Errorf("with another byte at %d: %s", i, flipped)
		}
	}
	planted := header("Cookie", good.Name+"=planted; "+good.Name+"="+good.Value)
	if d.do("GET", pagesRoot+"/login", "", browse, planted).StatusCode != 200 {
		t.Error("another cookie of the name hides the session")
	}
}

func TestSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		c := d.signIn()
		time.Sleep(8*time.Hour - 2*time.Second)
		if !d.opens(c) {
			t.Error("over before its time")
		}
		time.Sleep(2 * time.Second) // and that it was used makes it no longer
		if d.opens(c) {
			t.Error("still good")
		}
	})
}

// What AdminKey and StillAdmin say is what a browser is told.
func TestWhatBecomesOfTheKey(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		waits  string
		says   string
	}{
		{webhook.ErrUnauthorized, 401, "", "not an admin key"},
		{fmt.Errorf("look up: %w", webhook.ErrBusy), 429, "1", "too many wrong keys"},
		{fmt.Errorf("look up: %w", webhook.ErrUnavailable), 503, "1", "redis does not answer"},
		{io.EOF, 401, "", "not an admin key"},
	} {
		var now error
		d := newDoor(t, func(c *monitor.Config) {
			c.AdminKey = func(*http.Request, string) (string, error) { return "key_1", now }
			c.StillAdmin = func(context.Context, string) error { return now }
		})
		c := d.signIn()
		now = test.err
		for name, answer := range map[string]*http.Response{
			"form": d.do("POST", pagesRoot+"/login", form(goodKey, ""), browse), "session": d.do("GET", pagesRoot+"/", "", browse, with(c)),
			"request of a session": d.do("GET", pagesRoot+"/api/queues", "", with(c)), "bearer": d.do("GET", pagesRoot+"/", "", header("Authorization", "Bearer "+goodKey)),
		} {
			text, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != test.status || answer.Header.Get("Retry-After") != test.waits || len(answer.Cookies()) > 0 {
				t.Errorf("%v, %s: %d %v", test.err, name, answer.StatusCode, answer.Header)
			}
			if name == "form" && (!strings.Contains(string(text), test.says) || strings.Contains(string(text), goodKey)) {
				t.Errorf("%v: %s", test.err, text)
			}
		}
	}
}

func TestAuthorizationDecidesBesideASession(t *testing.T) {
	d := newDoor(t)
	c := d.signIn()
	for _, value := range []string{"", "Bearer wrong", "Basic eDp3cm9uZw==", "nonsense"} {
		answer := d.do("GET", pagesRoot+"/", "", browse, with(c), header("Authorization", value))
		if answer.StatusCode != 401 || len(answer.Header.Values("WWW-Authenticate")) != 2 {
			t.Errorf("%q: %d %v", value, answer.StatusCode, answer.Header)
		}
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
