package main

import (
	"context"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// endpointSwitch is a command that changes whether an endpoint gets events.
type endpointSwitch struct {
	use, short, long, example string
	change                    func(ctx context.Context, client *httpapi.Client, brand, id string) (httpapi.Endpoint, error)
}

func newEndpointEnableCommand(env []string) *cobra.Command {
	return endpointSwitch{
		use: "enable ID --brand B", short: "Let an endpoint get events again",
		long: `Enables an endpoint, whoever disabled it, and prints its state. What waits for it is sent;
what was published while it was disabled is not.`,
		example: "  outhook endpoint enable status --brand acme",
		change: func(ctx context.Context, client *httpapi.Client, brand, id string) (httpapi.Endpoint, error) {
			return client.EnableEndpoint(ctx, brand, id)
		},
	}.command(env)
}

func newEndpointDisableCommand(env []string) *cobra.Command {
	return endpointSwitch{
		use: "disable ID --brand B", short: "Keep events from an endpoint",
		long: `Disables an endpoint and prints its state. What waits for it waits on, for as long as
retry.maxAge; what is published meanwhile is recorded as not sent.`,
		example: "  outhook endpoint disable status --brand acme",
		change: func(ctx context.Context, client *httpapi.Client, brand, id string) (httpapi.Endpoint, error) {
			return client.DisableEndpoint(ctx, brand, id)
		},
	}.command(env)
}

func (s endpointSwitch) command(env []string) *cobra.Command {
	f := newBrandFlags(env)
	cmd := &cobra.Command{
		Use: s.use, Short: s.short, Long: s.long, Example: s.example,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			e, err := s.change(cmd.Context(), client, f.brand, args[0])
			if err != nil {
				return f.api.refusal(err, endpointThing(f.brand, args[0]), endpointFields())
			}
			return f.screen(cmd).show(e, func() *table { return stateTable(e.ID, endpointState(e)) })
		},
	}
	f.register(cmd)
	return cmd
}

func stateTable(id string, is words) *table {
	t := newTable("ID", "STATE")
	t.add(plain(id), is)
	return t
}

// deletedEndpoint is the answer of delete, where the API has none.
type deletedEndpoint struct {
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

func newEndpointDeleteCommand(env []string) *cobra.Command {
	f := newBrandFlags(env)
	cmd := &cobra.Command{
		Use:   "delete ID --brand B",
		Short: "Delete an endpoint",
		Long: `Deletes an endpoint, without asking. What is open for it is cancelled, and its id stays
taken: to stop events for a while, see disable.`,
		Example: "  outhook endpoint delete status --brand acme",
		Args:    oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			if err := client.DeleteEndpoint(cmd.Context(), f.brand, args[0]); err != nil {
				return f.api.refusal(err, endpointThing(f.brand, args[0]), endpointFields())
			}
			answer := deletedEndpoint{ID: args[0], Deleted: true}
			return f.screen(cmd).show(answer, func() *table { return stateTable(answer.ID, plain("deleted")) })
		},
	}
	f.register(cmd)
	return cmd
}
