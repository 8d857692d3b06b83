package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/config"
)

// devFlags say how dev runs.
type devFlags struct {
	env     []string
	once    bool
	redis   string
	timeout time.Duration
	log     config.Log
	// listen opens the receiver's listener. Tests put a bad line in its place.
	listen listenFunc
}

// newDevCommand returns everything in one process.
func newDevCommand(env []string) *cobra.Command { return devCommand(env, net.Listen) }

func devCommand(env []string, listen listenFunc) *cobra.Command {
	f := devFlags{env: env, listen: listen, log: config.Log{Format: config.LogText}}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Try everything in one process, with sample events",
		Long: `Runs the API, the workers, console, asynqmon and a receiver in one process, on an in-memory
Redis unless --redis names another. Creates a status and an inbound endpoint of the
brand "demo" at the receiver, publishes a sample of each of the nine event types
through the API, and prints each delivery as it arrives, with its signature
verified. Then it prints where everything is, and runs until Ctrl-C.

Not for production: the admin key and the encryption key are made for this run, the
admin key is printed, and deliveries may reach this machine (127.0.0.0/8 and ::1),
by http and on any port. API and console are on 127.0.0.1:8080, asynqmon is
on 127.0.0.1:8081, or on free ports where these are taken.

A Redis of --redis must hold no keys of outhook or of another Asynq program; those
of dev are deleted at the end.

With --once it ends after the samples, on free ports: exit code 0 when all nine
arrived, verified and byte for byte as published, and are recorded as delivered;
else 1, and what is missing.`,
		Example: `  outhook dev
  outhook dev --once
  outhook dev --redis redis://127.0.0.1:6379/1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.once, "once", false, "end after the samples, with exit code 0 only if all is well")
	fs.StringVar(&f.redis, "redis", "", "`URL` of a Redis to use in place of an in-memory one")
	fs.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long the samples may take")
	fs.TextVar(&f.log.Level, "log-level", slog.LevelWarn, "least severe `level` logged to stderr: debug, info, warn or error")
	return cmd
}

// port is the one to try first; 0 is a free one.
func (f devFlags) port(preferred int) int {
	if f.once {
		return 0
	}
	return preferred
}

func (f devFlags) run(ctx context.Context, out, errOut io.Writer) (err error) {
	if f.timeout <= 0 {
		return usage("--timeout: must be more than 0")
	}
	samples, err := newSamples()
	if err != nil {
		return err
	}
	check := newSampleCheck(samples)
	printer := &arrivalPrinter{out: out, palette: paletteFor(out, f.env)}
	stack, err := startDev(ctx, f, newLogger(errOut, f.log), func(a arrival) {
		check.note(a)
		printer.show(a)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.stop()) }()
	stack.introduce(out)
	printer.heading()
	if err := f.samples(ctx, stack, check); err == nil {
		conclude(out, len(samples))
	} else if f.once {
		return err
	} else if ctx.Err() == nil {
		fmt.Fprintf(out, "\nNot all is well: %s\n", oneLine(err.Error()))
	}
	if f.once {
		return nil
	}
	return stack.stay(ctx, out, samples[0])
}

// samples publishes them and waits until they are done.
func (f devFlags) samples(ctx context.Context, s *devStack, check *sampleCheck) error {
	within, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	err := publishSamples(within, s.asks, s.brand, check.samples)
	if err == nil {
		err = check.await(within, s.asks, s.brand)
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // interrupted: nothing is wrong with what has not arrived yet
	}
	return err
}

// introduce says what this is and what is not safe about it.
func (s *devStack) introduce(out io.Writer) {
	fmt.Fprintf(out, `outhook dev: everything in one process, to try it. Not for production.

  - %s
  - throw-away keys: the admin key and the encryption key were made for this run
  - deliveries may reach 127.0.0.0/8 and ::1, by http, on any port
  - brand %q has a status and an inbound endpoint at the receiver %s

A sample of each event type, published through the API %s:

`, s.redis.notice(), s.brand, s.receiver.url, s.api.url)
}

func conclude(out io.Writer, n int) {
	const text = "\n%d of %d delivered: signatures verified, bodies byte for byte as published, recorded as delivered.\n"
	fmt.Fprintf(out, text, n, n)
}

// stay says where everything is and waits until ctx ends, or a part of it does.
func (s *devStack) stay(ctx context.Context, out io.Writer, example sample) error {
	if ctx.Err() == nil {
		s.directions(out, example)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.delivering:
		return err
	case err := <-s.api.ended:
		return err
	case err := <-s.admin.ended:
		return err
	case err := <-s.receiver.ended:
		return err
	}
}

func (s *devStack) directions(out io.Writer, example sample) {
	body := fmt.Sprintf(`{"type":%q,"payload":%s}`, example.kind, example.payload)
	fmt.Fprintf(out, `
  API        %s/v1  (described at %s/docs, and for programs at /openapi.json)
  console    %s/console/  (sign in with the admin key)
  asynqmon   %s/asynqmon/  (sign in with the admin key)
  receiver   %s/status and /inbound
  admin key  %s

Publish one more:

  curl -sS %s/v1/brands/%s/events \
    -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \
    -d %s

Or with the other commands (outhook --help lists them; go run ./cmd/outhook is outhook):

  export OUTHOOK_SERVER=%s OUTHOOK_KEY=%s
  outhook event list --brand %s
  outhook endpoint test status --brand %s

Ctrl-C ends it.

`, s.api.url, s.api.url, s.api.url, s.admin.url, s.receiver.url, s.adminKey, s.api.url, s.brand, s.adminKey, shellQuote(body),
		s.api.url, s.adminKey, s.brand, s.brand)
}

func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
