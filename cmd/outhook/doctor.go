package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// doctorFlags are what doctor is asked to do.
type doctorFlags struct {
	env  []string
	file string
	form outputForm
}

func newDoctorCommand(env []string) *cobra.Command {
	f := doctorFlags{env: env, form: formTable}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at everything that deliveries depend on",
		Long: `Looks at Redis and at what stands there, and prints a line for each thing: ok, warn or
bad, what was found, and what to do. It changes nothing, and needs no API: it works on
Redis itself, with the configuration of serve, the same file, environment and flags, of
which it needs secrets.keys and redis.url.

Redis: version, persistence, eviction, memory against the watermarks, replicas, clock.
Work: workers, queues against queue.shards, the reconciler, open deliveries whose task
is lost, the oldest that may run, the oldest that is open. Receivers: failing endpoints,
and the certificates of their hosts, each asked for with a HEAD. Keys: those that stored
secrets are encrypted with, and an admin's.

It takes some seconds. Of much it looks at a part, and says so. The exit code is 1 when
a line is bad, or Redis does not answer.`,
		Example: `  outhook doctor --config /etc/outhook/outhook.yaml
  outhook doctor -o json | jq '.findings[] | select(.verdict != "ok")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	configFlags(cmd, &f.file)
	outputFlag(cmd, &f.form)
	return cmd
}

func (f *doctorFlags) run(cmd *cobra.Command) error {
	c, err := loadConfig(cmd, f.file, f.env)
	if err != nil {
		return err
	}
	if err := c.CheckServe(); err != nil {
		return usageError{err}
	}
	road, end, err := openRoad(c)
	if err != nil {
		return located(sourcesOf(cmd, f.file, f.env), c, err)
	}
	defer end()
	findings := road.Doctor(cmd.Context())
	answer := diagnosisOf(findings)
	shown := newDisplay(cmd, f.env, f.form).show(answer, func() *table { return diagnosisTable(answer) })
	switch {
	case cmd.Context().Err() != nil:
		return errors.Join(errInterrupted, shown)
	case shown != nil:
		return shown
	case answer.Bad > 0:
		return fmt.Errorf("bad lines: %d of %d", answer.Bad, len(findings))
	}
	return nil
}

// diagnosis is what the doctor found.
type diagnosis struct {
	Verdict  string    `json:"verdict"`
	Bad      int       `json:"bad"`
	Warn     int       `json:"warn"`
	Findings []finding `json:"findings"`
}

type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Text    string `json:"text"`
	Advice  string `json:"advice,omitempty"`
}

func diagnosisOf(found []webhook.Finding) diagnosis {
	d := diagnosis{
		Verdict: string(webhook.ConditionOK), Findings: make([]finding, len(found)),
		Bad: webhook.ConditionBad.Count(found), Warn: webhook.ConditionWarn.Count(found),
	}
	switch {
	case d.Bad > 0:
		d.Verdict = string(webhook.ConditionBad)
	case d.Warn > 0:
		d.Verdict = string(webhook.ConditionWarn)
	}
	for i, f := range found {
		d.Findings[i] = finding{f.Check, string(f.Verdict), f.Text, f.Advice}
	}
	return d
}

// diagnosisTable has a line for each finding, and below it what to do.
func diagnosisTable(d diagnosis) *table {
	t := newCard()
	for _, f := range d.Findings {
		t.add(words{f.Verdict, stateColour(f.Verdict)}, plain(f.Check), plain(f.Text))
		if f.Advice != "" {
			t.rows = append(t.rows, []words{plain(""), plain(""), plain("→ " + oneLine(f.Advice))})
		}
	}
	return t
}
