package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// watchTheLog sees attempts arrive on a page that nobody touches, and keeps to its filter.
func (s *consoleStage) watchTheLog() {
	s.Helper()
	s.answer("/status", answerStatus(http.StatusOK))
	s.open(s.url + "/brands/" + consoleBrand + "/attempts?endpoint=status")
	s.see("Attempts", "live", "message.delivered")
	if shown := s.text("document.body.innerText"); strings.Contains(shown, "interaction.sms.reply") {
		s.Errorf("attempts of another endpoint are shown:\n%s", shown)
	}
	id := s.publish(consoleBrand, "message.read")
	s.see(id, "message.read", "200 OK") // as it arrives
	s.lookAway()
	s.look("attempts")
	s.answer("/status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `</td></table><script>document.title = "tricked"</script>`)
	})
	id = s.publish(consoleBrand, "message.failed")
	s.see(id, "400 Bad Request")
	s.press(fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].find(row => row.innerText.includes(%q))?.querySelector("a")`, id))
	s.see("Attempt 1 of message.failed", "Response 400 Bad Request", `</td></table><script>document.title = "tricked"</script>`, "webhook-id", "First byte", "Next attempt")
	s.look("attempt")
	if title := s.text("document.title"); !strings.Contains(title, "outhook") {
		s.Errorf("a script of a receiver ran: the title is %q", title)
	}
	s.lookAtTheEvent(id)
}

// lookAway has the page be hidden, when its stream ends, and seen again, when it is loaded anew.
func (s *consoleStage) lookAway() {
	s.Helper()
	const turn = `(() => { Object.defineProperty(document, "hidden", {value: %t, configurable: true}); document.dispatchEvent(new Event("visibilitychange")); return "done" })()`
	s.text(`(() => { window.ended = 0; const close = EventSource.prototype.close;
		EventSource.prototype.close = function () { window.ended++; close.call(this) }; return "" })()`)
	s.text(fmt.Sprintf(turn, true))
	if ended := s.text(`String(window.ended)`); ended != "1" {
		s.Errorf("%s streams of a page that nobody sees ended", ended)
	}
	s.text(fmt.Sprintf(turn, false))
	s.eventually(func() bool { return s.text(`String(window.ended)`) == "undefined" }, func() string { return "the page is not loaded anew" })
	s.see("live")
}

// lookAtTheEvent resends it, sees a curl, and cancels it.
func (s *consoleStage) lookAtTheEvent(id string) {
	s.Helper()
	s.press(link(id))
	s.see("Where it went", "retrying", "waits for its next attempt at 20", `"clientRef": "order-4711"`, "not meant")
	s.look("event")
	s.press(button("curl"))
	s.see("The POST to status, as a command", "curl -sSi", "webhook-id: "+id)
	s.press(button("Attempt now"))
	s.see("Sent once more", "2 attempts")
	s.press(button("Cancel"))
	s.see("Cancelled: what was open is attempted no more.", "cancelled")
	s.answer("/status", answerStatus(http.StatusOK))
	s.press(`document.getElementById("resend-status")`)
	s.see("Sent once more")
	s.await(consoleBrand, id, "delivered")
	s.see("delivered")
	s.press(link("Events"))
	s.see("Published", "1 delivered", "1 waiting", id)
	s.look("events")
	s.fill("event", id)
	s.press(button("Show"))
	s.see("Where it went", id)
}
