package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// consoleStage is a daemon on a Redis of its own, a receiver that answers as it is told, and a browser before its console.
type consoleStage struct {
	*browser
	redis  *redistest.Server
	daemon *child
	api    *httpapi.Client
	// url is that of the console, without a slash at its end.
	url string
	// receiver is the URL of the receiver, to which paths are added.
	receiver string

	// axeSource is the program of axe-core.
	axeSource string

	mu sync.Mutex
	// answers are those of the receiver by path.
	answers map[string]http.HandlerFunc
}

const consoleBrand = "acme"

// consoleFlags let a breaker be seen open, and nothing be retried while somebody looks.
var consoleFlags = []string{"--retry-initial-interval=1h", "--breaker-failures=2", "--breaker-open-for=1h", "--breaker-max-open-for=1h"}

func newConsoleStage(t *testing.T) *consoleStage {
	s := &consoleStage{browser: startBrowser(t), redis: redistest.Start(t, "--appendonly", "yes"), answers: map[string]http.HandlerFunc{}}
	s.axeSource = s.axe()
	receiver := httptest.NewServer(s)
	t.Cleanup(receiver.Close)
	s.receiver = receiver.URL
	s.daemon = startServe(t, s.redis.Addr(), consoleFlags...)
	s.api, s.url = s.daemon.client(t), s.daemon.api+"/console"
	return s
}

// ServeHTTP is the receiver.
func (s *consoleStage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := s.answers[r.URL.Path]
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
	_, _ = io.Copy(io.Discard, r.Body)
}

func (s *consoleStage) answer(path string, with http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = with
}

// answerStatus is a handler of one status.
func answerStatus(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func (s *consoleStage) endpoint(brand, id, purpose string) {
	s.Helper()
	_, _, err := s.api.CreateEndpoint(s.Context(), brand, httpapi.EndpointRequest{ID: id, URL: s.receiver + "/" + id, Purpose: purpose})
	s.must(err)
}

func (s *consoleStage) publish(brand, eventType string) (id string) {
	s.Helper()
	receipt, err := s.api.Publish(s.Context(), brand, httpapi.PublishRequest{Type: eventType, Payload: []byte(`{"clientRef":"order-4711"}`)})
	s.must(err)
	return receipt.ID
}

func (s *consoleStage) await(brand, event, want string) {
	s.Helper()
	state := ""
	s.eventually(func() bool {
		e, err := s.api.Event(s.Context(), brand, event)
		if err == nil && len(e.Deliveries) == 1 {
			state = e.Deliveries[0].State
		}
		return state == want
	}, func() string { return fmt.Sprintf("event %s is %s, not %s", event, state, want) })
}

// key makes one of a brand, or an admin's.
func (s *consoleStage) key(brand string) httpapi.Key {
	s.Helper()
	made, err := s.api.CreateKey(s.Context(), httpapi.KeyRequest{Brand: brand, Description: "of the console's test"})
	s.must(err)
	return made
}

func (s *consoleStage) signIn(key string) {
	s.Helper()
	s.see("API key")
	s.eventually(func() bool { return s.text("document.activeElement.name") == "key" }, func() string { return "the field has not the focus" })
	s.fill("key", key)
	s.press(button("Sign in"))
}

// signOut ends the session of the browser.
func (s *consoleStage) signOut() {
	s.Helper()
	s.press(button("Sign out"))
	s.see("API key")
}

// button is the one with this text.
func button(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("button, a.button, summary")].find(b => b.innerText.replace(/\s+/g, " ").trim() === %q)`, text)
}

// link is the one with this text.
func link(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("a")].find(a => a.innerText.replace(/\s+/g, " ").trim() === %q)`, text)
}

// press is that of the browser, once the page is there with its style: before, what it presses is elsewhere.
func (s *consoleStage) press(element string) {
	s.Helper()
	s.eventually(func() bool { return s.text("document.readyState") == "complete" }, func() string { return "the page does not load" })
	s.browser.press(element)
}

// enter replaces what stands in the input of a name.
func (s *consoleStage) enter(name, text string) {
	s.Helper()
	s.do(chromedp.SetValue(chromedp.CSS("[name="+name+"]"), text))
}

func TestConsoleInABrowser(t *testing.T) {
	t.Parallel()
	s := newConsoleStage(t)
	s.endpoint(consoleBrand, "status", webhook.PurposeStatus)
	s.endpoint(consoleBrand, "inbound", webhook.PurposeInbound)
	s.endpoint("globex", "status", webhook.PurposeStatus)
	s.signInWrongly()
	s.lookAtTheBrand()
	s.lookAtAllBrands()
	s.watchTheLog()
	s.recoverWhatDied()
	s.deleteWhatDied()
	id, secret := s.makeAnEndpoint()
	s.testTheEndpoint(secret)
	s.rotateTheSecret(id, secret)
	s.changeTheEndpoint(id)
	s.signOut()
	s.endWithTheKey()
	s.askNobodyElse()
	s.comeByLink()
}
