package main

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// What is secret is on no page but the one that is for it, and what people do in the browser leaves nothing in the log.
func TestConsoleCanaries(t *testing.T) {
	t.Parallel()
	d := startServe(t, redistest.Start(t).Addr(), "--log-level=debug", "--retry-initial-interval=1h")
	made, err := d.client(t).CreateKey(t.Context(), httpapi.KeyRequest{Brand: "acme", Description: "canary"})
	if err != nil {
		t.Fatal(err)
	}
	header, number, query, checked := mark(), phone(), mark(), mark()
	c := newConsoleClient(t, d.api)
	cookie := strings.TrimPrefix(strings.Split(c.signIn(made.Key).Header.Get("Set-Cookie"), ";")[0], "outhook_console=")
	form := url.Values{"id": {"hook"}, "kind": {"status"}, "url": {"http://127.0.0.1:1/?token=" + query}, "headers": {"x-canary: " + header}}
	answer, body := c.send(http.MethodPost, "/brands/acme/endpoints/new", form)
	at := strings.Index(body, "whsec_")
	if answer.StatusCode != http.StatusCreated || at < 0 {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	secret := html.UnescapeString(body[at : at+strings.IndexByte(body[at:], '<')]) // which may have a plus sign
	receipt, err := d.client(t).Publish(t.Context(), "acme", httpapi.PublishRequest{Type: "message.read", Payload: []byte(`{"to":"` + number + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	c.send(http.MethodPost, "/brands/acme/endpoints/hook/test", url.Values{})
	c.send(http.MethodPost, "/brands/acme/check", url.Values{"url": {"http://127.0.0.1:1/?token=" + checked}})
	c.send(http.MethodPost, "/login", url.Values{"key": {made.Key + "0"}})
	event := "/brands/acme/events/" + receipt.ID
	c.lookForSecrets(event, map[string]string{
		"the key": made.Key, "the cookie": cookie, "the secret": secret, "a header's value": header, "a URL that was checked": checked,
	})
	if _, body := c.send(http.MethodGet, "/brands/acme/attempts", nil); strings.Contains(body, query) {
		t.Error("attempts have the query of the URL")
	}
	if _, body := c.send(http.MethodPost, event+"/curl", url.Values{"endpoint": {"hook"}}); !strings.Contains(body, header) || !strings.Contains(body, number) {
		t.Errorf("the curl lacks what is sent:\n%s", body)
	}
	if answer, body := c.send(http.MethodPost, "/brands/acme/endpoints/new", form); answer.StatusCode != http.StatusSeeOther || strings.Contains(body, "whsec_") {
		t.Errorf("the same form again: %d", answer.StatusCode)
	}
	rotation := url.Values{"overlap": {"1h"}, "hint": {secret[len(secret)-4:]}}
	for _, want := range []int{http.StatusOK, http.StatusUnprocessableEntity} { // the same form again
		if got := c.status(http.MethodPost, "/brands/acme/endpoints/hook/rotate", rotation); got != want {
			t.Errorf("rotation: %d, want %d", got, want)
		}
	}
	d.awaitLog(t, "endpoint changed") // of the rotation, the last of all
	log := string(d.log())
	for name, canary := range map[string]string{
		"the key": made.Key[strings.LastIndex(made.Key, "_")+1:], "the cookie": cookie, "the secret": secret[6:], "a header's value": header,
		"a number": number, "a query": query, "a URL that was checked": checked,
	} {
		if strings.Contains(log, canary) {
			t.Errorf("the log has %s", name)
		}
	}
}

// lookForSecrets goes through the pages of the brand, where nothing of these may be.
func (c consoleClient) lookForSecrets(event string, secrets map[string]string) {
	c.Helper()
	for _, page := range []string{
		"/brands/acme/", "/brands/acme/endpoints/hook", "/brands/acme/endpoints/hook/rotate", "/brands/acme/endpoints/hook/delete", "/brands/acme/endpoints/hook/recover",
		"/brands/acme/attempts", "/brands/acme/events", event, "/brands/acme/dead-letters", "/brands/acme/jobs", "/brands/acme/verify",
	} {
		answer, body := c.send(http.MethodGet, page, nil)
		body = html.UnescapeString(body)
		if answer.StatusCode != http.StatusOK {
			c.Errorf("%s: %d", page, answer.StatusCode)
		}
		for name, secret := range secrets {
			if strings.Contains(body, secret) {
				c.Errorf("%s has %s", page, name)
			}
		}
	}
}
