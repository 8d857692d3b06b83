package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/signer"
)

// maxStdinBody bounds a body on stdin, in bytes.
const maxStdinBody = 64 << 20

// newSignCommand returns what signs a body by hand.
func newSignCommand() *cobra.Command {
	var keys secretFlags
	var id, timestamp string
	cmd := &cobra.Command{
		Use:   "sign --secret SECRET --id ID",
		Short: "Sign a body from stdin",
		Long: `Reads a body from stdin, byte for byte, and prints the three headers of a webhook
with it: webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks).
Several secrets give several signatures, in their order.

A secret on the command line can be seen by every user of the machine; --secret-file
keeps it out of there.`,
		Example: `  outhook sign --secret-file secret.txt --id evt_1 < body.json
  outhook sign --secret-file secret.txt --id evt_1 < body.json |
    curl -H @- --data-binary @body.json https://example.com/webhooks`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signing, err := keys.signing()
			if err != nil {
				return usage("%w", err)
			}
			at, err := parseTimestamp(timestamp, time.Now())
			if err != nil {
				return usage("%w", err)
			}
			return sign(cmd.OutOrStdout(), cmd.InOrStdin(), id, at, signing)
		},
	}
	keys.register(cmd.Flags(), "whsec_ `secret`, or whsk_ private key")
	cmd.Flags().StringVar(&id, "id", "", "webhook-id, the event's `id` (required)")
	cmd.Flags().StringVar(&timestamp, "timestamp", "", "webhook-timestamp in Unix `seconds` (default now)")
	return cmd
}

func sign(out io.Writer, in io.Reader, id string, at time.Time, keys []signer.Key) error {
	switch {
	case len(keys) == 0:
		return usage("--secret or --secret-file: is required")
	case id == "":
		return usage("--id: is required")
	}
	body, err := readBody(in)
	if err != nil {
		return err
	}
	signature, err := signer.Sign(id, at, body, keys...)
	if err != nil {
		return usage("%w", err) // what it refuses came from flags
	}
	_, err = fmt.Fprintf(out, "%s: %s\n%s: %d\n%s: %s\n",
		signer.HeaderID, id, signer.HeaderTimestamp, at.Unix(), signer.HeaderSignature, signature)
	return err
}

// parseTimestamp reads Unix seconds; empty means now.
func parseTimestamp(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("--timestamp: must be Unix seconds, such as 1767225600")
	}
	return time.Unix(seconds, 0), nil
}

// readBody reads a body exactly as it is.
func readBody(in io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(in, maxStdinBody+1))
	if err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	if len(body) > maxStdinBody {
		return nil, usage("stdin: body is over %d bytes", maxStdinBody)
	}
	return body, nil
}
