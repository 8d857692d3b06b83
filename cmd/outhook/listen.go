package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"
)

// listenFlags say where listen listens and how its receiver behaves.
type listenFlags struct {
	env    []string
	addr   string
	keys   secretFlags
	faults faults
	form   outputForm
}

// newListenCommand returns the local receiver.
func newListenCommand(env []string) *cobra.Command {
	f := listenFlags{env: env, form: formTable}
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive webhooks on this machine, verify and print them",
		Long: `Receives webhooks on any path, verifies each when a secret is given, prints it, and
answers 200, or 401 to what does not verify. Ctrl-C ends it.

An address without a host, such as :9000, is loopback only. To be reached from other
machines, say so: 0.0.0.0:9000 or [::]:9000. outhook itself delivers to loopback
only where its operator allowed that (egress.allow).

--fail-first, --delay and --status rehearse faults: what an endpoint does on a bad
day, and what outhook makes of it. With -o json there is one object a line on stdout,
its "body" exactly what arrived; everything else is on stderr.

A secret on the command line can be seen by every user of the machine; --secret-file
keeps it out of there.`,
		Example: `  outhook listen --secret whsec_…
  outhook listen --addr :9000 --secret-file secret.txt --fail-first 3
  outhook listen --status 503 --delay 2s
  outhook listen -o json | jq -r .body`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.addr, "addr", "127.0.0.1:9000", "`address` to listen on; without a host it is loopback, port 0 is a free one")
	f.keys.register(fs, "whsec_ `secret`, or whpk_ public key, of the endpoint")
	fs.IntVar(&f.faults.status, "status", 0, "answer everything with this `status`, 200 to 599")
	fs.DurationVar(&f.faults.delay, "delay", 0, "wait this long before each answer")
	fs.IntVar(&f.faults.failFirst, "fail-first", 0, "answer the first `N` attempts of each webhook-id with 500")
	outputFlag(cmd, &f.form)
	return cmd
}

func (f listenFlags) run(ctx context.Context, out, errOut io.Writer) error {
	address, err := f.check()
	if err != nil {
		return usage("%w", err)
	}
	keys, err := f.keys.verifying()
	if err != nil {
		return usage("%w", err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	printer := &arrivalPrinter{out: out, asJSON: f.form == formJSON, bodies: true, palette: paletteFor(out, f.env)}
	server := startLocal(ctx, listener, newReceiver(keys, f.faults, printer.show), slog.New(slog.DiscardHandler))
	fmt.Fprintf(errOut, "listening on %s, %s\n", server.url, f.describe(len(keys)))
	printer.heading()
	select {
	case <-ctx.Done():
	case err = <-server.ended:
	}
	return errors.Join(err, server.stop())
}

// check returns the address to listen on.
func (f listenFlags) check() (string, error) {
	host, port, err := net.SplitHostPort(f.addr)
	switch {
	case err != nil:
		return "", errors.New("--addr: must be host:port or :port")
	case f.faults.status != 0 && (f.faults.status < 200 || f.faults.status > 599):
		return "", errors.New("--status: must be 200 to 599")
	case f.faults.delay < 0:
		return "", errors.New("--delay: must not be negative")
	case f.faults.failFirst < 0:
		return "", errors.New("--fail-first: must not be negative")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// describe says in a few words what this receiver does.
func (f listenFlags) describe(keys int) string {
	text := "verifying"
	if keys == 0 {
		text = "not verifying: no --secret was given"
	}
	if n := f.faults.failFirst; n > 0 {
		text += fmt.Sprintf("; 500 until attempt %d of each id", n+1)
	}
	if s := f.faults.status; s != 0 {
		text += fmt.Sprintf("; everything is answered with %d", s)
	}
	if d := f.faults.delay; d > 0 {
		text += fmt.Sprintf("; each answer takes %s", d.Round(time.Millisecond))
	}
	return text
}
