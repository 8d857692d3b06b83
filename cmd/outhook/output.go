package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// outputForm is the value of -o.
type outputForm string

const (
	formTable outputForm = "table"
	formJSON  outputForm = "json"
)

// String implements pflag.Value.
func (f *outputForm) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *outputForm) Type() string { return "table|json" }

// Set implements pflag.Value.
func (f *outputForm) Set(text string) error {
	if form := outputForm(text); form == formTable || form == formJSON {
		*f = form
		return nil
	}
	return errors.New("must be table or json")
}

func outputFlag(cmd *cobra.Command, form *outputForm) {
	cmd.Flags().VarP(form, "output", "o", "form of the output")
}
