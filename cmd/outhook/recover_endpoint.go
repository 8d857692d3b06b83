package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// recoverFlags say what an endpoint is to get once more.
type recoverFlags struct {
	brandFlags
	startFlags
	endpoint string
	times    spanFlags
}

func newRecoverCommand(env []string) *cobra.Command {
	f := recoverFlags{brandFlags: newBrandFlags(env)}
	cmd := &cobra.Command{
		Use:   "recover --brand B --endpoint E --since T",
		Short: "Send an endpoint what it missed",
		Long: `Sends an endpoint what it missed of the events of a time: what died, expired or was never
sent, also because the endpoint was disabled or did not exist yet. What comes in
meanwhile is not slowed down. The webhook-id is that of the first time.

` + jobHelp,
		Example: `  outhook recover --brand acme --endpoint status --since 24h --dry-run
  outhook recover --brand acme --endpoint status --since 24h --per-second 200
  outhook recover --brand acme --endpoint status --since 2026-01-02T03:00:00Z --until 2026-01-02T09:00:00Z --detach`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	f.brandFlags.register(cmd)
	cmd.Flags().StringVar(&f.endpoint, "endpoint", "", "the `id` of the endpoint; required")
	f.times.register(cmd, "events published")
	f.startFlags.register(cmd)
	f.registerPace(cmd)
	return cmd
}

func (f *recoverFlags) run(cmd *cobra.Command) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	asked, err := f.asked(cmd)
	if err != nil {
		return err
	}
	return f.startFlags.run(cmd.Context(), starting{
		api: &f.api, screen: f.screen(cmd), client: client, brand: f.brand, thing: endpointThing(f.brand, f.endpoint),
		begin: func(ctx context.Context) (httpapi.Job, error) { return client.Recover(ctx, f.brand, f.endpoint, asked) },
	})
}

func (f *recoverFlags) asked(cmd *cobra.Command) (httpapi.RecoverRequest, error) {
	for _, required := range []string{"endpoint", "since"} {
		if !cmd.Flags().Changed(required) {
			return httpapi.RecoverRequest{}, usage("--%s: is required", required)
		}
	}
	if err := checkIDFlag(cmd, "endpoint"); err != nil {
		return httpapi.RecoverRequest{}, err
	}
	if err := f.check(cmd); err != nil {
		return httpapi.RecoverRequest{}, err
	}
	span, err := f.times.span(cmd, time.Now())
	return httpapi.RecoverRequest{
		Since: httpapi.Time{Time: span.Since}, Until: httpapi.Time{Time: span.Until}, DryRun: f.dryRun, PerSecond: f.perSecond,
	}, err
}
