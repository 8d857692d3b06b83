package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// someJob is a job of a kind, with an account.
func someJob(kind, state string, delivered, deleted, open int) httpapi.Job {
	j := httpapi.Job{ID: "job_1", Kind: kind, Brand: "acme", State: state, Sent: delivered + open + 2, Delivered: delivered, Dead: 2, Skipped: 1,
		Deleted: deleted, Open: open, Since: at("01:00:00"), Until: at("02:00:00"), StartedAt: at("03:00:00")}
	if deleted > 0 {
		j.Sent, j.Dead, j.Skipped = 0, 0, 0
	}
	if j.Matched = delivered + j.Dead + j.Skipped + deleted + open; state != "running" {
		j.FinishedAt = at("03:01:00")
	}
	return j
}

func jobs(all ...httpapi.Job) httpapi.List[httpapi.Job] {
	return httpapi.List[httpapi.Job]{Items: append([]httpapi.Job{}, all...)}
}

func TestJobList(t *testing.T) {
	t.Parallel()
	one := someJob("recover", "running", 90, 0, 7)
	one.EndpointID = "ep_1"
	list := jobs(one, someJob("brandErase", "done", 0, 30, 0))
	p := playAPI(t, ok(list))
	p.run(t, "job", "list").prints(t, `STARTED                   ID     KIND        BRAND  ENDPOINT  STATE    MATCHED  DELIVERED  DEAD  SKIPPED  DELETED  OPEN
2026-01-02T03:00:00.000Z  job_1  recover     acme   ep_1      running  100      90         2     1        0        7
2026-01-02T03:00:00.000Z  job_1  brandErase  acme   -         done     30       0          0     0        30       0
`)
	p.run(t, "job", "list", "--brand=acme", "--limit=7", "-o=json").prints(t, encodedAs(t, list))
	if diff := cmp.Diff([]string{"GET /v1/jobs?limit=50", "GET /v1/jobs?brand=acme&limit=7"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestJobGetAndCancel(t *testing.T) {
	t.Parallel()
	sending := someJob("recover", "cancelled", 90, 0, 7)
	sending.EndpointID, sending.PerSecond = "ep_1", 2.5
	deleting := someJob("deadLetterDelete", "running", 0, 30, 0)
	for name, tc := range map[string]struct {
		job  httpapi.Job
		want string
	}{
		"sends": {sending, `id:         job_1
kind:       recover
brand:      acme
endpoint:   ep_1
since:      2026-01-02T01:00:00.000Z
until:      2026-01-02T02:00:00.000Z
pace:       2.5 a second
state:      cancelled
started:    2026-01-02T03:00:00.000Z
finished:   2026-01-02T03:01:00.000Z
matched:    100
delivered:  90
dead:       2
skipped:    1
open:       7
`},
		"deletes": {deleting, `id:       job_1
kind:     deadLetterDelete
brand:    acme
since:    2026-01-02T01:00:00.000Z
until:    2026-01-02T02:00:00.000Z
state:    running
started:  2026-01-02T03:00:00.000Z
matched:  30
deleted:  30
`},
	} {
		t.Run(name, func(t *testing.T) {
			p := playAPI(t, ok(tc.job))
			p.run(t, "job", "get", "job_1").prints(t, tc.want)
			p.run(t, "job", "cancel", "job_1").prints(t, tc.want)
			p.run(t, "job", "get", "job_1", "-o=json").prints(t, encodedAs(t, tc.job))
			p.run(t, "job", "cancel", "job_1", "-o=json").prints(t, encodedAs(t, tc.job))
			want := []string{"GET /v1/jobs/job_1", "POST /v1/jobs/job_1/cancel", "GET /v1/jobs/job_1", "POST /v1/jobs/job_1/cancel"}
			if diff := cmp.Diff(want, p.requests()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJobGetFollows(t *testing.T) {
	t.Parallel()
	running, done, cancelled := someJob("recover", "running", 10, 0, 7), someJob("recover", "done", 97, 0, 0), someJob("recover", "cancelled", 10, 0, 7)
	p := playAPI(t, ok(running), ok(running), refused(503, "the store did not answer", "", ""), ok(done))
	p.run(t, "job", "get", "job_1", "--follow", "-o=json").prints(t, encodedAs(t, done))
	if n := len(p.requests()); n != 4 {
		t.Errorf("asked %d times", n)
	}
	checkOutcome(t, playAPI(t, ok(running), ok(cancelled)).run(t, "job", "get", "job_1", "--follow", "-o=json"),
		outcome{exitFailed, encodedAs(t, cancelled), "7 of those sent have no outcome yet: outhook job get job_1\nouthook: job get: job job_1 was cancelled\n"})
	playAPI(t, ok(running), notFound()).run(t, "job", "get", "job_1", "--follow").fails(t, exitFailed,
		"job get: no longer followed, which does not end the job, go on with outhook job get job_1 --follow: job job_1: not found, or not for this key to see")
}

func TestJobHostile(t *testing.T) {
	t.Parallel()
	j := someJob(hostile, hostile, 1, 0, 0)
	j.ID, j.Brand, j.EndpointID = hostile, hostile, hostile
	checkHarmless(t, playAPI(t, ok(jobs(j))).run(t, "job", "list").out, 2)
	checkHarmless(t, playAPI(t, ok(j)).run(t, "job", "get", "job_1").out, 14)
	checkHarmless(t, playAPI(t, ok(j)).run(t, "job", "get", "job_1", "--follow", "-o=json").out, 1)
}

func TestJobUsage(t *testing.T) {
	t.Parallel()
	checkUsage(t, map[string]usageCase{
		"a group alone": {[]string{"job"}, "job: a command is required: cancel, get, list"},
		"no id":         {[]string{"job", "get"}, "job get: ID: is required: see outhook job get --help"},
		"a path":        {[]string{"job", "cancel", "../keys"}, "job cancel: ID: must match [A-Za-z0-9_-]{1,64}"},
		"empty brand":   {[]string{"job", "list", "--brand="}, "job list: --brand: must match [A-Za-z0-9_-]{1,64}"},
		"limit":         {[]string{"job", "list", "--limit=-1"}, "job list: --limit: must be 0 (everything) or more"},
	})
	checkRefused(t, map[string]refusedCase{
		"unknown":       {notFound(), []string{"job", "get", "job_9"}, "job get: job job_9: not found, or not for this key to see"},
		"another brand": {notFound(), []string{"job", "list", "--brand=other"}, "job list: brand other: not found, or not for this key to see"},
	})
}
