package monitor_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/monitor"
)

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

// What AdminKey remembers of a key that StillAdmin no longer takes begins no session.
func TestNoSessionBeginsThatWouldNotGoOn(t *testing.T) {
	d := newDoor(t, func(c *monitor.Config) {
		c.StillAdmin = func(context.Context, string) error { return webhook.ErrUnauthorized }
	})
	if answer := d.do("POST", pagesRoot+"/login", form(goodKey, ""), browse); answer.StatusCode != 401 || len(answer.Cookies()) > 0 {
		t.Errorf("%d %v", answer.StatusCode, answer.Cookies())
	}
}
