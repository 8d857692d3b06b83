package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
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
	fixedValues(cmd, "output", string(formTable), string(formJSON))
}

// fixedValues completes a flag that takes only these.
func fixedValues(cmd *cobra.Command, flag string, values ...string) {
	// It fails for a flag that there is not, which the first completion shows.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// display is where a command prints its answer, and how.
type display struct {
	out, errOut io.Writer
	form        outputForm
	palette     palette
}

func newDisplay(cmd *cobra.Command, env []string, form outputForm) display {
	out := cmd.OutOrStdout()
	return display{out: out, errOut: cmd.ErrOrStderr(), form: form, palette: paletteFor(out, env)}
}

// show prints an answer as JSON or, for people, as what draw makes of it.
func (s display) show(answer any, draw func() *table) error {
	if s.form == formJSON {
		return writeJSON(s.out, answer)
	}
	return draw().write(s.out, s.palette)
}

// note tells a person something beside the answer, on stderr.
func (s display) note(format string, args ...any) {
	_, _ = fmt.Fprintln(s.errOut, oneLine(fmt.Sprintf(format, args...)))
}

// showList prints a list; a table that goes on says on stderr where.
func showList[T any](s display, list httpapi.List[T], draw func([]T) *table) error {
	err := s.show(list, func() *table { return draw(list.Items) })
	if err == nil && s.form == formTable && list.NextCursor != nil {
		s.note("more: --cursor %s", *list.NextCursor)
	}
	return err
}

// writeJSON writes one document on one line. What could do harm to a terminal is escaped, which means the same.
func writeJSON(out io.Writer, answer any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	line := append(escapeHarmful(bytes.TrimSuffix(text.Bytes(), []byte("\n"))), '\n')
	_, err := out.Write(line)
	return err
}

const shownTime = "2006-01-02T15:04:05.000Z"

// moment is a time as it is shown; empty when there is none.
func moment(t httpapi.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(shownTime)
}
