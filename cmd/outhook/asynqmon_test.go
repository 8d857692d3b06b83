package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// stage is a daemon on a Redis of its own, a receiver that answers as it is told, and a browser before its asynqmon.
type stage struct {
	*browser
	redis  *redistest.Server
	daemon *child
	api    *httpapi.Client
	// url is that of asynqmon.
	url string
	// endpoints are ids by the receiver's paths.
	endpoints map[string]string

	mu sync.Mutex
	// answers are those of the receiver by path; one of 0 comes when hung is closed.
	answers map[string]int
	hung    chan struct{}
	// got are the ids of the events that came.
	got map[string]int
}

const stageBrand = "acme"

// stageFlags leave what failed, and what waits, for whoever pushes a button.
var stageFlags = []string{
	"--queue-shards=1", "--retry-initial-interval=1h", "--breaker-failures=2", "--breaker-open-for=1h", "--breaker-max-open-for=1h",
}

func newStage(t *testing.T) *stage {
	s := &stage{
		browser: startBrowser(t), redis: redistest.Start(t, "--appendonly", "yes"),
		endpoints: map[string]string{}, answers: map[string]int{}, hung: make(chan struct{}), got: map[string]int{},
	}
	receiver := httptest.NewServer(s)
	t.Cleanup(receiver.Close)
	s.daemon = startServe(t, s.redis.Addr(), stageFlags...)
	s.api, s.url = s.daemon.client(t), s.daemon.admin+"/asynqmon/"
	for at, eventType := range map[string]string{
		"picky": "message.failed", "down": "message.read", "fine": "message.delivered", "slow": "interaction.sms.reply",
	} {
		s.answer(at, http.StatusOK)
		stored, _, err := s.api.CreateEndpoint(t.Context(), stageBrand, httpapi.EndpointRequest{URL: receiver.URL + "/" + at, EventTypes: []string{eventType}})
		s.must(err)
		s.endpoints[at] = stored.ID
	}
	return s
}

// ServeHTTP is the receiver.
func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	s.got[r.Header.Get("webhook-id")]++
	status := s.answers[strings.TrimPrefix(r.URL.Path, "/")]
	s.mu.Unlock()
	if status == 0 {
		<-s.hung
		status = http.StatusOK
	}
	w.WriteHeader(status)
}

func (s *stage) answer(at string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[at] = status
}

// received is how often an event came.
func (s *stage) received(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[id]
}

// recipient is in every body, and is not to be seen.
const recipient = "15552223333"

func (s *stage) send(eventType string) (id string) {
	s.Helper()
	receipt, err := s.api.Publish(s.Context(), stageBrand, httpapi.PublishRequest{Type: eventType, Payload: []byte(`{"recipient":"` + recipient + `"}`)})
	s.must(err)
	return receipt.ID
}

func (s *stage) await(id string, want webhook.State) {
	s.Helper()
	s.eventually(func() bool { return s.state(id) == want }, func() string { return fmt.Sprintf("event %s is %s, not %s", id, s.state(id), want) })
}

func (s *stage) state(id string) webhook.State {
	e, err := s.api.Event(s.Context(), stageBrand, id)
	if err != nil || len(e.Deliveries) != 1 {
		return ""
	}
	return webhook.State(e.Deliveries[0].State)
}

// signIn fills the form, whose field has the focus.
func (s *stage) signIn(key string) {
	s.Helper()
	s.see("Admin key")
	s.eventually(func() bool { return s.text("document.activeElement.name") == "key" }, func() string { return "the field has not the focus" })
	s.fill("key", key)
	s.press(`document.querySelector("form button")`)
}

func (s *stage) tab(state string) {
	s.Helper()
	s.open(s.url + "queues/live-0?status=" + state)
}

// row is that of a table that shows this.
func row(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].find(row => row.innerText.includes(%q))`, text)
}

// push presses a button of a row: they are there while the mouse is over its last cell.
func (s *stage) push(text, title string) {
	s.Helper()
	button := row(text) + fmt.Sprintf(`?.querySelector('button[title=%q]')`, title)
	s.eventually(func() bool { // a page that is still made may move it away again
		s.point(row(text) + "?.lastElementChild")
		return s.text(`"" + !!`+button) == "true"
	}, func() string { return "no " + button })
	s.press(button)
}

func TestAsynqmonInABrowser(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	t.Cleanup(func() { close(s.hung) })
	s.signInAnywhere()
	s.runARetry()
	s.runAWakeUp()
	s.archiveARetry()
	s.lookAround()
	s.deleteWhilePaused()
	s.lookOnly()
	s.signOut()
	s.endWithTheKey()
	s.askNobodyElse()
}
