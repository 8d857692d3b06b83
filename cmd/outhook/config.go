package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func newConfigCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check or print the configuration",
		Long:  "The configuration of serve: a YAML file, then the environment, then flags.",
		Example: `  outhook config check /etc/outhook/outhook.yaml
  outhook config print`,
	}
	cmd.AddCommand(newConfigCheckCommand(env), newConfigPrintCommand(env))
	return cmd
}

func newConfigCheckCommand(env []string) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Name every problem of the configuration",
		Long: `Checks the file, or the one that OUTHOOK_CONFIG names, together with the variables
of the environment, and the files that it names. Prints ok, or every problem with
its key and line, a line each, and exits with 1.

Keys that serve needs may still be missing: they often come from elsewhere.`,
		Example: "  outhook config check /etc/outhook/outhook.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("must have one FILE at most")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var file string
			if len(args) == 1 {
				file = args[0]
			}
			src := config.Sources{File: file, Env: env}
			c, err := config.Load(src)
			if err != nil {
				return err
			}
			s, err := settingsOf(c)
			if err == nil {
				err = s.check()
			}
			if err != nil {
				return located(src, c, err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return err
		},
	}
}

func newConfigPrintCommand(env []string) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print the effective configuration, redacted",
		Long: `Prints every key as YAML with the value that serve would use, given the same file,
environment and flags. Secrets are replaced by the word redacted.`,
		Example: `  outhook config print --config /etc/outhook/outhook.yaml
  OUTHOOK_LOG_LEVEL=debug outhook config print`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, file, env)
			if err != nil {
				return err
			}
			return c.Print(cmd.OutOrStdout())
		},
	}
	configFlags(cmd, &file)
	return cmd
}

// configFlags are --config and a flag for every key.
func configFlags(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "YAML file; defaults to the one that OUTHOOK_CONFIG names")
	config.RegisterFlags(cmd.Flags())
}

// loadConfig reads all sources. A problem is one of usage.
func loadConfig(cmd *cobra.Command, file string, env []string) (config.Config, error) {
	c, err := config.Load(sourcesOf(cmd, file, env))
	if err != nil {
		return c, usageError{err}
	}
	return c, nil
}

func sourcesOf(cmd *cobra.Command, file string, env []string) config.Sources {
	return config.Sources{File: file, Env: env, Flags: cmd.Flags()}
}

// located adds where a key was set, and its value, to an error that names the key.
func located(src config.Sources, c config.Config, err error) error {
	broken, ok := errors.AsType[*webhook.FieldError](err)
	if !ok {
		return err
	}
	problem, ok := src.Problem(c, broken.Field, broken.Rule)
	switch {
	case !ok:
		return err
	case isUsage(err):
		return usageError{config.Problems{problem}}
	}
	return config.Problems{problem}
}
