package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// deadLetterJob is a command that does something with many dead letters.
type deadLetterJob struct {
	brandFlags
	startFlags
	endpoint string
	all      bool
	filter   spanFlags
	begin    func(ctx context.Context, client *httpapi.Client, brand string, r httpapi.ResendDeadLettersRequest) (httpapi.Job, error)
}

func newDeadLetterResendCommand(env []string) *cobra.Command {
	f := deadLetterJob{brandFlags: newBrandFlags(env)}
	f.begin = func(ctx context.Context, client *httpapi.Client, brand string, r httpapi.ResendDeadLettersRequest) (httpapi.Job, error) {
		return client.ResendDeadLetters(ctx, brand, r)
	}
	cmd := f.command("resend")
	cmd.Short = "Send dead letters once more"
	cmd.Long = `Sends dead letters once more: those of the EVENTs, of an endpoint, of a time, or of all of
these together; everything only with --all. What comes in meanwhile is not slowed
down. The webhook-id is that of the first time.

` + jobHelp
	cmd.Example = `  outhook dead-letter resend evt_1 evt_2 --brand acme
  outhook dead-letter resend --brand acme --endpoint status --since 24h --dry-run
  outhook dead-letter resend --brand acme --all --per-second 200`
	f.registerPace(cmd)
	return cmd
}

func newDeadLetterDeleteCommand(env []string) *cobra.Command {
	f := deadLetterJob{brandFlags: newBrandFlags(env)}
	f.begin = func(ctx context.Context, client *httpapi.Client, brand string, r httpapi.ResendDeadLettersRequest) (httpapi.Job, error) {
		return client.DeleteDeadLetters(ctx, brand, r.DeadLettersRequest)
	}
	cmd := f.command("delete")
	cmd.Short = "Delete dead letters"
	cmd.Long = `Deletes dead letters, without asking: those of the EVENTs, of an endpoint, of a time, or of
all of these together; everything only with --all. It cannot be undone: --dry-run
tells how many it would be.

` + jobHelp
	cmd.Example = `  outhook dead-letter delete evt_1 --brand acme --endpoint status
  outhook dead-letter delete --brand acme --until 7d --dry-run`
	return cmd
}

// jobHelp is the part of help that commands which begin a job share.
const jobHelp = `It is a job, which the workers do. The command prints it and follows it until it is done,
on a terminal with its progress, and prints what became of what matched; the exit code
is 1 if the job was cancelled meanwhile. Ctrl-C stops following, not the job.`

func (f *deadLetterJob) command(name string) *cobra.Command {
	cmd := &cobra.Command{
		Use:  name + " [EVENT…] --brand B",
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.brandFlags.register(cmd)
	f.startFlags.register(cmd)
	cmd.Flags().StringVar(&f.endpoint, "endpoint", "", "only dead letters of the endpoint with this `id`")
	f.filter.register(cmd, "only what died")
	cmd.Flags().BoolVar(&f.all, "all", false, "all dead letters of the brand; needed when neither events nor a filter say which")
	return cmd
}

func (f *deadLetterJob) run(cmd *cobra.Command, events []string) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	asked, err := f.asked(cmd, events)
	if err != nil {
		return err
	}
	return f.startFlags.run(cmd.Context(), starting{
		api: &f.api, screen: f.screen(cmd), client: client, brand: f.brand, thing: "brand " + f.brand,
		begin: func(ctx context.Context) (httpapi.Job, error) { return f.begin(ctx, client, f.brand, asked) },
	})
}

func (f *deadLetterJob) asked(cmd *cobra.Command, events []string) (httpapi.ResendDeadLettersRequest, error) {
	none := httpapi.ResendDeadLettersRequest{}
	given := cmd.Flags().Changed
	which := len(events) > 0 || given("endpoint") || given("since") || given("until")
	switch {
	case !which && !f.all:
		return none, usage("which ones? give EVENTs, --endpoint, --since or --until, or --all for all of the brand")
	case which && f.all:
		return none, usage("--all: is for all of the brand: leave it out, or what says which")
	case len(events) > webhook.MaxJobEvents:
		return none, usage("EVENT: must be at most %d; give --endpoint, --since or --until", webhook.MaxJobEvents)
	}
	for _, id := range events {
		if err := webhook.CheckID("EVENT", id); err != nil {
			return none, usageError{err}
		}
	}
	if err := checkIDFlag(cmd, "endpoint"); err != nil {
		return none, err
	}
	if err := f.check(cmd); err != nil {
		return none, err
	}
	span, err := f.filter.span(cmd, time.Now())
	return httpapi.ResendDeadLettersRequest{
		DeadLettersRequest: httpapi.DeadLettersRequest{
			EventIDs: events, EndpointID: f.endpoint, DryRun: f.dryRun,
			Since: httpapi.Time{Time: span.Since}, Until: httpapi.Time{Time: span.Until},
		},
		PerSecond: f.perSecond,
	}, err
}
