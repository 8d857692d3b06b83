package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// maxPayloadInput bounds what is read of a payload: the most that limits.payloadBytes can be set to.
const maxPayloadInput = 64 << 20

// publishFlags are what publish is asked to do.
type publishFlags struct {
	api      apiFlags
	brand    string
	kind     string
	id       string
	data     string
	hasData  bool
	file     string
	retryFor time.Duration
	form     outputForm
}

func newPublishCommand(env []string) *cobra.Command {
	f := publishFlags{api: apiFlags{env: env}, form: formTable}
	cmd := &cobra.Command{
		Use:   "publish --brand B [--type T] (--data JSON | --file F | -)",
		Short: "Publish an event, or many from stdin",
		Long: `Publishes through the API. With --type, one event: its payload is the JSON object of
--data, of a file, or, with -, of stdin, and is delivered byte for byte; only white
space around it, such as the newline at the end of a file, is not part of it. Prints
the event's id and the endpoints it goes to. With --id, publishing again is safe.

With - and without --type, stdin has an event on each line:
  {"id"?, "type", "payload", "expiresAt"?}
They go out in batches; each payload is cut out of its line as it is. A batch that
the server cannot take now (503) is repeated for up to --retry-for, safely: a line
without an id gets one before it is first sent. To be safe to run again with the
same input, lines need ids of their own. A refused line is reported on stderr with
its number, the others go on, and the exit code is 1.`,
		Example: `  outhook publish --brand acme --type message.delivered --data '{"clientRef":"r1","status":"DELIVERED"}'
  outhook publish --brand acme --type message.read --id r1-read --file read.json -o json
  outhook publish --brand acme - < events.ndjson`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] != "-" {
				return fmt.Errorf("unexpected argument %q: must be - for stdin, or nothing", args[len(args)-1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.hasData = cmd.Flags().Changed("data")
			return f.run(cmd, len(args) == 1)
		},
	}
	f.register(cmd)
	return cmd
}

func (f *publishFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.brand, "brand", "", "the tenant whose event it is; required")
	flags.StringVar(&f.kind, "type", "", "event type, such as message.delivered")
	completeTypes(cmd, "type")
	flags.StringVar(&f.id, "id", "", "id that makes it safe to publish the event again")
	flags.StringVar(&f.data, "data", "", "payload: one JSON object")
	flags.StringVar(&f.file, "file", "", "file with the payload")
	flags.DurationVar(&f.retryFor, "retry-for", time.Minute, "how long a batch of lines is repeated while the server cannot take it; 0 is not at all")
	f.api.register(cmd)
	outputFlag(cmd, &f.form)
}

func (f *publishFlags) run(cmd *cobra.Command, stdin bool) error {
	lines := stdin && f.kind == ""
	if err := f.check(stdin, lines); err != nil {
		return err
	}
	if cmd.Flags().Changed("id") && f.id == "" {
		return usage("--id: must not be empty: leave it out to have one made")
	}
	client, err := f.api.client()
	if err != nil {
		return err
	}
	if lines {
		return f.publishLines(cmd, client)
	}
	payload, err := f.payload(cmd.InOrStdin(), stdin)
	if err != nil {
		return err
	}
	return f.publishOne(cmd.Context(), client, payload, newDisplay(cmd, f.api.env, f.form))
}

func (f *publishFlags) check(stdin, lines bool) error {
	sources := 0
	for _, given := range []bool{f.hasData, f.file != "", stdin} {
		if given {
			sources++
		}
	}
	switch {
	case f.brand == "":
		return usage("--brand: is required")
	case sources != 1:
		return usage("exactly one of --data, --file and - must be given")
	case f.kind == "" && !lines:
		return usage("--type: is required for a single event")
	case f.id != "" && lines:
		return usage("--id: is for a single event; lines have their own")
	case f.retryFor < 0:
		return usage("--retry-for: must be 0 or more")
	}
	return usageOf(webhook.CheckID("brand", f.brand))
}

func (f *publishFlags) payload(in io.Reader, stdin bool) ([]byte, error) {
	if f.hasData {
		return []byte(f.data), nil
	}
	if !stdin {
		file, err := os.Open(f.file)
		if err != nil {
			return nil, usage("--file: %w", err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	payload, err := io.ReadAll(io.LimitReader(in, maxPayloadInput+1))
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	return payload, nil // too long a one is refused with all else that is wrong with it
}

// publishOne sends once. The id is made here, so that whoever got no answer can ask again.
func (f *publishFlags) publishOne(ctx context.Context, client *httpapi.Client, payload []byte, s display) error {
	e := webhook.Event{ID: f.id, Brand: f.brand, Type: f.kind, Payload: payload}
	if err := checkEvent(e, maxPayloadInput); err != nil {
		return usageError{err}
	}
	if e.ID == "" {
		e.ID = webhook.NewID(webhook.EventPrefix)
	}
	receipt, err := client.Publish(ctx, e.Brand, httpapi.PublishRequest{ID: e.ID, Type: e.Type, Payload: e.Payload})
	switch {
	case errors.Is(err, webhook.ErrUnavailable):
		return fmt.Errorf("%w; to publish it again, add --id %s", f.api.explain(err), e.ID)
	case err != nil:
		return ruleOf(err, "body.")
	}
	return s.show(receipt, func() *table { return receiptTable(receipt) })
}

func receiptTable(r httpapi.Receipt) *table {
	endpoints := make([]string, len(r.Deliveries))
	for i, d := range r.Deliveries {
		endpoints[i] = d.EndpointID
	}
	if len(endpoints) == 0 {
		endpoints = []string{"none"}
	}
	duplicate := "no"
	if r.Duplicate {
		duplicate = "yes"
	}
	t := newTable("ID", "DUPLICATE", "ENDPOINTS")
	t.add(plain(r.ID), plain(duplicate), plain(strings.Join(endpoints, ", ")))
	return t
}

// usageOf makes an error one of usage; nil stays nil.
func usageOf(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}
