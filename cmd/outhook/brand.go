package main

import (
	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func newBrandCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "brand",
		Short: "See how a brand is doing, and erase one",
		Long:  "A brand is a tenant. It is never registered: it is there when something of it is.",
		Example: `  outhook brand health acme
  outhook brand erase acme`,
	}
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	cmd.AddCommand(newBrandHealthCommand(env), newBrandEraseCommand(env))
	return cmd
}

func newBrandHealthCommand(env []string) *cobra.Command {
	api, form := apiFlags{env: env}, formTable
	cmd := &cobra.Command{
		Use:   "health BRAND",
		Short: "Show how all endpoints of a brand are doing together",
		Long: `Shows how many endpoints a brand has and how many of them are disabled or failing, what
is open for them, and what the attempts of the last hour came to. busy is how many
attempts were in flight on average. endpoint list has each endpoint.`,
		Example: `  outhook brand health acme
  outhook brand health acme -o json | jq .lastHour`,
		Args: oneArg("BRAND"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := api.client()
			if err != nil {
				return err
			}
			h, err := client.BrandHealth(cmd.Context(), args[0])
			if err != nil {
				return api.refusal(err, "brand "+args[0], givenAs{"brand": "BRAND"})
			}
			return newDisplay(cmd, env, form).show(h, func() *table { return brandCard(args[0], h) })
		},
	}
	api.register(cmd)
	outputFlag(cmd, &form)
	return cmd
}

func brandCard(brand string, h httpapi.BrandHealth) *table {
	t := newCard()
	t.line("brand", plain(brand))
	t.line("endpoints", count(h.Endpoints))
	t.line("disabled", countIn(h.Disabled, stateColour("disabled")))
	t.line("failing", countIn(h.Failing, stateColour("failed")))
	t.line("in flight", count(h.InFlight))
	t.line("waiting", count(h.Waiting))
	t.line("retrying", count(h.Retrying))
	t.line("oldest waiting", plain(moment(h.OldestWaitingAt)))
	addTraffic(t, h.LastHour)
	return t
}

// countIn is a number, in this colour unless it is 0.
func countIn(n int, c colour) words {
	out := count(n)
	if n > 0 {
		out.colour = c
	}
	return out
}
