package monitor

import (
	"fmt"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// marked is how a task passes through asynqmon, which knows nothing more of it: facts makes of it what is shown. Of a payload
// that is not ours the length is told only, as nobody knows what it holds.
func marked(kind string, payload []byte) string {
	if _, ok := queue.SubjectOf(kind, payload); !ok {
		return fmt.Sprintf("unreadable, %d bytes", len(payload))
	}
	return kind + " " + string(payload)
}

// unmarked reads what marked wrote.
func unmarked(text string) (queue.Subject, bool) {
	kind, payload, _ := strings.Cut(text, " ")
	return queue.SubjectOf(kind, []byte(payload))
}

// describeResult hides results: our tasks have none, and nobody knows what another's holds.
func describeResult(string, []byte) string { return "" }

// card is what is shown of a task: a name and a value a line, as narrow as asynqmon's column.
type card struct{ strings.Builder }

func (c *card) line(name, value string) {
	if value != "" {
		fmt.Fprintf(c, "%-9s %s\n", name, value)
	}
}

func (c *card) String() string { return strings.TrimSuffix(c.Builder.String(), "\n") }

// describeRun shows a delivery. eventType and h are what is known; whole shows what there is room for on a task's own page.
func describeRun(run webhook.Run, eventType string, h *webhook.Health, whole bool) string {
	var c card
	c.line("brand", run.Brand)
	c.line("event", run.EventID)
	c.line("type", eventType)
	c.line("endpoint", run.EndpointID)
	c.line("run", fmt.Sprint(run.Number))
	if h != nil {
		c.waiting(h.Waiting, h.WaitingFor, h.WaitingUntil)
	}
	c.line("explain", "outhook event explain --brand "+run.Brand+" \\")
	c.line("", "  "+run.EventID)
	if whole {
		c.line("", "GET /v1/brands/"+run.Brand+"/events/"+run.EventID+"/deliveries")
	}
	return c.String()
}

// describeWakeup shows a wake-up, with what waits now, or what waited when it was made where that is all that is known.
func describeWakeup(w webhook.Wakeup, h *webhook.Health) string {
	var c card
	c.line("brand", w.Endpoint.Brand)
	c.line("endpoint", w.Endpoint.ID)
	if h != nil {
		c.waiting(h.Waiting, h.WaitingFor, h.WaitingUntil)
	} else {
		c.waiting(w.Waiting, w.Gate, w.At)
	}
	c.line("explain", "outhook endpoint get --brand "+w.Endpoint.Brand+" \\")
	c.line("", "  "+w.Endpoint.ID)
	return c.String()
}

// waiting says how many wait at the endpoint behind which gate until when.
func (c *card) waiting(n int, gate webhook.Gate, until time.Time) {
	c.line("waiting", fmt.Sprint(n))
	c.line("gate", string(gate))
	if !until.IsZero() {
		c.line("until", until.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
}
