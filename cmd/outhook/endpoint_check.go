package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func newEndpointCheckCommand(env []string) *cobra.Command {
	f := newBrandFlags(env)
	cmd := &cobra.Command{
		Use:   "check URL --brand B",
		Short: "Look whether a URL can be reached, without an event",
		Long: `Looks at a URL from where deliveries start, phase by phase: whether it is allowed, its
name, the connection, TLS, and one HEAD request. Any HTTP answer counts as reachable.
The exit code is 1 unless it is.`,
		Example: "  outhook endpoint check https://example.com/webhooks --brand acme",
		Args:    oneArg("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			found, err := client.CheckURL(cmd.Context(), f.brand, args[0])
			if err != nil {
				return f.api.refusal(err, "brand "+f.brand, givenAs{"brand": "--brand", "url": "URL"})
			}
			if err := f.screen(cmd).show(found, func() *table { return checkTable(found) }); err != nil {
				return err
			}
			return unreached(found)
		},
	}
	f.register(cmd)
	return cmd
}

// checkTable has a line for each phase. What happened does not depend on colours.
func checkTable(c httpapi.Check) *table {
	t := &table{}
	t.add(plain(c.URL))
	for _, p := range c.Phases {
		row := []words{
			{phaseMark(p.Result), stateColour(p.Result)}, plain(p.Name), plain(fmt.Sprintf("%6s", milliseconds(p.DurationMs))),
		}
		if p.Detail != "" {
			row = append(row, plain(p.Detail))
		}
		t.add(row...)
	}
	if !c.CertificateEndsAt.IsZero() {
		t.add(plain("certificate until " + moment(c.CertificateEndsAt)))
	}
	if c.Reachable {
		text := "reachable"
		if c.Status != nil {
			text += ", answered " + strconv.Itoa(*c.Status)
		}
		t.add(words{text, green})
	} else {
		t.add(words{"not reachable", red})
	}
	return t
}

func phaseMark(result string) string {
	switch webhook.PhaseResult(result) {
	case webhook.PhaseOK:
		return "✓"
	case webhook.PhaseFailed:
		return "✗"
	}
	return "–"
}

// unreached is nil for what can be reached, else it names the phase that failed.
func unreached(c httpapi.Check) error {
	if c.Reachable {
		return nil
	}
	for _, p := range c.Phases {
		if p.Result == string(webhook.PhaseFailed) {
			return fmt.Errorf("%s is not reachable: %s: %s", c.URL, p.Name, p.Detail)
		}
	}
	return fmt.Errorf("%s is not reachable", c.URL)
}
