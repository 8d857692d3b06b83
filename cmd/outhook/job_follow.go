package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// follower looks at a job again and again until it has ended.
type follower struct {
	ask  func(context.Context) (httpapi.Job, error)
	seen func(httpapi.Job)
	// first and longest are the pauses between two looks, which grow.
	first, longest time.Duration
	// settle is how long a job that is done is looked at on while something is open.
	settle time.Duration
	// lost is how long there may be no answer.
	lost time.Duration
}

// errStoppedFollowing says that whoever looked on does not want to any more.
var errStoppedFollowing = errors.New("stopped following")

// follow answers the job as it was seen last. Errors: errStoppedFollowing, and those of ask that do not pass.
func (f follower) follow(ctx context.Context, j httpapi.Job) (httpapi.Job, error) {
	wait, answered := f.first, time.Now()
	var done time.Time
	for {
		f.seen(j)
		if j.State != string(webhook.JobRunning) && done.IsZero() {
			done, wait = time.Now(), f.first
		}
		if j.State == string(webhook.JobCancelled) || !done.IsZero() && (j.Open == 0 || time.Since(done) >= f.settle) {
			return j, nil
		}
		if !pause(ctx, wait) {
			return j, errStoppedFollowing
		}
		wait = min(wait*3/2, f.longest)
		now, err := f.ask(ctx)
		switch {
		case err == nil:
			j, answered = now, time.Now()
		case ctx.Err() != nil:
			return j, errStoppedFollowing
		case !errors.Is(err, webhook.ErrUnavailable) && !errors.Is(err, webhook.ErrBusy) || time.Since(answered) >= f.lost:
			return j, err
		}
	}
}

// followJob shows on a terminal how far a job is until it has ended, and answers it. Every error says how to go on.
func followJob(ctx context.Context, client *httpapi.Client, api *apiFlags, s display, j httpapi.Job) (httpapi.Job, error) {
	bar := newJobProgress(s.errOut)
	f := follower{
		ask:  func(ctx context.Context) (httpapi.Job, error) { return client.Job(ctx, j.ID) },
		seen: bar.show, first: 50 * time.Millisecond, longest: time.Second, settle: 3 * time.Second, lost: 30 * time.Second,
	}
	last, err := f.follow(ctx, j)
	bar.clear()
	goOn := "outhook job get " + j.ID + " --follow"
	switch {
	case errors.Is(err, errStoppedFollowing):
		return last, fmt.Errorf("interrupted, the job goes on: %s", goOn)
	case err != nil:
		return last, fmt.Errorf("no longer followed, which does not end the job, go on with %s: %w", goOn, api.refusal(err, "job "+j.ID, givenAs{}))
	}
	if last.Open > 0 {
		s.note("%d of those sent have no outcome yet: outhook job get %s", last.Open, j.ID)
	}
	return last, nil
}

// notCancelled is nil for a job that did all it was to do.
func notCancelled(j httpapi.Job) error {
	if j.State == string(webhook.JobCancelled) {
		return fmt.Errorf("job %s was cancelled", j.ID)
	}
	return nil
}

// jobProgress shows how far a job is, on a terminal only. How much there will be, nobody knows before it is done.
type jobProgress struct {
	bar *progressbar.ProgressBar // nil is none
}

func newJobProgress(out io.Writer) *jobProgress {
	if !isTerminal(out) {
		return &jobProgress{}
	}
	return &jobProgress{bar: progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(out), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())}
}

func (p *jobProgress) show(j httpapi.Job) {
	if p.bar != nil {
		p.bar.Describe(progressText(j))
		_ = p.bar.Set(j.Matched - j.Open)
	}
}

// progressText fits into 80 columns beside the time, unless there is very much of everything.
func progressText(j httpapi.Job) string {
	text := fmt.Sprintf("matched %d", j.Matched)
	for _, e := range account(j)[1:] {
		if e.n > 0 {
			text += fmt.Sprintf(", %s %d", e.name, e.n)
		}
	}
	return text
}

// clear makes room for a line.
func (p *jobProgress) clear() {
	if p.bar != nil {
		_ = p.bar.Finish()
		_ = p.bar.Clear()
	}
}
