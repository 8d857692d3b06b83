package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func newEventGetCommand(env []string) *cobra.Command {
	f := newBrandFlags(env)
	cmd := &cobra.Command{
		Use:   "get ID --brand B",
		Short: "Print an event, its deliveries and its payload",
		Long: `Prints an event, how each of its deliveries stands, and last, by itself, the payload
as it was published. On a terminal, what could do harm there is escaped; in a pipe
or a file the payload is there byte for byte.

With -o json it is the API's document, byte for byte too.`,
		Example: `  outhook event get evt_1 --brand acme
  outhook event get evt_1 --brand acme -o json | jq .payload`,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			e, err := client.Event(cmd.Context(), f.brand, args[0])
			if err != nil {
				return f.api.refusal(err, eventOf(f.brand, args[0]), givenAs{"id": "ID"})
			}
			s := f.screen(cmd)
			if s.form == formJSON {
				return writeEvent(s.out, e)
			}
			return showEvent(s, e)
		},
	}
	f.register(cmd)
	return cmd
}

// eventOf names an event in an error.
func eventOf(brand, id string) string { return fmt.Sprintf("event %s of brand %s", id, brand) }

func showEvent(s display, e httpapi.Event) error {
	kept := len(e.Payload) > 0 && string(e.Payload) != "null"
	var text bytes.Buffer
	if err := eventCard(e, kept).write(&text, s.palette); err != nil {
		return err
	}
	if len(e.Deliveries) > 0 {
		text.WriteByte('\n')
		if err := deliveryTable(e.Deliveries).write(&text, s.palette); err != nil {
			return err
		}
	}
	if kept {
		text.WriteByte('\n')
	}
	if _, err := s.out.Write(text.Bytes()); err != nil || !kept {
		return err
	}
	if err := writeExactly(s.out, e.Payload); err != nil {
		return err
	}
	_, err := io.WriteString(s.out, "\n")
	return err
}

func eventCard(e httpapi.Event, kept bool) *table {
	t := newCard()
	t.line("id", plain(e.ID))
	t.line("type", plain(e.Type))
	t.line("brand", plain(e.Brand))
	t.line("published", plain(moment(e.PublishedAt)))
	t.line("expires", plain(moment(e.ExpiresAt)))
	t.line("deliveries", statesOf(e.Deliveries))
	if !kept {
		t.line("payload", plain("no longer kept"))
	} else {
		t.line("payload", plain(fmt.Sprintf("%d bytes", len(e.Payload))))
	}
	return t
}

func deliveryTable(deliveries []httpapi.Delivery) *table {
	t := newTable("ENDPOINT", "STATE", "ATTEMPTS", "NEXT ATTEMPT", "UPDATED", "WHY")
	for _, d := range deliveries {
		t.add(plain(d.EndpointID), stateOf(d), plain(fmt.Sprint(d.Attempts)), plain(moment(d.NextAttemptAt)),
			plain(moment(d.UpdatedAt)), plain(whyOf(d)))
	}
	return t
}

// stateOf is the state of a delivery as people say it, in its colour.
func stateOf(d httpapi.Delivery) words {
	return words{text: stateWord(d.State), colour: stateColour(d.State)}
}

// whyOf is what holds a delivery back or ended it.
func whyOf(d httpapi.Delivery) string {
	switch {
	case d.DeathReason != "":
		return d.DeathReason
	case d.WaitingFor != "" && d.Position > 0:
		return fmt.Sprintf("waits for %s, place %d", d.WaitingFor+until(d.WaitingUntil), d.Position)
	case d.WaitingFor != "":
		return "waits for " + d.WaitingFor
	}
	return ""
}
