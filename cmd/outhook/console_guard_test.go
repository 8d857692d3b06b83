package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// consoleClient is a browser without a screen.
type consoleClient struct {
	*testing.T
	http *http.Client
	url  string
}

func newConsoleClient(t *testing.T, api string) consoleClient {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	return consoleClient{t, client, api + "/console"}
}

// send makes a request, with a form where it is a POST.
func (c consoleClient) send(method, path string, form url.Values, header ...string) (*http.Response, string) {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	return answer, readAll(c.T, answer)
}

func (c consoleClient) status(method, path string, form url.Values, header ...string) int {
	c.Helper()
	answer, _ := c.send(method, path, form, header...)
	return answer.StatusCode
}

func (c consoleClient) signIn(key string) *http.Response {
	c.Helper()
	answer, body := c.send(http.MethodPost, "/login", url.Values{"key": {key}})
	if answer.StatusCode != http.StatusSeeOther {
		c.Fatalf("sign in: %d %s", answer.StatusCode, body)
	}
	return answer
}

func TestConsoleLetsNobodyInWithoutAKey(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	d := startServe(t, store.Addr(), "--role=api")
	made, err := d.client(t).CreateKey(t.Context(), httpapi.KeyRequest{Brand: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	stranger := newConsoleClient(t, d.api)
	for _, path := range []string{"/", "/brands/acme/", "/brands/", "/nothing", "/brands/acme/nothing"} {
		answer, body := stranger.send(http.MethodGet, path, nil)
		if answer.StatusCode != http.StatusUnauthorized || !strings.Contains(body, `type="password"`) {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
		policy := answer.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "script-src 'self';") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") ||
			answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, answer.Header)
		}
	}
	brand := newConsoleClient(t, d.api)
	cookie := brand.signIn(made.Key).Header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/console/", made.ID, "acme"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %s lacks %s", cookie, part)
		}
	}
	if secret := made.Key[strings.LastIndex(made.Key, "_")+1:]; strings.Contains(cookie, secret) {
		t.Errorf("cookie %s has the key", cookie)
	}
	forged := strings.Replace(strings.TrimPrefix(strings.Split(cookie, ";")[0], "outhook_console="), "acme", "globex", 1)
	if got := stranger.status(http.MethodGet, "/brands/globex/", nil, "Cookie", "outhook_console="+forged); got != http.StatusUnauthorized {
		t.Errorf("a forged cookie: %d", got)
	}
	if got := brand.status(http.MethodPost, "/logout", nil, "Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden {
		t.Errorf("a form of another site: %d", got)
	}
	if got := brand.status(http.MethodPost, "/logout", nil, "Origin", "http://evil.example.com"); got != http.StatusForbidden {
		t.Errorf("a form of another origin: %d", got)
	}
	if got := brand.status(http.MethodPost, "/login", url.Values{"key": {strings.Repeat("x", 300<<10)}}); got != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 300 KiB: %d", got)
	}
	_, missing := brand.send(http.MethodGet, "/brands/acme/nothing", nil)
	if _, other := brand.send(http.MethodGet, "/brands/globex/", nil); strings.Contains(other, "globex") || len(other) > len(missing) {
		t.Errorf("of another brand it says:\n%s", other)
	}
}

// A page to go on to after signing in is one of ours, whatever the form says.
func TestConsoleLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	d := startServe(t, redistest.Start(t).Addr(), "--role=api")
	for next, want := range map[string]string{
		"/console/brands/acme/?page=2": "/console/brands/acme/?page=2", "https://evil.example.com/console/": "/console/", "//evil.example.com": "/console/",
		"/console/../v1": "/console/", "/v1": "/console/", "": "/console/", "/console/login": "/console/", `/console/\evil`: "/console/%5Cevil",
	} {
		answer, _ := newConsoleClient(t, d.api).send(http.MethodPost, "/login", url.Values{"key": {testKey}, "next": {next}})
		if got := answer.Header.Get("Location"); got != want {
			t.Errorf("%q leads to %q, not %q", next, got, want)
		}
	}
}

func TestConsoleSecretFollowsTheKeys(t *testing.T) {
	ring := func(keys ...string) config.Secrets {
		var s config.Secrets
		for _, key := range keys {
			s.Keys = append(s.Keys, config.EncryptionKey{ID: key, Key: config.NewSecret(strings.Repeat(key, 32))})
		}
		return s
	}
	a := string(sessionSecret(ring("a", "b"), hashOf("admin")))
	for name, other := range map[string]string{
		"another newest key": string(sessionSecret(ring("b", "a"), hashOf("admin"))), "another admin key": string(sessionSecret(ring("a", "b"), hashOf("other"))),
	} {
		if a == other || len(other) != 32 {
			t.Errorf("%s: the secret is %d bytes, and the same: %v", name, len(other), a == other)
		}
	}
	if again := string(sessionSecret(ring("a"), hashOf("admin"))); again != a {
		t.Error("an old key that is gone ends sessions")
	}
	for listen, want := range map[string]string{
		"127.0.0.1:8081": "http://127.0.0.1:8081/asynqmon/", ":8081": "", "127.0.0.1:0": "", "[::1]:81": "http://[::1]:81/asynqmon/",
	} {
		if got := asynqmonURL(listen); got != want {
			t.Errorf("%s: %q", listen, got)
		}
	}
}

func readAll(t *testing.T, answer *http.Response) string {
	t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// open begins a stream, and returns its lines.
func (c consoleClient) open(path string) *bufio.Scanner {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), http.MethodGet, c.url+path, nil)
	if err != nil {
		c.Fatal(err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || kind != "text/event-stream" {
		c.Fatalf("%s: %d %s", path, answer.StatusCode, kind)
	}
	return bufio.NewScanner(answer.Body)
}

// awaitLine reads until a line is there, or the end.
func awaitLine(lines *bufio.Scanner, want string) bool {
	for lines.Scan() {
		if lines.Text() == want {
			return true
		}
	}
	return false
}

// What stays open ends with the session, and with the process, and there is not too much of it.
func TestConsoleStreamsEnd(t *testing.T) {
	t.Parallel()
	d := startServe(t, redistest.Start(t).Addr(), "--role=api")
	made, err := d.client(t).CreateKey(t.Context(), httpapi.KeyRequest{Brand: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	const live = "/brands/acme/attempts/live"
	if got := newConsoleClient(t, d.api).status(http.MethodGet, live, nil); got != http.StatusUnauthorized {
		t.Errorf("without a session: %d", got)
	}
	brand, operator := newConsoleClient(t, d.api), newConsoleClient(t, d.api)
	brand.signIn(made.Key)
	operator.signIn(testKey)
	if got := brand.status(http.MethodGet, "/brands/globex/attempts/live", nil); got != http.StatusNotFound {
		t.Errorf("of another brand: %d", got)
	}
	own, others := brand.open(live), operator.open(live)
	if !awaitLine(own, "event: rows") || !awaitLine(others, "event: rows") {
		t.Fatal("no rows")
	}
	if !awaitLine(operator.open("/brands/other/attempts/live?since=yesterday"), "event: end") {
		t.Error("a filter that is none does not end")
	}
	for range 18 { // beside the two that are open
		operator.open(live)
	}
	if got := operator.status(http.MethodGet, live, nil); got != http.StatusTooManyRequests {
		t.Errorf("one more than a brand may have: %d", got)
	}
	if err := d.client(t).RevokeKey(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	if !awaitLine(own, "event: end") {
		t.Error("a revoked key does not end what it opened")
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if awaitLine(others, "event: end") {
		t.Error("a process that ends ends sessions")
	}
	<-d.exited
	if code := d.cmd.ProcessState.ExitCode(); code != exitDone {
		t.Errorf("exit code %d with streams open", code)
	}
}
