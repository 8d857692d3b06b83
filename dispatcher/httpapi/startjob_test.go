package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	resendPath  = "/v1/brands/acme/dead-letters/resend"
	deletePath  = "/v1/brands/acme/dead-letters/delete"
	recoverPath = "/v1/brands/acme/endpoints/ep-1/recover"
	erasePath   = "/v1/brands/acme/erase"
)

// beginning is a way to begin a job, really or as a dry run, and what the
// service is to be asked for.
type beginning struct {
	name  string
	begin func(ctx context.Context, a api, dry bool) (httpapi.Job, error)
	want  webhook.JobSpec
}

func beginnings() []beginning {
	from, to := milliseconds(epoch), milliseconds(epoch.Add(time.Hour))
	span := webhook.Span{Since: from.Time, Until: to.Time}
	meant := func(dry bool) httpapi.DeadLettersRequest {
		return httpapi.DeadLettersRequest{EventIDs: []string{"e-1", "e-2"}, EndpointID: "ep-1", Since: from, Until: to, DryRun: dry}
	}
	return []beginning{
		{"resend all", func(ctx context.Context, a api, dry bool) (httpapi.Job, error) {
			return a.ResendDeadLetters(ctx, "acme", httpapi.ResendDeadLettersRequest{DeadLettersRequest: httpapi.DeadLettersRequest{DryRun: dry}})
		}, webhook.JobSpec{Kind: webhook.JobResend, Brand: "acme"}},
		{"resend some", func(ctx context.Context, a api, dry bool) (httpapi.Job, error) {
			return a.ResendDeadLetters(ctx, "acme", httpapi.ResendDeadLettersRequest{DeadLettersRequest: meant(dry), PerSecond: 0.5})
		}, webhook.JobSpec{Kind: webhook.JobResend, Brand: "acme", EventIDs: []string{"e-1", "e-2"}, EndpointID: "ep-1", Span: span, PerSecond: 0.5}},
		{"delete all", func(ctx context.Context, a api, dry bool) (httpapi.Job, error) {
			return a.DeleteDeadLetters(ctx, "acme", httpapi.DeadLettersRequest{DryRun: dry})
		}, webhook.JobSpec{Kind: webhook.JobDelete, Brand: "acme"}},
		{"delete some", func(ctx context.Context, a api, dry bool) (httpapi.Job, error) {
			return a.DeleteDeadLetters(ctx, "acme", meant(dry))
		}, webhook.JobSpec{Kind: webhook.JobDelete, Brand: "acme", EventIDs: []string{"e-1", "e-2"}, EndpointID: "ep-1", Span: span}},
		{"recover", func(ctx context.Context, a api, dry bool) (httpapi.Job, error) {
			return a.Recover(ctx, "acme", "ep-1", httpapi.RecoverRequest{Since: from, DryRun: dry})
		}, webhook.JobSpec{Kind: webhook.JobRecover, Brand: "acme", EndpointID: "ep-1", Span: webhook.Span{Since: from.Time}}},
		{"recover a span", func(ctx context.Context, a api, dry bool) (httpapi.Job, error) {
			return a.Recover(ctx, "acme", "ep-1", httpapi.RecoverRequest{Since: from, Until: to, DryRun: dry, PerSecond: 2000})
		}, webhook.JobSpec{Kind: webhook.JobRecover, Brand: "acme", EndpointID: "ep-1", Span: span, PerSecond: 2000}},
	}
}

// stageDeadLetters has those of stageMany, and the endpoint ep-1.
func stageDeadLetters(t *testing.T) api {
	t.Helper()
	a := start(t)
	stageMany(a.service)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/", Purpose: "status"})
	return a
}

func TestJobsBegin(t *testing.T) {
	for _, c := range beginnings() {
		t.Run(c.name, func(t *testing.T) {
			a := stageDeadLetters(t)
			got := must[httpapi.Job](t)(c.begin(t.Context(), a, false))
			if diff := cmp.Diff(begun(c.want), a.service.lastAsked()); diff != "" {
				t.Error(diff)
			}
			want := httpapi.Job{
				ID: got.ID, Kind: string(c.want.Kind), Brand: "acme", EndpointID: c.want.EndpointID, State: "running",
				PerSecond: c.want.PerSecond, Since: httpapi.Time{Time: c.want.Since}, Until: got.Until, StartedAt: milliseconds(epoch),
			}
			if diff := cmp.Diff(want, got); diff != "" || got.ID == "" || got.Until.IsZero() {
				t.Errorf("%+v: %s", got, diff)
			}
			if again := must[httpapi.Job](t)(a.Job(t.Context(), got.ID)); again != got {
				t.Errorf("then it is %+v", again)
			}
		})
	}
}

func TestDryRunsBeginNothing(t *testing.T) {
	matched := map[string]int{"resend all": 7, "resend some": 1, "delete all": 7, "delete some": 1, "recover": 3, "recover a span": 3}
	for _, c := range beginnings() {
		t.Run(c.name, func(t *testing.T) {
			a := stageDeadLetters(t)
			got := must[httpapi.Job](t)(c.begin(t.Context(), a, true))
			if diff := cmp.Diff(counted(c.want), a.service.lastAsked()); diff != "" {
				t.Error(diff)
			}
			if want := (httpapi.Job{Matched: matched[c.name]}); got != want || len(a.service.jobs) != 0 {
				t.Errorf("%+v, want %d matched; jobs %v", got, want.Matched, a.service.jobs)
			}
		})
	}
}

func TestAnswersOfBeginnings(t *testing.T) {
	a := stageDeadLetters(t)
	const job = `{"id":"job_00000000000000000000000000000001","kind":"deadLetterResend","brand":"acme","state":"running",` +
		`"matched":0,"sent":0,"delivered":0,"dead":0,"skipped":0,"deleted":0,"open":0,"until":"2025-01-31T12:00:00.123Z","startedAt":"2025-01-31T12:00:00.123Z"}`
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{resendPath, ``, 202, job},
		{resendPath, `{}`, 202, strings.Replace(job, "1\"", "2\"", 1)},
		{resendPath, `{"dryRun":false}`, 202, strings.Replace(job, "1\"", "3\"", 1)},
		{resendPath, `{"dryRun":true}`, 200, `{"matched":7}`},
		{deletePath, `{"dryRun":true,"endpointId":"ep-1"}`, 200, `{"matched":3}`},
		{recoverPath, `{"dryRun":true,"since":"2025-01-31T13:02:00+01:00"}`, 200, `{"matched":2}`},
	} {
		if got := a.send(t, "POST", c.path, c.body); got.status != c.status || got.body != c.want+"\n" {
			t.Errorf("%s %s: %d %s", c.path, c.body, got.status, got.body)
		}
	}
}

var badJobs = []struct {
	name, path, body string
	status           int
	location, rule   string
}{
	{"no ids", resendPath, `{"eventIds":[]}`, 422, "body.eventIds", "must not be empty: leave it out for all"},
	{"ids of null", deletePath, `{"eventIds":null}`, 422, "body.eventIds", "must not be null: leave it out"},
	{"ids that are text", resendPath, `{"eventIds":"e-1"}`, 422, "body.eventIds", "must be an array of strings"},
	{"an id of null", deletePath, `{"eventIds":["e-1",null]}`, 422, "body.eventIds", "must match"},
	{"an id with a dot", deletePath, `{"eventIds":["e.1"]}`, 422, "body.eventIds", "must match"},
	{"too many ids", deletePath, `{"eventIds":["e"` + strings.Repeat(`,"e"`, webhook.MaxJobEvents) + `]}`, 422, "body.eventIds", "at most 500"},
	{"empty endpoint", deletePath, `{"endpointId":""}`, 422, "body.endpointId", "must not be empty: leave it out for all"},
	{"endpoint of null", deletePath, `{"endpointId":null}`, 422, "body.endpointId", "must not be null"},
	{"endpoint with a dot", deletePath, `{"endpointId":"a.b"}`, 422, "body.endpointId", "must match"},
	{"endpoint that is none", resendPath, `{"endpointId":"ep-0"}`, 404, "", ""},
	{"endpoint that is none, counted", resendPath, `{"endpointId":"ep-0","dryRun":true}`, 404, "", ""},
	{"no time", deletePath, `{"since":"yesterday"}`, 422, "body.since", "RFC 3339"},
	{"zero time", deletePath, `{"until":"0001-01-01T00:00:00Z"}`, 422, "body.until", "must not be the zero time"},
	{"zero time elsewhere", deletePath, `{"until":"0001-01-01T01:00:00+01:00"}`, 422, "body.until", "must not be the zero time"},
	{"time of null", deletePath, `{"since":null}`, 422, "body.since", "must not be null"},
	{"backwards", resendPath, `{"since":"2025-01-31T12:00:00Z","until":"2025-01-31T12:00:00Z"}`, 422, "body.until", "must be after since"},
	{"backwards, counted", resendPath, `{"dryRun":true,"since":"2025-01-31T12:00:00Z","until":"2025-01-31T12:00:00Z"}`, 422, "body.until", "must be after since"},
	{"dry run of null", deletePath, `{"dryRun":null}`, 422, "body.dryRun", "must not be null"},
	{"dry run in words", deletePath, `{"dryRun":"true"}`, 422, "body.dryRun", "true or false"},
	{"dry run in another case", deletePath, `{"dryrun":true}`, 422, "body.dryrun", "is not a field"},
	{"dry run twice", deletePath, `{"dryRun":true,"dryRun":false}`, 422, "body.dryRun", "given twice"},
	{"pace of a delete", deletePath, `{"perSecond":5}`, 422, "body.perSecond", "is not a field"},
	{"pace of 0", resendPath, `{"perSecond":0}`, 422, "body.perSecond", "must be positive"},
	{"pace of null", resendPath, `{"perSecond":null}`, 422, "body.perSecond", "must not be null"},
	{"pace in words", resendPath, `{"perSecond":"5"}`, 422, "body.perSecond", "must be a number"},
	{"pace beyond numbers", resendPath, `{"perSecond":1e400}`, 422, "body.perSecond", "must be a number"},
	{"too fast", resendPath, `{"perSecond":10001}`, 422, "body.perSecond", "0.001 to 10000"},
	{"kind", resendPath, `{"kind":"brandErase"}`, 422, "body.kind", "is not a field"},
	{"brand", deletePath, `{"brand":"other"}`, 422, "body.brand", "is not a field"},
	{"array", deletePath, `[]`, 422, "body", "must be an object"},
	{"null", deletePath, `null`, 422, "body", "must be an object"},
	{"no JSON", deletePath, `{"dryRun"}`, 400, "body", "malformed JSON"},
	{"too large", deletePath, `{"eventIds":["` + strings.Repeat("x", 256<<10) + `"]}`, 413, "", ""},

	{"no body of a recover", recoverPath, ``, 400, "body", "a body is required"},
	{"no beginning", recoverPath, `{}`, 422, "body.since", "is required"},
	{"no beginning, counted", recoverPath, `{"dryRun":true}`, 422, "body.since", "is required"},
	{"beginning of null", recoverPath, `{"since":null}`, 422, "body.since", "must not be null"},
	{"beginning at zero", recoverPath, `{"since":"0001-01-01T00:00:00Z"}`, 422, "body.since", "must not be the zero time"},
	{"events of a recover", recoverPath, `{"since":"2025-01-31T12:00:00Z","eventIds":["e-1"]}`, 422, "body.eventIds", "is not a field"},
	{"endpoint of a recover", recoverPath, `{"since":"2025-01-31T12:00:00Z","endpointId":"ep-2"}`, 422, "body.endpointId", "is not a field"},
	{"recover of none", endpointPath + "/ep-0/recover", `{"since":"2025-01-31T12:00:00Z"}`, 404, "", ""},
	{"recover of what cannot be", endpointPath + "/a.b/recover", `{"since":"2025-01-31T12:00:00Z"}`, 404, "", ""},

	{"dry run of an erase", erasePath, `{"dryRun":true}`, 422, "body.dryRun", "is not a field"},
	{"no JSON in an erase", erasePath, `{`, 400, "body", "malformed JSON"},
}

func TestBadJobs(t *testing.T) {
	a := stageDeadLetters(t)
	for _, c := range badJobs {
		t.Run(c.name, func(t *testing.T) {
			checkProblem(t, a.send(t, "POST", c.path, c.body), c.status, c.location, c.rule)
			if len(a.service.jobs) != 0 {
				t.Errorf("begun: %+v", a.service.jobs)
				a.service.jobs = nil
			}
		})
	}
}

func TestAClientWithoutABeginningIsTold(t *testing.T) {
	a := stageDeadLetters(t)
	_, err := a.Recover(t.Context(), "acme", "ep-1", httpapi.RecoverRequest{})
	wantIs(t, err, webhook.ErrInvalid)
	if err == nil || !strings.Contains(err.Error(), "body.since: is required") {
		t.Errorf("it says %v", err)
	}
}

// A count that takes too long asks to wait, and says what for.
func TestACountThatTakesTooLong(t *testing.T) {
	a := stageDeadLetters(t)
	a.service.err = webhook.ErrBusy
	got := a.send(t, "POST", resendPath, `{"dryRun":true}`)
	if checkProblem(t, got, http.StatusTooManyRequests, "", ""); got.header.Get("Retry-After") == "" {
		t.Errorf("headers %v", got.header)
	}
}
