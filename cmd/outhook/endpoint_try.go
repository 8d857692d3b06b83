package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func newEndpointTestCommand(env []string) *cobra.Command {
	f := newBrandFlags(env)
	var kind string
	cmd := &cobra.Command{
		Use:   "test ID --brand B",
		Short: "Send one sample event now and show what came back",
		Long: `Sends one signed sample event to an endpoint, now and once, enabled or not, and shows the
attempt: the answer, how long each part took, and the beginning of what was answered.
The exit code is 1 unless it was delivered.`,
		Example: `  outhook endpoint test status --brand acme
  outhook endpoint test status --brand acme --type message.failed -o json`,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("type") && kind == "" {
				return usage("--type: must not be empty: leave it out for the first that the endpoint wants")
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			a, err := client.TestEndpoint(cmd.Context(), f.brand, args[0], kind)
			if err != nil {
				return f.api.refusal(err, endpointThing(f.brand, args[0]), endpointFields())
			}
			s := f.screen(cmd)
			if err := s.show(a, func() *table { return tryCard(a) }); err != nil {
				return err
			}
			return undelivered(a)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&kind, "type", "", "event `TYPE` of the sample, one that the endpoint wants; its first when left out")
	completeTypes(cmd, "type")
	return cmd
}

// undelivered is nil for a delivered attempt.
func undelivered(a httpapi.Attempt) error {
	switch {
	case a.Outcome == string(webhook.OutcomeDelivered):
		return nil
	case a.Status == nil:
		return fmt.Errorf("endpoint %s gave no answer: %s", a.EndpointID, a.Reason)
	}
	return fmt.Errorf("endpoint %s did not take it: it answered %d (%s)", a.EndpointID, *a.Status, a.Reason)
}

// tryCard shows an attempt with its answer.
func tryCard(a httpapi.Attempt) *table {
	t := newCard()
	t.line("attempt", plain(a.ID))
	t.line("event", plain(a.EventID+" ("+a.Type+")"))
	t.line("url", plain(a.Request.URL))
	t.line("outcome", state(a.Outcome))
	t.line("reason", plain(a.Reason))
	t.line("status", plain(statusText(a.Status)))
	t.line("took", plain(milliseconds(a.DurationMs)))
	addPhases(t, a)
	if a.Response != nil {
		addResponse(t, *a.Response)
	}
	return t
}

// statusText is a status with its name. What a server calls it is not kept.
func statusText(status *int) string {
	if status == nil {
		return "no answer"
	}
	return strings.TrimSpace(strconv.Itoa(*status) + " " + http.StatusText(*status))
}

// barWidth is that of the whole attempt, in characters.
const barWidth = 40

// addPhases shows where the time went: a bar for each part, in proportion to the whole.
func addPhases(t *table, a httpapi.Attempt) {
	for _, phase := range []struct {
		name string
		ms   int64
	}{
		{"dns", a.Phases.DNSMs}, {"connect", a.Phases.ConnectMs}, {"tls", a.Phases.TLSMs}, {"first byte", a.Phases.FirstByteMs},
	} {
		row := []words{plain("  " + phase.name + ":"), plain(fmt.Sprintf("%7s", milliseconds(phase.ms)))}
		if bar := timeBar(phase.ms, a.DurationMs); bar != "" {
			row = append(row, plain(bar))
		}
		t.add(row...)
	}
}

// timeBar is at least one character for what took any time.
func timeBar(part, whole int64) string {
	if part <= 0 {
		return ""
	}
	share := min(1, float64(part)/float64(max(part, whole)))
	return strings.Repeat("█", max(1, int(share*barWidth)))
}

// maxShownHeaders bounds the headers of an answer.
const maxShownHeaders = 30

// addResponse shows what a receiver answered, which is untrusted: bounded, and a line each.
func addResponse(t *table, r httpapi.AttemptResponse) {
	names := slices.Sorted(maps.Keys(r.Headers))
	for i, name := range names {
		if i == maxShownHeaders {
			t.add(plain(fmt.Sprintf("  … %d headers in all", len(names))))
			break
		}
		t.add(plain(heading(i, "answered:")), plain(printable(name, maxShownHeader)+": "+printable(r.Headers[name], maxShownHeader)))
	}
	if r.Body == "" {
		return
	}
	for i, line := range readable([]byte(r.Body)) {
		t.add(plain(heading(i, "body:")), plain(cmp.Or(line, " ")))
	}
}

// heading names a block in its first line.
func heading(line int, name string) string {
	if line == 0 {
		return name
	}
	return " "
}
