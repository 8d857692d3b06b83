package main

import (
	"context"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// eventAction is a command that does something with the deliveries of an event.
type eventAction struct {
	use, short, long, example string
	do                        func(ctx context.Context, client *httpapi.Client, brand, id, endpoint string) ([]httpapi.Delivery, error)
}

func newEventResendCommand(env []string) *cobra.Command {
	return eventAction{
		use: "resend ID --brand B", short: "Send an event once more",
		long: `Sends an event once more to every endpoint that it went to, or to the one of --endpoint,
also if it never went there, and prints how each delivery stands then. The webhook-id
is that of the first time, so that a receiver can tell.

A delivery that waits for its retry is due now instead, and one that waits in its line
or is being attempted stays as it is: there is never a second copy.`,
		example: `  outhook event resend evt_1 --brand acme
  outhook event resend evt_1 --brand acme --endpoint status`,
		do: func(ctx context.Context, client *httpapi.Client, brand, id, endpoint string) ([]httpapi.Delivery, error) {
			return client.ResendEvent(ctx, brand, id, endpoint)
		},
	}.command(env)
}

func newEventCancelCommand(env []string) *cobra.Command {
	return eventAction{
		use: "cancel ID --brand B", short: "End what is open of an event",
		long: `Ends the open deliveries of an event, or that to the endpoint of --endpoint, and prints
how each stands then. An attempt in flight ends, and is kept; what was delivered or
given up stays so.`,
		example: `  outhook event cancel evt_1 --brand acme
  outhook event cancel evt_1 --brand acme --endpoint status`,
		do: func(ctx context.Context, client *httpapi.Client, brand, id, endpoint string) ([]httpapi.Delivery, error) {
			return client.CancelEvent(ctx, brand, id, endpoint)
		},
	}.command(env)
}

func (a eventAction) command(env []string) *cobra.Command {
	f := newBrandFlags(env)
	var endpoint string
	cmd := &cobra.Command{
		Use: a.use, Short: a.short, Long: a.long, Example: a.example,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkIDFlag(cmd, "endpoint"); err != nil {
				return err
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			found, err := a.do(cmd.Context(), client, f.brand, args[0], endpoint)
			if err != nil {
				return f.api.refusal(err, eventThing(f.brand, args[0], endpoint), eventFields())
			}
			return showDeliveries(f.screen(cmd), found)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "only the delivery to the endpoint with this `id`")
	return cmd
}

// eventThing names an event, or its delivery to an endpoint, in an error.
func eventThing(brand, id, endpoint string) string {
	if endpoint == "" {
		return eventOf(brand, id)
	}
	return eventOf(brand, id) + ", or endpoint " + endpoint
}

// eventFields are how an event and its endpoint are given on the command line.
func eventFields() givenAs {
	return givenAs{"id": "ID", "brand": "--brand", "endpointId": "--endpoint"}
}

func showDeliveries(s display, found []httpapi.Delivery) error {
	if found == nil {
		found = []httpapi.Delivery{}
	}
	err := s.show(httpapi.Deliveries{Deliveries: found}, func() *table { return deliveryTable(found) })
	if err == nil && len(found) == 0 {
		s.note("the event has no delivery")
	}
	return err
}
