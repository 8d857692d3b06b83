package main

import (
	"net/http"
	"strings"
)

// signInWrongly goes to a page that wants somebody known, and leads there.
func (s *consoleStage) signInWrongly() {
	s.Helper()
	page := s.url + "/brands/" + consoleBrand + "/?page=1"
	s.open(page)
	s.pictures("login")
	s.signIn("not-a-key-of-anybody-at-all-12345")
	s.see("This is not an API key, or it was revoked.")
	s.signIn(testKey)
	s.see("Endpoints", "Message Status Webhook")
	if at := s.text("location.href"); at != page {
		s.Errorf("led to %s instead of %s", at, page)
	}
	if seen := s.text("document.cookie + JSON.stringify(localStorage)"); strings.Contains(seen, "outhook") || strings.Contains(seen, testKey) {
		s.Errorf("scripts see %s", seen)
	}
	s.signOut()
}

// lookAtTheBrand signs in as a brand, whose pages are all there is.
func (s *consoleStage) lookAtTheBrand() {
	s.Helper()
	s.answer("/inbound", answerStatus(http.StatusServiceUnavailable))
	for range 2 {
		s.await(consoleBrand, s.publish(consoleBrand, "interaction.sms.reply"), "retrying")
	}
	s.await(consoleBrand, s.publish(consoleBrand, "interaction.sms.reply"), "waiting")
	s.await(consoleBrand, s.publish(consoleBrand, "message.delivered"), "delivered")
	s.open(s.url + "/")
	s.signIn(s.key(consoleBrand).Key)
	s.see("brand acme", "Message Status Webhook", "Inbound Message Webhook", "1 failing, 0 disabled", "Failing", "breaker open until", "1 of 1")
	s.pictures("overview")
	s.publish(consoleBrand, "interaction.sms.reply")
	s.see("2 waiting") // without a hand on the page
	for _, page := range []string{"/brands/globex/", "/brands/nobody/", "/brands/", "/brands/acme/nothing"} {
		s.open(s.url + page)
		s.see("Not Found", "nothing that you may see")
	}
	s.signOut()
}

// lookAtAllBrands signs in as an operator.
func (s *consoleStage) lookAtAllBrands() {
	s.Helper()
	s.open(s.url + "/")
	s.signIn(testKey)
	s.see("Brands", "acme", "globex", "1 with an open breaker")
	s.pictures("operator")
	s.press(link("Open breakers"))
	s.see("acme")
	if first := s.text(`document.querySelector("tbody th").innerText`); first != "acme" {
		s.Errorf("%s is first by open breakers", first)
	}
	s.fill("brand", "globex")
	s.press(button("Open"))
	s.see("brand globex", "Quiet")
	s.signOut()
}

// endWithTheKey signs in with a key that is revoked then.
func (s *consoleStage) endWithTheKey() {
	s.Helper()
	key := s.key(consoleBrand)
	s.open(s.url + "/")
	s.signIn(key.Key)
	s.see("Message Status Webhook")
	s.must(s.api.RevokeKey(s.Context(), key.ID))
	s.see("API key") // the page finds out by itself
}

func (s *consoleStage) askNobodyElse() {
	s.Helper()
	for host := range s.hosts() {
		if !strings.HasPrefix(host, "127.0.0.1:") {
			s.Errorf("the pages ask %s", host)
		}
	}
}
