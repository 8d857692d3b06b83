package main

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

const (
	resendJob  = "POST /v1/brands/acme/dead-letters/resend "
	deleteJob  = "POST /v1/brands/acme/dead-letters/delete "
	recoverJob = "POST /v1/brands/acme/endpoints/ep_1/recover "
)

func begun(kind string) apiAnswer {
	return apiAnswer{http.StatusAccepted, someJob(kind, "running", 0, 0, 0)}
}

// What is asked of the API for the flags that were given.
func TestJobCommandsAsk(t *testing.T) {
	t.Parallel()
	const since, until = "--since=2026-03-01T10:00:00+01:00", "--until=2026-03-02T00:00:00.5Z"
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"resend events":  {[]string{"dead-letter", "resend", "e1", "e2"}, resendJob + `{"eventIds":["e1","e2"]}`},
		"resend a span":  {[]string{"dead-letter", "resend", since, until, "--per-second=2.5"}, resendJob + `{"since":"2026-03-01T09:00:00.000Z","until":"2026-03-02T00:00:00.500Z","perSecond":2.5}`},
		"resend both":    {[]string{"dead-letter", "resend", "e1", "--endpoint=ep_1"}, resendJob + `{"eventIds":["e1"],"endpointId":"ep_1"}`},
		"resend all":     {[]string{"dead-letter", "resend", "--all"}, resendJob + `{}`},
		"delete one's":   {[]string{"dead-letter", "delete", "--endpoint=ep_1"}, deleteJob + `{"endpointId":"ep_1"}`},
		"delete all":     {[]string{"dead-letter", "delete", "--all"}, deleteJob + `{}`},
		"recover":        {[]string{"recover", "--endpoint=ep_1", since}, recoverJob + `{"since":"2026-03-01T09:00:00.000Z"}`},
		"recover a span": {[]string{"recover", "--endpoint=ep_1", since, until, "--per-second=200"}, recoverJob + `{"since":"2026-03-01T09:00:00.000Z","until":"2026-03-02T00:00:00.500Z","perSecond":200}`},
	} {
		t.Run(name, func(t *testing.T) {
			kind := "recover"
			p := playAPI(t, begun(kind))
			p.run(t, append(tc.args, "--brand=acme", "--detach")...).prints(t, "ID     KIND     BRAND  ENDPOINT  STATE\njob_1  recover  acme   -         running\n")
			p.run(t, append(tc.args, "--brand=acme", "--detach", "-o=json")...).prints(t, encodedAs(t, begun(kind).body))
			if diff := cmp.Diff([]string{tc.want, tc.want}, p.requests()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// A dry run tells a number, and begins nothing.
func TestJobCommandsCount(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		resendJob + `{"eventIds":["e1"],"dryRun":true}`:                   {"dead-letter", "resend", "e1"},
		deleteJob + `{"dryRun":true}`:                                     {"dead-letter", "delete", "--all"},
		recoverJob + `{"since":"2026-03-01T09:00:00.000Z","dryRun":true}`: {"recover", "--endpoint=ep_1", "--since=2026-03-01T09:00:00Z"},
	} {
		p := playAPI(t, ok(httpapi.Matched{Matched: 1200}))
		p.run(t, append(args, "--brand=acme", "--dry-run")...).prints(t, "matched:  1200\n")
		p.run(t, append(args, "--brand=acme", "--dry-run", "-o=json")...).prints(t, `{"matched":1200}`+"\n")
		if diff := cmp.Diff([]string{want, want}, p.requests()); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	}
}

// A job is followed to its end, and accounted for.
func TestJobCommandsFollow(t *testing.T) {
	t.Parallel()
	running, done := ok(someJob("recover", "running", 90, 0, 7)), someJob("recover", "done", 97, 0, 0)
	resend := []string{"dead-letter", "resend", "--brand=acme", "--all"}
	const table = "ID     KIND              BRAND  ENDPOINT  STATE\njob_1  deadLetterResend  acme   -         running\n"
	p := playAPI(t, begun("deadLetterResend"), running, running, ok(done))
	p.run(t, resend...).prints(t, table+"matched: 100, delivered: 97, dead: 2, skipped: 1, open: 0\n")
	if diff := cmp.Diff([]string{resendJob + "{}", "GET /v1/jobs/job_1", "GET /v1/jobs/job_1", "GET /v1/jobs/job_1"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	playAPI(t, begun("deadLetterResend"), running, ok(done)).run(t, append(resend, "-o=json")...).prints(t, encodedAs(t, done))
	playAPI(t, begun("deadLetterDelete"), ok(someJob("deadLetterDelete", "done", 0, 30, 0))).run(t, "dead-letter", "delete", "--brand=acme", "--all").
		prints(t, strings.NewReplacer("Resend", "Delete").Replace(table)+"matched: 30, deleted: 30\n")

	got := playAPI(t, begun("deadLetterResend"), running, ok(someJob("deadLetterResend", "cancelled", 90, 0, 0))).run(t, resend...)
	checkOutcome(t, got, outcome{exitFailed, table + "matched: 93, delivered: 90, dead: 2, skipped: 1, open: 0\n",
		"outhook: dead-letter resend: job job_1 was cancelled\n"})
}

func TestJobCommandsRefused(t *testing.T) {
	t.Parallel()
	all := []string{"--brand=acme", "--all"}
	checkRefused(t, map[string]refusedCase{
		"unknown endpoint": {notFound(), append([]string{"recover", "--endpoint=ep_9", "--since=1h"}, all[0]), "recover: endpoint ep_9 of brand acme: not found, or not for this key to see"},
		"in the future":    {refused(422, "no", "body.since", "must be in the past"), append([]string{"recover", "--endpoint=ep_9", "--since=1h"}, all[0]), "recover: --since: must be in the past"},
		"an event":         {refused(422, "no", "body.eventIds[1]", "must be another"), append([]string{"dead-letter", "resend", "e1", "e2"}, all[0]), "dead-letter resend: EVENT[1]: must be another"},
		"too long a count": {refused(429, "counting takes longer than 45s: try again later", "", ""), append([]string{"dead-letter", "delete", "--dry-run"}, all...), "dead-letter delete: counting takes longer than 45s: try again later"},
		"no store":         {refused(503, "the store did not answer", "", ""), append([]string{"dead-letter", "delete"}, all...), "dead-letter delete: the store did not answer"},
	})
	got := command(t, []string{"OUTHOOK_SERVER=http://127.0.0.1:1", "OUTHOOK_KEY=" + testKey}, append([]string{"dead-letter", "resend"}, all...)...)
	if want := regexp.MustCompile(`^outhook: dead-letter resend: http://127.0.0.1:1 gave no answer: .*; the job may have begun: see outhook job list --brand acme\n$`); !want.MatchString(got.errOut) || got.code != exitFailed {
		t.Errorf("%+v", got)
	}
	got = command(t, []string{"OUTHOOK_SERVER=http://127.0.0.1:1", "OUTHOOK_KEY=" + testKey}, append([]string{"dead-letter", "resend", "--dry-run"}, all...)...)
	if want := regexp.MustCompile(`^outhook: dead-letter resend: http://127.0.0.1:1 gave no answer: [^;]*\n$`); !want.MatchString(got.errOut) || got.code != exitFailed {
		t.Errorf("%+v", got)
	}
}

// Nothing is meant of all by a slip: not by an empty variable, nor by a filter that was forgotten.
func TestJobCommandsUsage(t *testing.T) {
	t.Parallel()
	many := []string{"dead-letter", "delete", "--brand=acme"}
	for i := range 501 {
		many = append(many, fmt.Sprintf("e%d", i))
	}
	which := "which ones? give EVENTs, --endpoint, --since or --until, or --all for all of the brand"
	checkUsage(t, map[string]usageCase{
		"delete nothing":   {[]string{"dead-letter", "delete", "--brand=acme"}, "dead-letter delete: " + which},
		"resend nothing":   {[]string{"dead-letter", "resend", "--brand=acme", "--per-second=5"}, "dead-letter resend: " + which},
		"count nothing":    {[]string{"dead-letter", "resend", "--brand=acme", "--dry-run"}, "dead-letter resend: " + which},
		"no all":           {[]string{"dead-letter", "delete", "--brand=acme", "--all=false"}, "dead-letter delete: " + which},
		"all and some":     {[]string{"dead-letter", "delete", "--brand=acme", "--all", "e1"}, "dead-letter delete: --all: is for all of the brand: leave it out, or what says which"},
		"all and a filter": {[]string{"dead-letter", "delete", "--brand=acme", "--all", "--until=7d"}, "dead-letter delete: --all: is for all of the brand: leave it out, or what says which"},
		"empty event":      {[]string{"dead-letter", "delete", "--brand=acme", ""}, "dead-letter delete: EVENT: must match [A-Za-z0-9_-]{1,64}"},
		"empty endpoint":   {[]string{"dead-letter", "delete", "--brand=acme", "--endpoint="}, "dead-letter delete: --endpoint: must match [A-Za-z0-9_-]{1,64}"},
		"empty since":      {[]string{"dead-letter", "delete", "--brand=acme", "--since="}, "dead-letter delete: --since: must be a time such as 2026-01-02T15:04:05Z, or how long ago, such as 2h or 3d"},
		"too many events":  {many, "dead-letter delete: EVENT: must be at most 500; give --endpoint, --since or --until"},
		"pace of a delete": {[]string{"dead-letter", "delete", "--brand=acme", "--all", "--per-second=1"}, "dead-letter delete: unknown flag: --per-second: see outhook dead-letter delete --help"},
		"pace of 0":        {[]string{"dead-letter", "resend", "--brand=acme", "--all", "--per-second=0"}, "dead-letter resend: --per-second: must be 0.001 to 10000, or left out"},
		"pace of NaN":      {[]string{"recover", "--brand=acme", "--endpoint=e", "--since=1h", "--per-second", fmt.Sprint(math.NaN())}, "recover: --per-second: must be 0.001 to 10000, or left out"},
		"recover whom":     {[]string{"recover", "--brand=acme", "--since=1h"}, "recover: --endpoint: is required"},
		"recover when":     {[]string{"recover", "--brand=acme", "--endpoint=e"}, "recover: --since: is required"},
		"recover nobody":   {[]string{"recover", "--brand=acme", "--endpoint=", "--since=1h"}, "recover: --endpoint: must match [A-Za-z0-9_-]{1,64}"},
		"recover backward": {[]string{"recover", "--brand=acme", "--endpoint=e", "--since=1h", "--until=2h"}, "recover: --since: must be before --until"},
		"recover what":     {[]string{"recover", "e1", "--brand=acme", "--endpoint=e", "--since=1h"}, `recover: unexpected argument "e1": see outhook recover --help`},
	})
}
