package main

import (
	"context"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func newJobCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job",
		Short: "See and cancel work on many deliveries",
		Long: `Jobs: what recover, dead-letter resend, dead-letter delete and brand erase begin. The
workers do them, whoever looks on: any worker goes on with a job after another's end.`,
		Example: `  outhook job list --brand acme
  outhook job get job_1 --follow`,
	}
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	cmd.AddCommand(newJobListCommand(env), newJobGetCommand(env), newJobCancelCommand(env))
	return cmd
}

// jobListFlags say which jobs are wanted.
type jobListFlags struct {
	api   apiFlags
	form  outputForm
	brand string
	page  pageFlags
}

func newJobListCommand(env []string) *cobra.Command {
	f := jobListFlags{api: apiFlags{env: env}, form: formTable}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs, the last begun first",
		Long: `Lists the jobs that the key sees, the last begun first, each with its account: at any
time MATCHED is DELIVERED + DEAD + SKIPPED + DELETED + OPEN. A job that is done has
handed over all that matched; what it sent may still be open.`,
		Example: `  outhook job list
  outhook job list --brand acme --limit 0 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	cmd.Flags().StringVar(&f.brand, "brand", "", "only jobs of this tenant")
	f.api.register(cmd)
	f.page.register(cmd)
	outputFlag(cmd, &f.form)
	return cmd
}

func (f *jobListFlags) run(cmd *cobra.Command) error {
	if err := checkIDFlag(cmd, "brand"); err != nil {
		return err
	}
	if err := f.page.check(); err != nil {
		return err
	}
	client, err := f.api.client()
	if err != nil {
		return err
	}
	list, err := collect(cmd.Context(), f.page, func(ctx context.Context, p httpapi.Page) (httpapi.List[httpapi.Job], error) {
		return client.Jobs(ctx, httpapi.JobQuery{Brand: f.brand, Page: p})
	})
	if err != nil {
		return f.api.refusal(err, "brand "+f.brand, listNames())
	}
	return showList(newDisplay(cmd, f.api.env, f.form), list, jobTable)
}

// jobFlags are those of a command about one job.
type jobFlags struct {
	api    apiFlags
	form   outputForm
	follow bool
}

func newJobGetCommand(env []string) *cobra.Command {
	f := jobFlags{api: apiFlags{env: env}, form: formTable}
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show a job and its account",
		Long: `Shows a job and its account: at any time matched is delivered + dead + skipped +
deleted + open. skipped are those that could not be sent, as the payload or the
endpoint is gone, or that were cancelled after they were sent.

--follow waits until the job is done, and shows on a terminal how far it is; the exit
code is 1 if it was cancelled. Ctrl-C stops following, not the job.`,
		Example: `  outhook job get job_1
  outhook job get job_1 --follow -o json`,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.get(cmd, args[0]) },
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.follow, "follow", false, "wait until it is done")
	return cmd
}

func newJobCancelCommand(env []string) *cobra.Command {
	f := jobFlags{api: apiFlags{env: env}, form: formTable}
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "End a job, and show what it did",
		Long: `Ends a job: nothing more is matched, and what was sent goes on. A job that has ended
stays as it is.`,
		Example: "  outhook job cancel job_1",
		Args:    oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.api.client()
			if err != nil {
				return err
			}
			j, err := client.CancelJob(cmd.Context(), args[0])
			if err != nil {
				return f.refusal(err, args[0])
			}
			return newDisplay(cmd, f.api.env, f.form).show(j, func() *table { return jobCard(j) })
		},
	}
	f.register(cmd)
	return cmd
}

func (f *jobFlags) register(cmd *cobra.Command) {
	f.api.register(cmd)
	outputFlag(cmd, &f.form)
}

func (f *jobFlags) refusal(err error, id string) error {
	return f.api.refusal(err, "job "+id, givenAs{"id": "ID"})
}

func (f *jobFlags) get(cmd *cobra.Command, id string) error {
	client, err := f.api.client()
	if err != nil {
		return err
	}
	j, err := client.Job(cmd.Context(), id)
	if err != nil {
		return f.refusal(err, id)
	}
	s := newDisplay(cmd, f.api.env, f.form)
	if !f.follow {
		return s.show(j, func() *table { return jobCard(j) })
	}
	j, err = followJob(cmd.Context(), client, &f.api, s, j)
	if err != nil {
		return err
	}
	if err := s.show(j, func() *table { return jobCard(j) }); err != nil {
		return err
	}
	return notCancelled(j)
}
