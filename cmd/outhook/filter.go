package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// checkIDFlag refuses what can be no id, an empty one too: a variable without a value must not list everything.
func checkIDFlag(cmd *cobra.Command, flag string) error {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	if err := webhook.CheckID("--"+flag, cmd.Flag(flag).Value.String()); err != nil {
		return usageError{err}
	}
	return nil
}

// checkChoice refuses what is none of these.
func checkChoice(cmd *cobra.Command, flag string, choices ...string) error {
	if !cmd.Flags().Changed(flag) || slices.Contains(choices, cmd.Flag(flag).Value.String()) {
		return nil
	}
	last := len(choices) - 1
	return usage("--%s: must be %s or %s", flag, strings.Join(choices[:last], ", "), choices[last])
}

// completeTypes completes a flag with the built-in event types.
func completeTypes(cmd *cobra.Command, flag string) {
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		known, err := catalog.New(catalog.Config{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for _, t := range known.Types() {
			names = append(names, t.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	_ = cmd.RegisterFlagCompletionFunc(flag, complete) // see fixedValues
}
