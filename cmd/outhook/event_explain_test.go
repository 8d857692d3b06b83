package main

import (
	"regexp"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// explanation has one endpoint of every kind.
func explanation() httpapi.Explanation {
	return httpapi.Explanation{
		EventID: "e1", Type: "message.read", PublishedAt: at("03:00:00"), ExpiresAt: at("23:00:00"),
		Items: []httpapi.Explained{
			{EndpointID: "ep_a", Matched: true, Explanation: "delivered at 2026-01-02T03:00:00.020Z, attempt 1 was answered 200 after 12 ms",
				Delivery: &httpapi.Delivery{EventID: "e1", EndpointID: "ep_a", State: "delivered", Attempts: 1, UpdatedAt: at("03:00:00.020")}},
			{EndpointID: "ep_b", Explanation: "not matched: the endpoint wants interaction.*, and the event is message.read"},
			{EndpointID: "ep_c", Matched: true, Explanation: "waits for its next attempt",
				Delivery:    &httpapi.Delivery{EventID: "e1", EndpointID: "ep_c", State: "retrying", Attempts: 3, NextAttemptAt: at("03:20:00"), UpdatedAt: at("03:10:00")},
				LastAttempt: failedAttempt()},
			{EndpointID: "ep_d", Matched: true, Explanation: "waits, 7th in its line",
				Delivery: &httpapi.Delivery{EventID: "e1", EndpointID: "ep_d", State: "waiting", WaitingFor: "slot", Position: 7, UpdatedAt: at("03:00:00")}},
			{EndpointID: "ep_e", Matched: true, Explanation: "nothing of the delivery is kept any more"},
			{EndpointID: "ep_f", Matched: true, Explanation: "given up",
				Delivery:    &httpapi.Delivery{EventID: "e1", EndpointID: "ep_f", State: "dead", Attempts: 9, DeathReason: "max_attempts", UpdatedAt: at("03:10:00")},
				LastAttempt: unansweredAttempt()},
		},
	}
}

const explained = `event:      e1
type:       message.read
published:  2026-01-02T03:00:00.000Z (12m30s ago)
expires:    2026-01-02T23:00:00.000Z (in 19h47m)
endpoints:  1 not matched, 1 unknown, 1 delivered, 1 waiting, 1 retrying, 1 dead

ep_f  DEAD
  given up
  attempts:      9
  given up:      max_attempts
  last attempt:  number 9, 2026-01-02T03:09:45.000Z (2m45s ago)
  sent to:       https://example.com/slow
  answer:        no answer: timeout
  took:          15s: dns 0s, connect 0s, tls 0s, first byte 0s

ep_c  RETRYING
  waits for its next attempt
  attempts:      3
  next attempt:  2026-01-02T03:20:00.000Z (in 7m30s)
  last attempt:  number 3, 2026-01-02T03:10:00.000Z (2m30s ago)
  sent to:       https://example.com/hook?redacted
  answer:        503 Service Unavailable
  took:          31ms: dns 2ms, connect 3ms, tls 9ms, first byte 17ms
  content-type:  application/json
  retry-after:   600
  | {
  |   "error": "down for <maintenance>"
  | }

ep_d  WAITING
  waits, 7th in its line
  attempts:       0
  waits for:      slot
  place in line:  7

ep_a  DELIVERED
  delivered at 2026-01-02T03:00:00.020Z, attempt 1 was answered 200 after 12 ms
  attempts:  1

ep_e  UNKNOWN
  nothing of the delivery is kept any more

ep_b  NOT MATCHED
  not matched: the endpoint wants interaction.*, and the event is message.read
`

func TestEventExplain(t *testing.T) {
	t.Parallel()
	drawn := explainer{now: at("03:12:30").Time}
	drawn.draw(explanation())
	if got := drawn.text.String(); got != explained {
		t.Errorf("got:\n%s\nwant:\n%s", got, explained)
	}
	p := playAPI(t, ok(explanation()))
	got := p.run(t, "event", "explain", "e1", "--brand=acme")
	distances := regexp.MustCompile(`\((in )?\d+[dhms]\d*[hms]?( ago)?\)`)
	if want := distances.ReplaceAllString(explained, "(…)"); got.code != exitDone || distances.ReplaceAllString(got.out, "(…)") != want {
		t.Errorf("exit code %d, stdout:\n%s\nwant:\n%s", got.code, got.out, want)
	}
	p.run(t, "event", "explain", "e1", "--brand=acme", "-o=json").prints(t, encodedAs(t, explanation()))
	if want := eventsPath + "/e1/deliveries"; p.requests()[0] != want {
		t.Errorf("asked %s", p.requests())
	}
}

// How long a gate is closed, and what an attempt was made for, if not by itself.
func TestEventExplainGateAndTrigger(t *testing.T) {
	t.Parallel()
	last := failedAttempt()
	last.Trigger = "recover"
	drawn := explainer{now: at("03:12:30").Time}
	drawn.block(httpapi.Explained{EndpointID: "ep_d", Matched: true, Explanation: "waits", LastAttempt: last, Delivery: &httpapi.Delivery{
		EventID: "e1", EndpointID: "ep_d", State: "waiting", WaitingFor: "breaker", WaitingUntil: at("03:20:00"), Position: 7, Attempts: 3,
	}})
	for _, want := range []string{"  waits for:      breaker, until 2026-01-02T03:20:00.000Z (in 7m30s)\n  place in line:  7\n",
		"  last attempt:   number 3, 2026-01-02T03:10:00.000Z (2m30s ago), a recover\n"} {
		if !strings.Contains(drawn.text.String(), want) {
			t.Errorf("%q is not in:\n%s", want, drawn.text.String())
		}
	}
}

// Colours mark states and answers, and nothing else.
func TestEventExplainColours(t *testing.T) {
	t.Parallel()
	drawn := explainer{now: at("03:12:30").Time, palette: true}
	drawn.draw(explanation())
	for _, want := range []string{"ep_f  \x1b[31mDEAD\x1b[0m\n", "ep_c  \x1b[33mRETRYING\x1b[0m\n", "ep_a  \x1b[32mDELIVERED\x1b[0m\n",
		"\x1b[31mno answer: timeout\x1b[0m\n", "\x1b[2m| {\x1b[0m\n", "ep_b  NOT MATCHED\n"} {
		if !strings.Contains(drawn.text.String(), want) {
			t.Errorf("%q is not in:\n%s", want, drawn.text.String())
		}
	}
	if got := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(drawn.text.String(), ""); got != explained {
		t.Errorf("without colours:\n%s", got)
	}
}

// What a receiver answers is its own, and so is what a brand calls its things: none of it reaches the terminal as it is.
func TestEventExplainHostile(t *testing.T) {
	t.Parallel()
	x := explanation()
	x.Items = x.Items[2:3]
	x.Items[0].EndpointID, x.Items[0].Explanation = "ep"+hostile, "because "+hostile
	x.Items[0].LastAttempt = hostileAttempt()
	p := playAPI(t, ok(x))
	got := p.run(t, "event", "explain", "e1", "--brand=acme")
	if got.code != exitDone || !strings.Contains(got.out, "owned") {
		t.Errorf("%+v", got)
	}
	checkHarmless(t, got.out, 5+1+2+6+2+maxResponseLines+1)
	checkHarmless(t, p.run(t, "event", "explain", "e1", "--brand=acme", "-o=json").out, 1)
}
