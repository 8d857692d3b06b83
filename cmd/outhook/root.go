package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the program: everything of the process but its signals and its end. It returns the exit code.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	began := false
	root := newRootCommand(env)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	complete(root, &began)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errInterrupted
	}
	if !began {
		err = usage("%w: see %s --help", err, cmd.CommandPath())
	}
	report(stderr, topic(cmd), err)
	if isUsage(err) {
		return exitUsage
	}
	return exitFailed
}

func newRootCommand(env []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "outhook",
		Short: "Deliver a platform's events as signed webhooks",
		Long: `outhook accepts events, writes each down once, and delivers it, signed, to every
endpoint that wants it, until it is delivered or visibly dead.

Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration.`,
		Example: `  outhook dev                 # everything in one process, with samples
  outhook serve --config /etc/outhook/outhook.yaml
  outhook publish --brand acme --type message.delivered --file status.json`,
		SilenceErrors: true,
		SilenceUsage:  true,
		// Suggestions would make an error several lines.
		DisableSuggestions: true,
		RunE:               func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newDevCommand(env), newServeCommand(env), newPublishCommand(env), newEndpointCommand(env),
		newEventCommand(env), newAttemptCommand(env), newDeadLetterCommand(env), newRecoverCommand(env), newJobCommand(env),
		newBrandCommand(env), newKeyCommand(env), newConsoleCommand(env), newConfigCommand(env), newOpenAPICommand(env),
		newListenCommand(env), newBenchCommand(env), newSignCommand(), newVerifyCommand(), newSecretCommand(env), newDoctorCommand(env), newVersionCommand())
	root.SetHelpCommand(newHelpCommand())
	return root
}

func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about a command",
		Long:    "Prints what outhook COMMAND --help prints.",
		Example: "  outhook help serve",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage("unknown command %q", strings.Join(args, " "))
			}
			return found.Help()
		},
	}
}

// complete adds now what cobra would add later, and makes all of it strict. The streams must be set.
func complete(root *cobra.Command, began *bool) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	strict(root, began)
}

// strict makes every command of the tree note that it began, so that an error before that is one of usage; a group
// demands one of its commands; and what cobra adds gets its examples.
func strict(cmd *cobra.Command, began *bool) {
	for _, sub := range cmd.Commands() {
		strict(sub, began)
	}
	if !cmd.Runnable() {
		cmd.Args, cmd.RunE = cobra.ArbitraryArgs, needsCommand
	}
	if cmd.Example == "" {
		cmd.Example = "  " + cmd.CommandPath()
	}
	do, silent := cmd.RunE, cmd.Run
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		*began = true
		if do != nil {
			return do(cmd, args)
		}
		silent(cmd, args)
		return nil
	}
}

func needsCommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	choice := strings.Join(names, ", ")
	if len(args) > 0 {
		return usage("unknown command %q: must be one of %s", args[0], choice)
	}
	return usage("a command is required: %s", choice)
}

// topic is the command as a user writes it, without the program's name.
func topic(cmd *cobra.Command) string {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	return path
}

// noArgs is cobra.NoArgs with a message that fits the others.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	return nil
}

// oneArg is cobra.ExactArgs(1) with a message that names what is missing.
func oneArg(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || args[0] == "":
			return fmt.Errorf("%s: is required", name)
		case len(args) > 1:
			return fmt.Errorf("unexpected argument %q", args[1])
		}
		return nil
	}
}
