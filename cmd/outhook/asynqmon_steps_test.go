package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// signInAnywhere takes the page over plain HTTP at a name, where browsers do not say by Sec-Fetch-Site where a form comes
// from, and over loopback, where they do.
func (s *stage) signInAnywhere() {
	s.Helper()
	admin, err := url.Parse(s.daemon.admin)
	s.must(err)
	for _, base := range []string{"http://outhook.example.com:" + admin.Port(), s.daemon.admin} {
		page := base + "/asynqmon/queues/live-0?status=retry"
		s.open(page)
		s.signIn("not-a-key-of-anybody-at-all-12345")
		s.see("This is not an admin key")
		s.picture("login-wrong-key")
		s.signIn(testKey)
		s.see("Queue name", "live-0")
		if at := s.text("location.href"); at != page {
			s.Errorf("led to %s instead of %s", at, page)
		}
		if seen := s.text("document.cookie + JSON.stringify(localStorage)"); strings.Contains(seen, "outhook") || strings.Contains(seen, testKey) {
			s.Errorf("scripts see %s", seen)
		}
	}
}

func (s *stage) runARetry() {
	s.Helper()
	s.answer("picky", http.StatusBadRequest)
	id := s.send("message.failed")
	s.await(id, webhook.StateRetrying)
	s.tab("retry")
	s.see("delivery", stageBrand, id, s.endpoints["picky"], "message.failed", "outhook event explain --brand "+stageBrand)
	s.picture("retry")
	s.answer("picky", http.StatusOK)
	s.push(id, "Run")
	s.await(id, webhook.StateDelivered)
}

// runAWakeUp lets one through a breaker that would be open for an hour, and so all.
func (s *stage) runAWakeUp() {
	s.Helper()
	s.answer("down", http.StatusServiceUnavailable)
	for range 2 {
		s.await(s.send("message.read"), webhook.StateRetrying)
	}
	var waiting []string
	for range 3 {
		waiting = append(waiting, s.send("message.read"))
	}
	for _, id := range waiting {
		s.await(id, webhook.StateWaiting)
	}
	s.tab("scheduled")
	s.see("endpoint:wake", stageBrand, s.endpoints["down"], "waiting   3", "gate      breaker", "until     20")
	s.picture("scheduled")
	s.tab("retry")
	s.see("waiting   3", "gate      breaker") // behind which the retries go
	s.picture("retry-behind-breaker")
	if right := s.text(`"" + (` + row("breaker") + `.lastElementChild.getBoundingClientRect().right <= innerWidth)`); right != "true" {
		s.Error("the buttons of a retry are out of sight")
	}
	s.answer("down", http.StatusOK)
	s.tab("scheduled")
	s.push(s.endpoints["down"], "Run")
	for _, id := range waiting {
		s.await(id, webhook.StateDelivered)
	}
}

// archiveARetry puts one away, of those that failed before the breaker opened, and takes it out again.
func (s *stage) archiveARetry() {
	s.Helper()
	s.answer("picky", http.StatusBadRequest)
	id := s.send("message.failed")
	s.await(id, webhook.StateRetrying)
	s.tab("retry")
	s.push(id, "Archive")
	s.tab("archived")
	s.see(id, "message.failed")
	s.pictures("archived")
	s.answer("picky", http.StatusOK)
	s.push(id, "Run")
	s.await(id, webhook.StateDelivered)
}

// lookAround opens the pages that are not of tasks.
func (s *stage) lookAround() {
	s.Helper()
	for page, wanted := range map[string]string{"": "Tasks Processed", "servers": "Active Workers", "schedulers": "No entries", "redis": "Used Memory"} {
		s.open(s.url + page)
		s.see(wanted, "Sign out")
		s.picture("page-" + page)
	}
}

// deleteWhilePaused takes a task away that is to be delivered all the same.
func (s *stage) deleteWhilePaused() {
	s.Helper()
	s.open(s.url)
	s.push("live-0", "Pause")
	s.see("paused")
	id := s.send("message.delivered")
	s.tab("pending")
	s.see(id, "message.delivered")
	s.picture("pending")
	s.press(row(id) + "?.cells[1]")
	s.see("Task Info", id, "GET /v1/brands/"+stageBrand+"/events/"+id+"/deliveries")
	s.picture("task")
	s.tab("pending")
	s.push(id, "Delete")
	s.see("No pending tasks at this time") // before the reconciler makes it another, or after that page
	s.open(s.url)
	s.push("live-0", "Resume")
	s.await(id, webhook.StateDelivered)
	if n := s.received(id); n != 1 {
		s.Errorf("received %d times", n)
	}
	if n := len(s.daemon.logged("delivery re-driven")); n != 1 {
		s.Errorf("re-driven %d times", n)
	}
}

// lookOnly goes to another process of the configuration, which knows the session, and has no buttons.
func (s *stage) lookOnly() {
	s.Helper()
	s.answer("slow", 0)
	id := s.send("interaction.sms.reply")
	s.eventually(func() bool { return s.received(id) == 1 }, func() string { return "event " + id + " does not come" })
	other := startServe(s.T, s.redis.Addr(), append(stageFlags, "--role=api", "--asynqmon-read-only=true")...)
	s.open(other.admin + "/asynqmon/queues/live-0?status=active")
	s.see("Queue name", id, "interaction.sms.reply")
	s.picture("active-read-only")
	if n := s.text(`"" + document.querySelectorAll("tbody :is(input, button:not([title^=Copy]))").length`); n != "0" {
		s.Errorf("%s buttons of tasks", n)
	}
	for _, request := range []string{"POST queues/live-0:pause", "DELETE queues/live-0", "POST queues/live-0/active_tasks:cancel_all"} {
		if got := s.ask(request); got != "405" {
			s.Errorf("read-only, %s: %s", request, got)
		}
	}
	s.open(s.url + "queues/live-0?status=active")
	s.see(id)
	s.picture("active")
	s.answer("slow", http.StatusOK)
	s.push(id, "Cancel")
	s.await(id, webhook.StateDelivered)
	attempts, err := s.api.Attempts(s.Context(), stageBrand, httpapi.AttemptQuery{EventID: id})
	s.must(err)
	if made := attempts.Items; len(made) != 2 || made[1].Reason != string(webhook.ReasonInterrupted) || made[0].Number != 1 {
		s.Errorf("attempts %+v", made)
	}
}

// ask sends a request of the page's own to the API, and returns its status.
func (s *stage) ask(request string) string {
	s.Helper()
	method, path, _ := strings.Cut(request, " ")
	status, err := inPage(s.browser, chromedp.Evaluate[string](
		fmt.Sprintf(`fetch("/asynqmon/api/%s", {method: %q}).then(answer => "" + answer.status)`, path, method), chromedp.EvalAwaitPromise))
	s.must(err)
	return status
}

func (s *stage) signOut() {
	s.Helper()
	s.open(s.url)
	s.press(`document.querySelector("a.outhook-out")`)
	s.see("You are signed in with the admin key of the configuration, until 20")
	s.picture("signed-in")
	s.press(`document.querySelector("form button")`)
	s.see("Admin key")
	for _, page := range []string{"", "queues/live-0", "api/queues", "login", "logout"} {
		s.open(s.url + page)
		s.see("Admin key")
	}
}

// endWithTheKey signs in with a key that is revoked then.
func (s *stage) endWithTheKey() {
	s.Helper()
	key, err := s.api.CreateKey(s.Context(), httpapi.KeyRequest{Description: "of an operator"})
	s.must(err)
	s.open(s.url)
	s.signIn(key.Key)
	s.see("Queue Size")
	s.must(s.api.RevokeKey(s.Context(), key.ID))
	if got := s.ask("GET queues"); got != "401" {
		s.Errorf("with the session of a key that was revoked: %s", got)
	}
	ofBrand, err := s.api.CreateKey(s.Context(), httpapi.KeyRequest{Brand: stageBrand})
	s.must(err)
	for _, text := range []string{key.Key, ofBrand.Key} {
		s.open(s.url)
		s.signIn(text)
		s.see("This is not an admin key, or it was revoked.")
		if strings.Contains(s.daemon.text()+s.addresses(), text) {
			s.Error("a key is in the log, or in an address")
		}
	}
	s.open(s.url)
	s.pictures("login")
}

// pictures takes what is seen in the dark, in the light, and on a telephone, where the way out and the rest still fit.
func (s *stage) pictures(name string) {
	s.Helper()
	for _, scheme := range []string{"dark", "light"} {
		feature := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme}
		_, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}})
		s.must(err)
		s.do(chromedp.Reload())
		s.see("Sign")
		s.picture(name + "-" + scheme)
	}
	s.do(chromedp.EmulateViewport(360, 640))
	s.picture(name + "-narrow")
	s.do(chromedp.EmulateViewport(1400, 900))
}

func (s *stage) askNobodyElse() {
	s.Helper()
	for host := range s.hosts() {
		if name, _, _ := strings.Cut(host, ":"); name != "127.0.0.1" && name != "outhook.example.com" {
			s.Errorf("the pages ask %s", host)
		}
	}
}
