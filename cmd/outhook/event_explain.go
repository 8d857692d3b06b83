package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// eventExplain is what explain is asked.
type eventExplain struct {
	brandFlags
	curl     bool
	endpoint string
}

func newEventExplainCommand(env []string) *cobra.Command {
	f := eventExplain{brandFlags: newBrandFlags(env)}
	cmd := &cobra.Command{
		Use:   "explain ID --brand B",
		Short: "Say why an event has or has not arrived",
		Long: `Says for every endpoint of the brand why the event has or has not arrived there: how
its delivery stands, what it waits for and until when, and how the last attempt went.
What asks most for a look comes first; endpoints that the event did not go to come
last, with the reason.

dns, connect, tls and first byte are how long the parts of the attempt took; 0s
stands for a part that did not happen, as on a connection that was open already.

With --curl it prints instead the POST of a delivery as it would be made now, freshly
signed, as a command for a POSIX shell: byte for byte, but for what curl adds, such as
Accept. Nothing is sent. The command has the values of the endpoint's headers and the
whole URL in it, secrets too.`,
		Example: `  outhook event explain evt_1 --brand acme
  outhook event explain evt_1 --brand acme -o json | jq -r '.items[].explanation'
  outhook event explain evt_1 --brand acme --curl --endpoint status | sh`,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.curl, "curl", false, "print a curl that makes the signed POST")
	cmd.Flags().StringVar(&f.endpoint, "endpoint", "", "with --curl, the `id` of the endpoint; needless when the event has just one delivery")
	return cmd
}

func (f *eventExplain) run(cmd *cobra.Command, event string) error {
	if err := checkIDFlag(cmd, "endpoint"); err != nil {
		return err
	}
	if f.endpoint != "" && !f.curl {
		return usage("--endpoint: goes with --curl; the explanation is of all endpoints")
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	if f.curl {
		return f.printCurl(cmd, client, event)
	}
	x, err := client.Explain(cmd.Context(), f.brand, event)
	if err != nil {
		return f.api.refusal(err, eventOf(f.brand, event), eventFields())
	}
	s := f.screen(cmd)
	if s.form == formJSON {
		return writeJSON(s.out, x)
	}
	drawn := explainer{now: time.Now(), palette: s.palette}
	drawn.draw(x)
	_, err = s.out.Write(drawn.text.Bytes())
	return err
}

// explainer draws an explanation for people.
type explainer struct {
	now     time.Time
	palette palette
	text    bytes.Buffer
}

func (x *explainer) draw(of httpapi.Explanation) {
	x.add(x.heading(of))
	for _, item := range urgentFirst(of.Items) {
		x.text.WriteByte('\n')
		x.block(item)
	}
}

// add draws a table; a buffer takes everything.
func (x *explainer) add(t *table) { _ = t.write(&x.text, x.palette) }

// notMatched stands for the state of an endpoint that the event did not go to.
const notMatched = "not matched"

func explainedState(e httpapi.Explained) string {
	switch {
	case e.Delivery != nil:
		return e.Delivery.State
	case e.Matched:
		return "unknown"
	}
	return notMatched
}

// explainedStates are in the order of [deliveryStates].
func explainedStates() []string {
	return append([]string{notMatched, "unknown"}, deliveryStates[:]...)
}

// urgentFirst sorts by what asks most for a look; what does so alike stays in its order.
func urgentFirst(items []httpapi.Explained) []httpapi.Explained {
	order := explainedStates()
	return slices.SortedStableFunc(slices.Values(items), func(a, b httpapi.Explained) int {
		return slices.Index(order, explainedState(b)) - slices.Index(order, explainedState(a))
	})
}

func (x *explainer) heading(of httpapi.Explanation) *table {
	counts := map[string]int{}
	for _, item := range of.Items {
		counts[explainedState(item)]++
	}
	t := newCard()
	t.line("event", plain(of.EventID))
	t.line("type", plain(of.Type))
	t.line("published", plain(x.when(of.PublishedAt)))
	t.line("expires", plain(x.when(of.ExpiresAt)))
	t.line("endpoints", counted(counts, explainedStates()))
	return t
}

// when is a time, and how far away it is; nothing when there is none.
func (x *explainer) when(at httpapi.Time) string {
	if at.IsZero() {
		return ""
	}
	return moment(at) + " (" + distance(at.Time, x.now) + ")"
}

// block says all of one endpoint.
func (x *explainer) block(e httpapi.Explained) {
	state := explainedState(e)
	title := &table{}
	title.add(plain(e.EndpointID), words{text: strings.ToUpper(stateWord(state)), colour: stateColour(state)})
	x.add(title)
	x.lines([]string{oneLine(e.Explanation)})
	card := newCard()
	if d := e.Delivery; d != nil {
		card.line("attempts", plain(strconv.Itoa(d.Attempts)))
		card.line("waits for", plain(x.gate(*d)))
		if d.Position > 0 {
			card.line("place in line", plain(strconv.Itoa(d.Position)))
		}
		card.line("next attempt", plain(x.when(d.NextAttemptAt)))
		card.line("given up", plain(d.DeathReason))
	}
	if a := e.LastAttempt; a != nil {
		x.attempt(card, *a)
	}
	x.indented(card)
	x.response(e.LastAttempt)
}

// gate is what a delivery waits for, and until when where that is known.
func (x *explainer) gate(d httpapi.Delivery) string {
	if d.WaitingUntil.IsZero() {
		return d.WaitingFor
	}
	return d.WaitingFor + ", until " + x.when(d.WaitingUntil)
}

func (x *explainer) attempt(card *table, a httpapi.Attempt) {
	last := fmt.Sprintf("number %d, %s", a.Number, x.when(a.StartedAt))
	if a.Trigger != string(webhook.TriggerDelivery) {
		last += ", a " + a.Trigger
	}
	card.line("last attempt", plain(last))
	card.line("sent to", plain(a.Request.URL))
	answer := statusText(a.Status)
	if a.Status == nil {
		answer += ": " + a.Reason
	}
	card.line("answer", words{text: answer, colour: stateColour(a.Outcome)})
	card.line("took", plain(fmt.Sprintf("%s: dns %s, connect %s, tls %s, first byte %s", milliseconds(a.DurationMs), milliseconds(a.Phases.DNSMs),
		milliseconds(a.Phases.ConnectMs), milliseconds(a.Phases.TLSMs), milliseconds(a.Phases.FirstByteMs))))
}

// How much of a response is shown. It is the receiver's text: printable makes it harmless.
const (
	maxResponseHeader = 160 // bytes
	maxResponseLines  = 12
	maxResponseLine   = 240 // bytes
)

// tellingHeaders are those of a response that may say why.
func tellingHeaders() []string {
	return []string{"content-type", "location", "retry-after", "server", "via"}
}

func (x *explainer) response(a *httpapi.Attempt) {
	if a == nil || a.Response == nil {
		return
	}
	card := newCard()
	for _, name := range tellingHeaders() {
		card.line(name, plain(printable(a.Response.Headers[name], maxResponseHeader)))
	}
	x.indented(card)
	if a.Response.Body == "" {
		return
	}
	lines := readable([]byte(a.Response.Body))
	if len(lines) > maxResponseLines {
		lines = append(lines[:maxResponseLines], fmt.Sprintf("… %d bytes in all", len(a.Response.Body)))
	}
	for i, line := range lines {
		lines[i] = x.palette.paint("| "+printable(line, maxResponseLine), faint)
	}
	x.lines(lines)
}

// indented draws a table below a title.
func (x *explainer) indented(t *table) {
	var text bytes.Buffer
	_ = t.write(&text, x.palette) // a buffer takes everything
	for line := range strings.Lines(text.String()) {
		x.text.WriteString("  " + line)
	}
}

// lines writes clean lines below a title.
func (x *explainer) lines(lines []string) {
	for _, line := range lines {
		x.text.WriteString("  " + line + "\n")
	}
}
