package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func newDeadLetterCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead-letter",
		Short: "See, resend and delete deliveries that were given up",
		Long:  "Dead letters: deliveries that were given up. All are kept for retention.deadLetters.",
		Example: `  outhook dead-letter list --brand acme --since 3d
  outhook dead-letter resend --brand acme --endpoint status --since 3d --dry-run`,
	}
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	cmd.AddCommand(newDeadLetterListCommand(env), newDeadLetterResendCommand(env), newDeadLetterDeleteCommand(env))
	return cmd
}

// deadLetterListFlags say which dead letters are wanted.
type deadLetterListFlags struct {
	brandFlags
	endpoint string
	span     spanFlags
	page     pageFlags
}

func newDeadLetterListCommand(env []string) *cobra.Command {
	f := deadLetterListFlags{brandFlags: newBrandFlags(env)}
	cmd := &cobra.Command{
		Use:   "list --brand B",
		Short: "List dead letters, the last to die first",
		Long: `Lists the deliveries of a brand that were given up, the last to die first. WHY is
max_age or max_attempts when the retry schedule ended, gone when the endpoint
answered 410, blocked when its address may not be reached, and body_missing when the
payload was no longer kept. LAST ANSWER is how the last attempt ended.

Dead letters of an endpoint that was deleted are listed with --endpoint only.`,
		Example: `  outhook dead-letter list --brand acme
  outhook dead-letter list --brand acme --endpoint ep_1 --since 3d --until 1d -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.endpoint, "endpoint", "", "only dead letters of the endpoint with this `id`")
	f.span.register(cmd, "died")
	f.page.register(cmd)
	return cmd
}

func (f *deadLetterListFlags) run(cmd *cobra.Command) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	if err := f.page.check(); err != nil {
		return err
	}
	if err := checkIDFlag(cmd, "endpoint"); err != nil {
		return err
	}
	span, err := f.span.span(cmd, time.Now())
	if err != nil {
		return err
	}
	list, err := collect(cmd.Context(), f.page, func(ctx context.Context, p httpapi.Page) (httpapi.List[httpapi.DeadLetter], error) {
		return client.DeadLetters(ctx, f.brand, httpapi.DeadLetterQuery{EndpointID: f.endpoint, Span: span, Page: p})
	})
	if err != nil {
		return f.api.refusal(err, "brand "+f.brand, listNames())
	}
	return showList(f.screen(cmd), list, deadLetterTable)
}

func deadLetterTable(letters []httpapi.DeadLetter) *table {
	t := newTable("DIED", "EVENT", "ENDPOINT", "TYPE", "ATTEMPTS", "WHY", "LAST ANSWER")
	for _, l := range letters {
		t.add(plain(moment(l.UpdatedAt)), plain(l.EventID), plain(l.EndpointID), plain(l.Type), plain(strconv.Itoa(l.Attempts)),
			plain(l.DeathReason), plain(lastAnswer(l.LastAttempt)))
	}
	return t
}

// lastAnswer is how an attempt ended, in a few words.
func lastAnswer(a *httpapi.Attempt) string {
	switch {
	case a == nil:
		return ""
	case a.Status == nil:
		return a.Reason + " after " + milliseconds(a.DurationMs)
	}
	return strconv.Itoa(*a.Status) + " after " + milliseconds(a.DurationMs)
}
