package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// followed is a follower of a job that becomes what the list has, the last for ever.
func followed(answers ...any) (follower, *[]httpapi.Job) {
	var seen []httpapi.Job
	f := follower{
		seen: func(j httpapi.Job) { seen = append(seen, j) }, first: time.Second, longest: 10 * time.Second, settle: time.Minute, lost: time.Minute,
		ask: func(ctx context.Context) (httpapi.Job, error) {
			next := answers[0]
			if len(answers) > 1 {
				answers = answers[1:]
			}
			if err, failed := next.(error); failed {
				return httpapi.Job{}, err
			}
			return next.(httpapi.Job), ctx.Err()
		},
	}
	return f, &seen
}

func TestFollow(t *testing.T) {
	running, open, done := someJob("recover", "running", 1, 0, 7), someJob("recover", "done", 1, 0, 7), someJob("recover", "done", 8, 0, 0)
	away := fmt.Errorf("%w: refused", webhook.ErrUnavailable)
	for name, tc := range map[string]struct {
		answers []any
		want    httpapi.Job
		failed  error
		// least and most bound how long it takes.
		least, most time.Duration
	}{
		"done":            {[]any{running, running, done}, done, nil, time.Second, 10 * time.Second},
		"settles":         {[]any{open, open, done}, done, nil, time.Second, 10 * time.Second},
		"stays open":      {[]any{open}, open, nil, time.Minute, 75 * time.Second},
		"cancelled":       {[]any{someJob("recover", "cancelled", 1, 0, 7)}, someJob("recover", "cancelled", 1, 0, 7), nil, 0, 2 * time.Second},
		"away, and back":  {[]any{away, fmt.Errorf("%w: slowly", webhook.ErrBusy), away, done}, done, nil, time.Second, 30 * time.Second},
		"away for good":   {[]any{running, away}, running, webhook.ErrUnavailable, time.Minute, 80 * time.Second},
		"no longer there": {[]any{webhook.ErrNotFound, done}, running, webhook.ErrNotFound, 0, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, seen := followed(tc.answers...)
				began := time.Now()
				got, err := f.follow(t.Context(), running)
				if got != tc.want || !errors.Is(err, tc.failed) {
					t.Errorf("%+v, %v", got, err)
				}
				if took := time.Since(began); took < tc.least || took > tc.most {
					t.Errorf("took %s", took)
				}
				if (*seen)[0] != running || (*seen)[len(*seen)-1] != tc.want {
					t.Errorf("seen %+v", *seen)
				}
			})
		})
	}
}

func TestFollowStops(t *testing.T) {
	running := someJob("recover", "running", 1, 0, 7)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		f, _ := followed(running)
		if got, err := f.follow(ctx, running); got != running || !errors.Is(err, errStoppedFollowing) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Ctrl-C ends the command and not the job, and the way to go on is said.
func TestFollowInterrupted(t *testing.T) {
	t.Parallel()
	p := playAPI(t, ok(someJob("recover", "running", 1, 0, 7)))
	ctx, cancel := context.WithCancel(t.Context())
	var out, errOut strings.Builder
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"recover", "--brand=acme", "--endpoint=ep_1", "--since=1h"}, p.env, strings.NewReader(""), &out, &errOut)
	}()
	dispatchertest.Eventually(t, func() bool { return len(p.requests()) >= 3 })
	cancel()
	if got := <-code; got != exitFailed || errOut.String() != "outhook: recover: interrupted, the job goes on: outhook job get job_1 --follow\n" {
		t.Errorf("exit code %d: %s", got, errOut.String())
	}
	if strings.Contains(strings.Join(p.requests(), "\n"), "cancel") {
		t.Errorf("asked %q", p.requests())
	}
}

func TestProgressText(t *testing.T) {
	for want, j := range map[string]httpapi.Job{
		"matched 100, delivered 90, dead 2, skipped 1, open 7": someJob("recover", "running", 90, 0, 7),
		"matched 30, deleted 30":                               someJob("deadLetterDelete", "running", 0, 30, 0),
		"matched 0":                                            {Kind: "recover"},
	} {
		if got := progressText(j); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
