package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// postKey fills the form of the admin listener, from an address.
func postKey(d *daemon, key, from string) *http.Response {
	request := httptest.NewRequest(http.MethodPost, "/asynqmon/login", strings.NewReader(url.Values{"key": {key}}.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.RemoteAddr = from
	answer := httptest.NewRecorder()
	d.admin.Handler.ServeHTTP(answer, request)
	return answer.Result()
}

func getWith(d *daemon, path string, cookies []*http.Cookie) int {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	for _, c := range cookies {
		request.AddCookie(c)
	}
	answer := httptest.NewRecorder()
	d.admin.Handler.ServeHTTP(answer, request)
	return answer.Code
}

// A session is for asynqmon alone, and for every process of the configuration.
func TestSessionOfTheAdminListener(t *testing.T) {
	cookies := postKey(daemonWith(t, roleWorker), testKey, "192.0.2.1:1").Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	const otherKey = "another-admin-key-of-32-characters"
	for name, test := range map[string]struct {
		env  []string
		want int
	}{
		"another process":    {nil, 200},
		"another admin key":  {[]string{"OUTHOOK_AUTH_ADMIN_KEY=" + otherKey}, 401},
		"an older key kept":  {[]string{"OUTHOOK_SECRETS_KEYS=" + testSecretKey + ",old:" + strings.Repeat("QUFB", 10) + "QUE="}, 200},
		"a newer key before": {[]string{"OUTHOOK_SECRETS_KEYS=new:" + strings.Repeat("QUFB", 10) + "QUE=," + testSecretKey}, 401},
	} {
		d := daemonWith(t, roleAPI, test.env...)
		if got := getWith(d, "/asynqmon/login", cookies); got != test.want {
			t.Errorf("%s: %d", name, got)
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/symbol", "/nothing"} {
			if got := getWith(d, path, cookies); got != 401 {
				t.Errorf("%s, %s: %d", name, path, got)
			}
		}
	}
}

// The form takes from the same account of wrong keys as every other way in.
func TestWrongKeysInTheFormAreSlowed(t *testing.T) {
	d := daemonWith(t, roleAPI)
	const guesser, other = "192.0.2.1:1", "192.0.2.2:1"
	slowed := 0
	for range 40 { // of which 20 are free
		if postKey(d, "a-wrong-key-of-at-least-32-characters", guesser).StatusCode == 429 {
			slowed++
		}
	}
	if slowed == 0 {
		t.Error("40 wrong keys at once are looked at")
	}
	if got := postKey(d, "a-wrong-key-of-at-least-32-characters", other).StatusCode; got != 401 {
		t.Errorf("another address: %d", got)
	}
	if got := postKey(d, testKey, guesser).StatusCode; got != 303 {
		t.Errorf("the right key from the same address: %d", got)
	}
}
