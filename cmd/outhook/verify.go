package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/signer"
)

// verifyFlags say what arrived beside the body: three flags, or headers as they were.
type verifyFlags struct {
	keys                     secretFlags
	id, timestamp, signature string
	headers                  []string
	tolerance                time.Duration
}

// newVerifyCommand returns what verifies a webhook by hand.
func newVerifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify --secret SECRET (--id ID --timestamp SECONDS --signature TEXT | --header 'NAME: VALUE' …)",
		Short: "Verify a webhook whose body comes from stdin",
		Long: `Reads a body from stdin, byte for byte, and checks that it was signed with one of the
secrets (Standard Webhooks). Prints "verified" and exits with 0, or says why not and
exits with 1. What cannot be checked at all, such as a secret that cannot be read,
exits with 2.

The webhook's time must be within --tolerance of now; raise it for one that was kept.
Headers that have nothing to do with the signature are passed over, so all of a
request's may be given.

A secret on the command line can be seen by every user of the machine; --secret-file
keeps it out of there.`,
		Example: `  outhook verify --secret-file secret.txt --id evt_1 --timestamp 1767225600 \
    --signature v1,K5oZ… --tolerance 24h < body.json
  outhook verify --secret whpk_… --header 'webhook-id: evt_1' \
    --header 'webhook-timestamp: 1767225600' --header 'webhook-signature: v1a,…' < body.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.OutOrStdout(), cmd.InOrStdin(), time.Now())
		},
	}
	fs := cmd.Flags()
	f.keys.register(fs, "whsec_ `secret`, or whpk_ public key")
	fs.StringVar(&f.id, "id", "", "webhook-id")
	fs.StringVar(&f.timestamp, "timestamp", "", "webhook-timestamp, in Unix `seconds`")
	fs.StringVar(&f.signature, "signature", "", "webhook-signature")
	fs.StringArrayVar(&f.headers, "header", nil,
		"a header of the request, `'name: value'`, in place of the three above; may be given several times")
	fs.DurationVar(&f.tolerance, "tolerance", signer.DefaultTolerance, "how far its timestamp may be from now, either way")
	return cmd
}

func (f verifyFlags) run(out io.Writer, in io.Reader, now time.Time) error {
	keys, err := f.keys.verifying()
	if err != nil {
		return usage("%w", err)
	}
	headers, err := f.read()
	switch {
	case err != nil:
		return usage("%w", err)
	case len(keys) == 0:
		return usage("--secret or --secret-file: is required")
	case f.tolerance <= 0:
		return usage("--tolerance: must be more than 0")
	}
	body, err := readBody(in)
	if err != nil {
		return err
	}
	if err := signer.Verify(headers, body, now, f.tolerance, keys...); err != nil {
		if errors.Is(err, signer.ErrKey) {
			return usage("%w", err)
		}
		return err
	}
	_, err = fmt.Fprintln(out, "verified")
	return err
}

// read returns the headers from whichever flags were given.
func (f verifyFlags) read() (map[string][]string, error) {
	named := map[string][]string{}
	for name, value := range map[string]string{
		signer.HeaderID: f.id, signer.HeaderTimestamp: f.timestamp, signer.HeaderSignature: f.signature,
	} {
		if value != "" {
			named[name] = []string{value}
		}
	}
	switch {
	case len(f.headers) == 0 && len(named) < 3:
		return nil, errors.New("--id, --timestamp and --signature are required, or --header for each")
	case len(f.headers) == 0:
		return named, nil
	case len(named) > 0:
		return nil, errors.New("--header: give it in place of --id, --timestamp and --signature, not beside them")
	}
	headers := map[string][]string{}
	for _, line := range f.headers {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.ToLower(strings.TrimSpace(name)); !ok || name == "" {
			return nil, errors.New("--header: must be 'name: value'")
		}
		headers[name] = append(headers[name], strings.TrimSpace(value))
	}
	return headers, nil
}
