package main

import (
	"io"
	"net/http"
	"strings"
	"time"

	"go.smobi.com/outhook/signer"
)

// signInWrongly goes to a page that wants somebody known, and leads there.
func (s *consoleStage) signInWrongly() {
	s.Helper()
	page := s.url + "/brands/" + consoleBrand + "/?page=1"
	s.open(page)
	s.look("login")
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
	s.look("overview")
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
	s.look("operator")
	s.press(link("Open breakers"))
	s.see("acme")
	if first := s.text(`document.querySelector("tbody th").innerText`); first != "acme" {
		s.Errorf("%s is first by open breakers", first)
	}
	s.fill("brand", "globex")
	s.press(button("Open"))
	s.see("brand globex", "Quiet")
	s.point(`document.querySelector("tbody th")`)
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

// makeAnEndpoint creates one at the receiver, tests its URL before, and keeps the secret that is shown.
func (s *consoleStage) makeAnEndpoint() (id, secret string) {
	s.Helper()
	s.open(s.url + "/brands/made/")
	s.see("The brand has no endpoint yet")
	s.press(link("New endpoint"))
	s.see("Message Status Webhook", "Inbound Message Webhook", "Chosen event types")
	s.fill("url", "http://127.0.0.1:1/nobody")
	s.press(button("Test URL"))
	s.see("Not reachable", "Allowed", "Connection", "skipped")
	s.enter("url", s.receiver+"/made")
	s.press(button("Test URL"))
	s.see("Reachable It answered 200")
	s.press(`document.getElementById("kind-types")`)
	s.press(`document.querySelector("input[value='message.delivered']")`)
	s.press(button("Sample of message.delivered"))
	s.see(`"smobiMessageId"`)
	s.enter("headers", "x-team: crm\nnot a header")
	s.look("form")
	s.press(button("Create endpoint"))
	s.see("Headers: must be lines of name: value")
	s.enter("headers", "x-team: crm")
	s.fill("timeoutMs", "5")
	s.press(button("Create endpoint"))
	s.see("Timeout: must be 1000 to 30000")
	s.look("form-wrong")
	s.enter("timeoutMs", "5000")
	s.press(button("Create endpoint"))
	s.see("This secret is shown here, and nowhere again.")
	secret = s.text(`document.getElementById("secret").innerText`)
	s.press(button("Copy"))
	s.see("Copied")
	s.look("secret")
	s.press(link("To the endpoint"))
	s.see("Settings", "message.delivered", "x-team", "5,000 ms", "ends with "+secret[len(secret)-4:])
	if shown := s.text("document.documentElement.outerHTML"); strings.Contains(shown, secret) || strings.Contains(shown, "crm") {
		s.Error("the endpoint's page shows its secret, or the value of a header")
	}
	return s.text(`document.querySelector("h1").innerText`), secret
}

// testTheEndpoint sends samples, of which one is answered with a script.
func (s *consoleStage) testTheEndpoint(secret string) {
	s.Helper()
	s.answer("/made", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("X-Trick", `"><script>document.title = "tricked"</script>`)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, `<script>document.title = "tricked"</script><img src=x onerror='document.title = "tricked"'>`)
	})
	s.press(button("Send"))
	s.see("418 I'm a teapot", "First byte", `<script>document.title = "tricked"</script>`, "x-trick")
	s.look("endpoint")
	if title := s.text("document.title"); !strings.Contains(title, "outhook") {
		s.Errorf("a script of a receiver ran: the title is %q", title)
	}
	s.answer("/made", s.verifies(secret))
	s.press(button("Send"))
	s.see("204 No Content")
}

// verifies answers 204 to what is signed with the secret, and 401 to all else.
func (s *consoleStage) verifies(secret string) http.HandlerFunc {
	s.Helper()
	key, err := signer.ParseSecret(secret)
	s.must(err)
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if signer.Verify(r.Header, body, time.Now(), signer.DefaultTolerance, key) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// rotateTheSecret has both secrets sign.
func (s *consoleStage) rotateTheSecret(id, old string) {
	s.Helper()
	s.press(link("Rotate the secret"))
	s.see("every attempt then carries both signatures")
	s.look("rotate")
	s.press(button("Rotate"))
	s.see("Until when the old one signs", "ends with "+old[len(old)-4:])
	renewed := s.text(`document.getElementById("secret").innerText`)
	s.press(link("To the endpoint"))
	s.see("Old secret")
	for _, secret := range []string{renewed, old} {
		s.answer("/made", s.verifies(secret))
		s.open(s.url + "/brands/made/endpoints/" + id)
		s.press(button("Send"))
		s.see("204 No Content")
	}
	s.press(link("How to verify"))
	s.see("Go", "Python", "JavaScript", "webhook.verify(body, req.headers)")
	s.look("verify")
}

// changeTheEndpoint edits it, switches it off and on, and deletes it.
func (s *consoleStage) changeTheEndpoint(id string) {
	s.Helper()
	s.open(s.url + "/brands/made/endpoints/" + id)
	s.press(link("Edit"))
	s.see("Edit " + id)
	if checked := s.text(`document.querySelector("input[value='message.delivered']").checked + " " + document.querySelector("[name=headers]").value`); checked != "true x-team: crm\n" {
		s.Errorf("the form shows %q", checked)
	}
	s.press(`document.querySelector("input[value=status]")`)
	s.press(button("Save"))
	s.see("Saved.", "Message Status Webhook")
	s.press(button("Disable"))
	s.see("Disabled: deliveries wait", "Enable")
	s.press(button("Enable"))
	s.see("Enabled: what waited goes on.", "Disable")
	s.press(link("Delete"))
	s.see("This cannot be undone", "nothing is open for it")
	s.look("delete")
	s.press(button("Delete endpoint"))
	s.see("Deleted. What was open for it is cancelled.", "The brand has no endpoint yet")
}
