package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// startFlags are those of every command that begins a job.
type startFlags struct {
	dryRun, detach bool
	perSecond      float64
}

func (f *startFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only count what matches now: nothing is done, and there is no job")
	f.registerDetach(cmd)
}

func (f *startFlags) registerDetach(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.detach, "detach", false, "print the job that was begun, and do not follow it")
}

func (f *startFlags) registerPace(cmd *cobra.Command) {
	cmd.Flags().Float64Var(&f.perSecond, "per-second", 0, "how many are sent a second, 0.001 to 10000; without it as many as endpoints take beside what comes in")
}

// check takes a pace of 0 for a mistake: it is what a variable without a value may have become.
func (f *startFlags) check(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("per-second") {
		return nil
	}
	if n := f.perSecond; math.IsNaN(n) || n < 0.001 || n > webhook.MaxJobPace {
		return usage("--per-second: must be 0.001 to %d, or left out", webhook.MaxJobPace)
	}
	return nil
}

// starting is a job that is to be begun, or counted.
type starting struct {
	api    *apiFlags
	screen display
	client *httpapi.Client
	brand  string
	// thing names in an error what it is about.
	thing string
	begin func(context.Context) (httpapi.Job, error)
}

// run begins the job and tells of it as the flags say.
func (f *startFlags) run(ctx context.Context, what starting) error {
	j, err := what.begin(ctx)
	switch {
	case err != nil && f.dryRun: // whatever was answered, there is no job
		return what.api.refusal(err, what.thing, jobFields())
	case err != nil:
		return what.refusal(ctx, err)
	}
	s := what.screen
	switch {
	case f.dryRun:
		return s.show(httpapi.Matched{Matched: j.Matched}, func() *table { return matchedCard(j.Matched) })
	case f.detach:
		return s.show(j, func() *table { return begunTable(j) })
	case s.form == formTable:
		if err := begunTable(j).write(s.out, s.palette); err != nil {
			return err
		}
	}
	j, err = followJob(ctx, what.client, what.api, s, j)
	if err != nil {
		return err
	}
	if s.form == formJSON {
		err = writeJSON(s.out, j)
	} else {
		_, err = fmt.Fprintln(s.out, accountLine(j))
	}
	if err != nil {
		return err
	}
	return notCancelled(j)
}

// refusal also says what is known of a job whose begin was not answered.
func (w starting) refusal(ctx context.Context, err error) error {
	if _, answered := errors.AsType[*httpapi.Problem](err); answered || !errors.Is(err, webhook.ErrUnavailable) {
		return w.api.refusal(err, w.thing, jobFields())
	}
	look := "see outhook job list --brand " + w.brand
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted, the job may have begun: %s", look)
	}
	return fmt.Errorf("%w; the job may have begun: %s", w.api.explain(err), look)
}

// jobFields are the fields of what asks for a job as they are given on the command line.
func jobFields() givenAs {
	return givenAs{"brand": "--brand", "id": "--endpoint", "endpointId": "--endpoint", "eventIds": "EVENT",
		"since": "--since", "until": "--until", "perSecond": "--per-second"}
}

func matchedCard(matched int) *table {
	t := newCard()
	t.line("matched", count(matched))
	return t
}
