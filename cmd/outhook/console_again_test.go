package main

import (
	"net/http"
)

// recoverWhatDied breaks an endpoint, which gives up its deliveries, and sends them once more: picked ones, and by a recovery.
func (s *consoleStage) recoverWhatDied() {
	s.Helper()
	const brand = "mended"
	s.endpoint(brand, "hook", "status")
	s.answer("/hook", answerStatus(http.StatusGone)) // which disables it, and ends each delivery
	first := s.publish(brand, "message.read")
	s.await(brand, first, "dead")
	s.open(s.url + "/brands/" + brand + "/")
	s.see("Disabled", "it answered 410 Gone", "given up: look")
	var missed []string
	for range 3 {
		missed = append(missed, s.publish(brand, "message.delivered"))
		s.await(brand, missed[len(missed)-1], "notSent")
	}
	s.press(link("given up: look"))
	s.see("Dead letters", first, "410 Gone")
	s.look("dead-letters")
	s.press(button("Resend picked"))
	s.see("Pick dead letters first")
	s.answer("/hook", answerStatus(http.StatusOK))
	_, err := s.api.EnableEndpoint(s.Context(), brand, "hook")
	s.must(err)
	s.press(`document.querySelector("[data-all]")`)
	s.press(button("Resend picked"))
	s.see("Resend dead letters", "everything has an outcome", "done")
	s.await(brand, first, "delivered")
	s.recoverWhatWasMissed(brand, missed)
}

func (s *consoleStage) recoverWhatWasMissed(brand string, missed []string) {
	s.Helper()
	s.press(link("hook"))
	s.press(link("Recover"))
	s.see("Sends once more what the endpoint missed")
	s.press(button("Count only"))
	s.see("3 deliveries would be sent once more.")
	s.look("recover")
	s.enter("perSecond", "soon")
	s.press(button("Recover"))
	s.see("perSecond: must be a number above 0, or empty")
	s.enter("perSecond", "500")
	s.press(button("Recover"))
	s.see("Recover", "500 a second at most", "everything has an outcome")
	s.look("job")
	for _, id := range missed {
		s.await(brand, id, "delivered")
	}
	s.press(link("Jobs"))
	s.see("Recover", "Resend dead letters", "hook")
	s.press(link("outhook"))
	s.see("Brands", "mended")
	s.press(link("Jobs"))
	s.see("mended", "Recover")
	s.look("jobs")
}

// deleteWhatDied deletes a dead letter, after it was asked whether it is meant.
func (s *consoleStage) deleteWhatDied() {
	s.Helper()
	const brand = "given-up"
	s.endpoint(brand, "hook", "status")
	s.answer("/hook", answerStatus(http.StatusGone))
	id := s.publish(brand, "message.read")
	s.await(brand, id, "dead")
	s.open(s.url + "/brands/" + brand + "/dead-letters")
	s.press(`document.querySelector("[name=picked]")`)
	s.press(button("Delete picked"))
	s.see("1 picked dead letter will be deleted")
	s.look("deletion")
	s.press(button("Delete"))
	s.see("Delete dead letters", "Deleted\n1")
	s.press(link("Dead letters"))
	s.see("No dead letter is kept that fits")
}
