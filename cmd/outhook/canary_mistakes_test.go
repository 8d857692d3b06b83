package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// mistakes are requests that are refused, each with what it must not leave anywhere, the answer included.
func (a *aviary) mistakes(t *testing.T) {
	endpoints, events := "/v1/brands/fine/endpoints", "/v1/brands/fine/events"
	secret := func() string { return a.new("a part of a refused request", kindSecret) }
	for _, r := range [][2]string{
		{events, `{"type":"message.read","payload":{"to":"` + secret()},
		{events, `{"type":"message.read","payload":{"to":` + secret() + `}}`},
		{events, `{"type":"message.read","payload":"` + secret() + `"}`},
		{events, `{"type":"message.read","payload":{},"expiresAt":"` + secret() + `"}`},
		{events, `{"id":"a.` + secret() + `","type":"message.read","payload":{}}`},
		{events, `{"type":"message.read","payload":{"to":"` + strings.Repeat(secret(), 300<<10/23) + `"}}`},
		{events, strings.Repeat(secret(), 9<<20/23)},
		{events + "/batch", `{"events":[{"payload":"` + secret() + `"},"` + secret() + `"]}`},
		{events + "/batch", `{"events":"` + secret() + `"}`},
		{endpoints, `{"url":"https://user:` + secret() + `@example.com/","purpose":"status"}`},
		{endpoints, `{"url":"https://example.com:99999/?` + secret() + `","purpose":"status"}`},
		{endpoints, `{"url":"https://example.com/%zz?` + secret() + `","purpose":"status"}`},
		{endpoints, `{"url":"https://example.com/","purpose":"` + secret() + `"}`},
		{endpoints, `{"url":"https://example.com/","eventTypes":["` + secret() + `"]}`},
		{endpoints, `{"url":"https://example.com/","purpose":"status","secret":"whsec_` + secret() + `"}`},
		{endpoints, `{"url":"https://example.com/","purpose":"status","signature":"ed25519","secret":"whsk_` + secret() + `"}`},
		{endpoints, `{"url":"https://example.com/","purpose":"status","headers":{"x-a":"\u0007` + secret() + `"}}`},
		{endpoints, `{"url":"https://example.com/","purpose":"status","headers":{"cookie":"` + secret() + `"}}`},
		{endpoints, `{"id":"hook","url":"https://example.com/?` + secret() + `","purpose":"status"}`},
		{endpoints + "/hook/secret/rotate", `{"secret":"whsec_` + secret() + `"}`},
		{endpoints + "/hook/test", `{"type":"` + secret() + `"}`},
		{"/v1/keys", `{"brand":"a b` + secret() + `"}`},
		{"/v1/" + secret(), `{}`},
		{"/v1/brands/a%20" + secret() + "/events", `{}`},
		{events + "?" + secret() + "=" + secret(), `{"type":"x"}`},
	} {
		a.refuse(t, r[0], r[1])
	}
	for _, query := range []string{"cursor=", "since=", "limit=", "outcome="} {
		_, text := get(t, a.api.api+"/v1/brands/fine/attempts?"+query+secret(), testKey)
		a.see("answer to a query", text)
	}
	for _, raw := range []string{
		"POST " + events + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + testKey + "\r\nX-Long: " + strings.Repeat(secret(), 2000) + "\r\n\r\n",
		"GET " + events + "?a;" + secret() + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + secret() + "\r\n\r\n",
		secret() + " garbage\r\n\r\n",
		"POST " + events + " HTTP/1.1\r\nHost: " + secret() + "/\r\nContent-Length: " + secret() + "\r\n\r\n",
		"POST " + events + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + testKey + "\r\nContent-Type: " + secret() + "\r\nContent-Length: 2\r\n\r\n{}",
	} {
		for _, at := range []string{a.api.api, a.api.admin} {
			a.see("answer to a broken request", a.say(t, at, raw))
		}
	}
}

func (a *aviary) refuse(t *testing.T, path, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.api.api+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+testKey)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return // refused before all of it was sent
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	entries := answer.StatusCode == http.StatusAccepted && strings.HasSuffix(path, "/batch") // each has its own error
	if !entries && (answer.StatusCode < 400 || answer.StatusCode >= 500) {
		t.Errorf("%s %.200s: %d", path, body, answer.StatusCode)
	}
	if !strings.Contains(path, "?") { // the name of a parameter is the asker's own
		a.see("answer to "+path, string(text))
	}
}

// say sends bytes as they are, and answers what comes back.
func (a *aviary) say(t *testing.T, to, raw string) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", target.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, raw)
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	text, _ := io.ReadAll(conn)
	return string(text)
}

// commands show what hostile receivers answered, and are given what they cannot use.
func (a *aviary) commands(t *testing.T) {
	env := []string{"OUTHOOK_SERVER=" + a.api.api, "OUTHOOK_KEY=" + testKey}
	for _, brand := range []string{"fails", "repeats", "breaks", "mumbles", "gone"} {
		for _, args := range [][]string{
			{"attempt", "list"}, {"event", "explain", "e1"}, {"event", "list"}, {"dead-letter", "list"}, {"endpoint", "list"},
			{"endpoint", "get", "hook"}, {"endpoint", "test", "hook"}, {"endpoint", "check", a.urls[brand]},
		} {
			for _, form := range []string{"table", "json"} {
				got := command(t, env, append(slices.Clone(args), "--brand="+brand, "-o", form)...)
				if got.code != exitDone && args[1] != "test" && args[1] != "check" {
					t.Errorf("%v: %+v", args, got)
				}
				a.terminal += got.out + got.errOut
				a.see("error of a command", got.errOut)
			}
		}
	}
	secret := func() string { return a.new("a part of a refused command", kindSecret) }
	for _, args := range [][]string{
		{"publish", "--brand=fine", "--type=message.read", "--data", `{"to":` + secret()},
		{"publish", "--brand=fine", "--type=" + secret(), "--data={}"},
		{"endpoint", "create", "--brand=fine", "--purpose=status", "--url", "https://u:" + secret() + "@example.com/"},
		{"endpoint", "create", "--brand=fine", "--purpose=status", "--url=https://example.com/", "--header", "x-a: \x1b" + secret()},
		{"endpoint", "check", "https://example.com/%zz?" + secret(), "--brand=fine"},
		{"endpoint", "list", "--brand=fine", "--key", secret()},
	} {
		got := command(t, env, args...)
		if got.code == exitDone && args[1] != "check" {
			t.Errorf("%v: %+v", args, got)
		}
		a.terminal += got.out + got.errOut
		a.see("error of "+strings.Join(args[:2], " "), got.out+got.errOut)
	}
}

// A handler's panic is told without its value, which may be part of the request.
func TestPanicIsLoggedWithoutTheRequest(t *testing.T) {
	t.Parallel()
	hidden := newCanary("the request", kindSecret, mark())
	text := string(hidden.forms[slices.IndexFunc(hidden.forms, func(form []byte) bool { return bytes.HasPrefix(form, []byte("canary-")) })])
	for name, value := range map[string]func(*http.Request, []byte) any{
		"text":           func(_ *http.Request, body []byte) any { return string(body) },
		"bytes":          func(_ *http.Request, body []byte) any { return body },
		"error":          func(r *http.Request, _ []byte) any { return &url.Error{Op: r.Method, URL: r.URL.String(), Err: io.EOF} },
		"header":         func(r *http.Request, _ []byte) any { return r.Header },
		"request":        func(r *http.Request, _ []byte) any { return *r },
		"runtime error":  func(_ *http.Request, body []byte) any { return body[:0][len(body)-1] },
		"abort, unsaid":  func(*http.Request, []byte) any { return http.ErrAbortHandler },
		"conversion":     func(_ *http.Request, body []byte) any { return any(body).(runtime.Error) },
		"text in a type": func(_ *http.Request, body []byte) any { return struct{ Text string }{string(body)} },
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			d := &daemon{log: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}
			server := httptest.NewUnstartedServer(nil)
			server.Config = d.server("api", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				panic(value(r, body))
			}))
			server.Start()
			t.Cleanup(server.Close)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/?"+text, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+text)
			if answer, err := server.Client().Do(request); err == nil {
				answer.Body.Close()
				t.Fatal("the handler did not panic")
			}
			server.Close() // its log is complete then
			if said := strings.Contains(logged.String(), "http handler panicked"); said == (name == "abort, unsaid") {
				t.Errorf("logged: %s", logged.String())
			}
			if form, found := hidden.in(logged.Bytes()); found {
				t.Errorf("%q is in the log: %s", form, logged.String())
			}
		})
	}
}
