package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func newEventCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "event",
		Short: "See events, why they have or have not arrived, and send them once more",
		Long: `Events that were published and are still kept. When something did not arrive, explain
says why, and resend sends it once more.`,
		Example: `  outhook event list --brand acme --since 2h
  outhook event explain evt_1 --brand acme
  outhook event resend evt_1 --brand acme --endpoint status`,
	}
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	cmd.AddCommand(newEventListCommand(env), newEventGetCommand(env), newEventExplainCommand(env), newEventResendCommand(env), newEventCancelCommand(env))
	return cmd
}

// eventListFlags say which events are wanted.
type eventListFlags struct {
	brandFlags
	kind string
	span spanFlags
	page pageFlags
}

func newEventListCommand(env []string) *cobra.Command {
	f := eventListFlags{brandFlags: newBrandFlags(env)}
	cmd := &cobra.Command{
		Use:   "list --brand B",
		Short: "List events, newest first",
		Long: `Lists the events of a brand, newest first, and how their deliveries stand. none is an
event that went to no endpoint, or whose deliveries are no longer kept; explain tells
which.

With -o json each payload is byte for byte as it was published.`,
		Example: `  outhook event list --brand acme
  outhook event list --brand acme --type message.failed --since 3d --until 1d
  outhook event list --brand acme --since 2026-01-02T03:00:00Z --limit 0 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.kind, "type", "", "only events of this `type`, such as message.failed")
	completeTypes(cmd, "type")
	f.span.register(cmd, "published")
	f.page.register(cmd)
	return cmd
}

func (f *eventListFlags) run(cmd *cobra.Command) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	if err := f.page.check(); err != nil {
		return err
	}
	if cmd.Flags().Changed("type") && f.kind == "" {
		return usage("--type: must not be empty: leave it out for every type")
	}
	span, err := f.span.span(cmd, time.Now())
	if err != nil {
		return err
	}
	list, err := collect(cmd.Context(), f.page, func(ctx context.Context, p httpapi.Page) (httpapi.List[httpapi.Event], error) {
		return client.Events(ctx, f.brand, httpapi.EventQuery{Type: f.kind, Span: span, Page: p})
	})
	if err != nil {
		return f.api.refusal(err, "brand "+f.brand, listNames())
	}
	s := f.screen(cmd)
	if s.form == formJSON {
		return writeEvents(s.out, list)
	}
	return showList(s, list, eventTable)
}

// listNames are the filters of all lists as they are given on the command line.
func listNames() givenAs {
	return givenAs{"type": "--type", "since": "--since", "until": "--until", "limit": "--limit", "cursor": "--cursor",
		"eventId": "--event", "endpointId": "--endpoint", "outcome": "--outcome", "brand": "--brand"}
}

func eventTable(events []httpapi.Event) *table {
	t := newTable("TIME", "ID", "TYPE", "ENDPOINTS")
	for _, e := range events {
		t.add(plain(moment(e.PublishedAt)), plain(e.ID), plain(e.Type), statesOf(e.Deliveries))
	}
	return t
}

// deliveryStates are all states, the one that asks most for a look last; see webhook.State.
var deliveryStates = [...]string{"delivered", "cancelled", "notSent", "running", "waiting", "retrying", "expired", "dead"}

// statesOf counts deliveries by state, in the colour of the one that asks most for a look.
func statesOf(deliveries []httpapi.Delivery) words {
	counts := map[string]int{}
	for _, d := range deliveries {
		counts[d.State]++
	}
	return counted(counts, deliveryStates[:])
}

// counted says how many there are of what: the known ones in their order, then what a newer server may have. It has the
// colour of the last known one that there is.
func counted(counts map[string]int, known []string) words {
	out := words{text: "none"}
	var parts []string
	for _, state := range known {
		if n := counts[state]; n > 0 {
			out.colour = stateColour(state)
			parts = append(parts, fmt.Sprintf("%d %s", n, stateWord(state)))
		}
	}
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		if !slices.Contains(known, state) {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	if len(parts) > 0 {
		out.text = strings.Join(parts, ", ")
	}
	return out
}

// stateWord is a state as people say it.
func stateWord(state string) string {
	if state == "notSent" {
		return "not sent"
	}
	return state
}
