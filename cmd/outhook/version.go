package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3". Empty means what the build knows of itself.
var version string

func newVersionCommand() *cobra.Command {
	form := formTable
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Prints the version of outhook, which is also in the user-agent of its deliveries, and of Go.",
		Example: `  outhook version
  outhook version -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if form == formJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"version": buildVersion(), "go": runtime.Version()})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "outhook %s, %s\n", buildVersion(), runtime.Version())
			return err
		},
	}
	outputFlag(cmd, &form)
	return cmd
}

// buildVersion is a word: it becomes a part of a header.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return strings.Trim(info.Main.Version, "()")
}

// userAgent is what receivers see.
func userAgent() string { return "outhook/" + buildVersion() }
