package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func newEndpointCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "endpoint",
		Short: "See and change where a brand wants events",
		Long: `An endpoint is a URL of a brand and which events it wants. Every command is a client
of the API and needs --brand and a key of that brand, or an admin's.`,
		Example: `  outhook endpoint create --brand acme --id status --url https://example.com/webhooks --purpose status
  outhook endpoint list --brand acme
  outhook endpoint test status --brand acme`,
	}
	// Nothing but --secret-file takes the name of a file.
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	cmd.AddCommand(newEndpointListCommand(env), newEndpointGetCommand(env), newEndpointCreateCommand(env),
		newEndpointUpdateCommand(env), newEndpointDeleteCommand(env), newEndpointEnableCommand(env), newEndpointDisableCommand(env),
		newEndpointRotateCommand(env), newEndpointTestCommand(env), newEndpointCheckCommand(env))
	return cmd
}

// endpointThing is how errors name an endpoint.
func endpointThing(brand, id string) string { return fmt.Sprintf("endpoint %s of brand %s", id, brand) }

// endpointFields are the flags that set the fields of an endpoint.
func endpointFields() givenAs {
	return givenAs{
		"brand": "--brand", "id": "ID", "limit": "--limit", "cursor": "--cursor", "url": "--url", "purpose": "--purpose",
		"eventTypes": "--event-type", "description": "--description", "metadata": "--metadata", "headers": "--header",
		"maxInFlight": "--max-in-flight", "timeoutMs": "--timeout", "secret": "--secret-file", "signature": "--signature",
		"disabled": "--disabled", "overlapMs": "--overlap", "type": "--type",
	}
}

func newEndpointListCommand(env []string) *cobra.Command {
	f := newBrandFlags(env)
	var page pageFlags
	cmd := &cobra.Command{
		Use:   "list --brand B",
		Short: "List a brand's endpoints and what waits for them",
		Long: `Lists endpoints by id: what each wants, whether it is enabled, and how many deliveries
are in flight, wait in its line, or wait for a retry.`,
		Example: `  outhook endpoint list --brand acme
  outhook endpoint list --brand acme --limit 0 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := page.check(); err != nil {
				return err
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			list, err := collect(cmd.Context(), page, func(ctx context.Context, p httpapi.Page) (httpapi.List[httpapi.Endpoint], error) {
				return client.Endpoints(ctx, f.brand, p)
			})
			if err != nil {
				return f.api.refusal(err, "brand "+f.brand, endpointFields())
			}
			return showList(f.screen(cmd), list, endpointTable)
		},
	}
	f.register(cmd)
	page.register(cmd)
	return cmd
}

func endpointTable(endpoints []httpapi.Endpoint) *table {
	t := newTable("ID", "URL", "WANTS", "STATE", "IN FLIGHT", "WAITING", "RETRYING", "WAITS FOR")
	for _, e := range endpoints {
		row := []words{plain(e.ID), plain(printable(e.URL, maxShownURL)), plain(wants(e)), endpointState(e)}
		if e.Health == nil {
			row = append(row, plain(""), plain(""), plain(""), plain(""))
		} else {
			row = append(row, count(e.Health.InFlight), count(e.Health.Waiting), count(e.Health.Retrying), waitsFor(*e.Health))
		}
		t.add(row...)
	}
	return t
}

// waitsFor is what holds the line back; a breaker that is not closed also where nobody waits.
func waitsFor(h httpapi.EndpointHealth) words {
	switch {
	case h.Breaker != "" && h.Breaker != string(webhook.BreakerClosed):
		return words{"breaker" + until(h.OpenUntil), stateColour("dead")}
	case h.WaitingFor != "":
		return plain(h.WaitingFor + until(h.WaitingUntil))
	}
	return plain("")
}

// maxShownURL bounds a URL in a table, in bytes. A card and JSON have all of it.
const maxShownURL = 80

func count(n int) words { return plain(strconv.Itoa(n)) }

func wants(e httpapi.Endpoint) string { return cmp.Or(e.Purpose, strings.Join(e.EventTypes, ", ")) }

func endpointState(e httpapi.Endpoint) words {
	if !e.Disabled {
		return state("enabled")
	}
	text := "disabled"
	if e.DisabledReason != "" {
		text += ": " + e.DisabledReason
	}
	return words{text, stateColour("disabled")}
}

func newEndpointGetCommand(env []string) *cobra.Command {
	f := newBrandFlags(env)
	cmd := &cobra.Command{
		Use:   "get ID --brand B",
		Short: "Show one endpoint",
		Long: `Shows everything that is set, which secrets sign and until when, and how the endpoint is
doing. Secrets are never shown, only their last four characters.`,
		Example: `  outhook endpoint get status --brand acme
  outhook endpoint get status --brand acme -o json`,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			e, err := client.Endpoint(cmd.Context(), f.brand, args[0])
			return f.showEndpoint(cmd, args[0], e, err)
		},
	}
	f.register(cmd)
	return cmd
}

// showEndpoint ends a command whose answer is an endpoint.
func (f *brandFlags) showEndpoint(cmd *cobra.Command, id string, e httpapi.Endpoint, err error) error {
	if err != nil {
		return f.api.refusal(err, endpointThing(f.brand, id), endpointFields())
	}
	return f.screen(cmd).show(e, func() *table { return endpointCard(e) })
}
