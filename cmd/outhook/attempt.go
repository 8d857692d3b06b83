package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func newAttemptCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "attempt",
		Short:   "See every POST to an endpoint, and what came of it",
		Long:    "Attempts: every POST of a delivery, the tests of endpoints among them.",
		Example: "  outhook attempt list --brand acme --endpoint ep_1 --since 1h",
	}
	cmd.AddCommand(newAttemptListCommand(env))
	return cmd
}

// attemptListFlags say which attempts are wanted.
type attemptListFlags struct {
	brandFlags
	event, endpoint, outcome string
	span                     spanFlags
	page                     pageFlags
}

func newAttemptListCommand(env []string) *cobra.Command {
	f := attemptListFlags{brandFlags: newBrandFlags(env)}
	cmd := &cobra.Command{
		Use:   "list --brand B",
		Short: "List attempts, newest first",
		Long: `Lists the attempts of a brand, the last recorded first. ANSWER is the status, a dash
when there was none; MS is how long the whole attempt took.

Attempts to an endpoint that was deleted are listed with --endpoint or --event only.
With -o json there are also the phases of each attempt and, of failed ones, what was
answered.`,
		Example: `  outhook attempt list --brand acme --event evt_1
  outhook attempt list --brand acme --endpoint ep_1 --outcome retrying --since 1h
  outhook attempt list --brand acme --outcome dead --since 3d --limit 0 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.event, "event", "", "only attempts of the event with this `id`")
	flags.StringVar(&f.endpoint, "endpoint", "", "only attempts to the endpoint with this `id`")
	flags.StringVar(&f.outcome, "outcome", "", "only attempts with this `outcome`: delivered, retrying or dead")
	fixedValues(cmd, "outcome", attemptOutcomes()...)
	f.span.register(cmd, "started")
	f.page.register(cmd)
	return cmd
}

// attemptOutcomes are all outcomes; see webhook.Outcome.
func attemptOutcomes() []string { return []string{"delivered", "retrying", "dead"} }

func (f *attemptListFlags) run(cmd *cobra.Command) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	query, err := f.query(cmd)
	if err != nil {
		return err
	}
	list, err := collect(cmd.Context(), f.page, func(ctx context.Context, p httpapi.Page) (httpapi.List[httpapi.Attempt], error) {
		query.Page = p
		return client.Attempts(ctx, f.brand, query)
	})
	if err != nil {
		return f.api.refusal(err, "brand "+f.brand, listNames())
	}
	return showList(f.screen(cmd), list, attemptTable)
}

func (f *attemptListFlags) query(cmd *cobra.Command) (httpapi.AttemptQuery, error) {
	q := httpapi.AttemptQuery{EventID: f.event, EndpointID: f.endpoint, Outcome: f.outcome}
	if err := f.page.check(); err != nil {
		return q, err
	}
	if err := checkIDFlag(cmd, "event"); err != nil {
		return q, err
	}
	if err := checkIDFlag(cmd, "endpoint"); err != nil {
		return q, err
	}
	if err := checkChoice(cmd, "outcome", attemptOutcomes()...); err != nil {
		return q, err
	}
	var err error
	q.Span, err = f.span.span(cmd, time.Now())
	return q, err
}

func attemptTable(attempts []httpapi.Attempt) *table {
	t := newTable("TIME", "EVENT", "ENDPOINT", "TYPE", "#", "ANSWER", "MS", "OUTCOME", "REASON", "TRIGGER")
	for _, a := range attempts {
		answer := ""
		if a.Status != nil {
			answer = strconv.Itoa(*a.Status)
		}
		t.add(plain(moment(a.StartedAt)), plain(a.EventID), plain(a.EndpointID), plain(a.Type), plain(strconv.Itoa(a.Number)),
			plain(answer), plain(strconv.FormatInt(a.DurationMs, 10)), state(a.Outcome), plain(a.Reason), plain(a.Trigger))
	}
	return t
}
