package main

import (
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"
)

// In dev, one lets the receiver fail from the page, sees what happens, and lets it answer again.
func TestConsoleOfDev(t *testing.T) {
	t.Parallel()
	stack, err := startDev(t.Context(), devFlags{once: true, listen: net.Listen}, slog.New(slog.NewTextHandler(io.Discard, nil)), func(arrival) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // when the browser has ended
		if err := stack.stop(); err != nil {
			t.Error(err)
		}
	})
	b := startBrowser(t)
	s := &consoleStage{browser: b, api: stack.asks, url: stack.api.url + "/console"}
	s.axeSource = s.axe()
	s.open(s.url + "/brands/" + stack.brand + "/")
	s.signIn(stack.adminKey)
	s.see("The receiver of outhook dev answers", "asynqmon")
	s.behave("500")
	s.press(button("Publish samples"))
	s.see("Published: a sample of each event type.", "breaker open until", "Failing") // of one endpoint, or soon of both
	s.look("dev")
	s.behave("ok")
	s.press(link("Events"))
	s.see("message.read")
	s.press(`[...document.querySelectorAll("tbody tr")].find(row => row.innerText.includes("message.read"))?.querySelector("a")`)
	s.press(`document.getElementById("resend-status")`) // whether its retry has come by now or not
	s.see("Sent once more", "delivered", "attempts")
	s.open(s.url + "/brands/other/")
	s.see("The brand has no endpoint yet")
	if n := s.text(`"" + document.querySelectorAll("[name=how]").length`); n != "0" {
		s.Errorf("another brand has %s buttons of the receiver", n)
	}
}

// behave presses a button of the receiver, and waits until the page that comes says so.
func (s *consoleStage) behave(how string) {
	s.Helper()
	s.press(button(how))
	s.eventually(func() bool {
		return s.text(`document.querySelector("[aria-pressed=true]").value`) == how
	}, func() string { return "the receiver does not behave as " + how })
}

func TestBehavioursOfTheReceiver(t *testing.T) {
	d := &devReceiver{}
	for how, want := range map[string]faults{
		behaveOK: {}, behaveFail: {status: 500}, behaveSlow: {delay: 3 * time.Second}, behaveHang: {delay: time.Minute},
	} {
		d.Behave(how)
		if got := d.faults(); got != want || !slices.Contains(d.Behaviours(), d.Behaviour()) {
			t.Errorf("%s: %+v", how, got)
		}
	}
	if got := (&devReceiver{}).Behaviour(); got != behaveOK {
		t.Errorf("at first %s", got)
	}
}
