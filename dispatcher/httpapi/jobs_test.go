package httpapi_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// as returns a client with the key of a brand.
func (a api) as(t *testing.T, brand string) *httpapi.Client {
	t.Helper()
	return must[*httpapi.Client](t)(httpapi.NewClient(a.url, "brand-"+brand, a.http))
}

// stageJobs has acme-0 to acme-2 and other-0 to other-2, a minute apart, and
// acme-e, which erases acme.
func stageJobs(f *fakeService) {
	for i := range 3 {
		for _, brand := range []string{"acme", "other"} {
			f.jobs = append(f.jobs, webhook.Job{
				ID: fmt.Sprintf("%s-%d", brand, i), JobSpec: webhook.JobSpec{Kind: webhook.JobRecover, Brand: brand, EndpointID: "ep-1"},
				State: webhook.JobRunning, StartedAt: epoch.Add(time.Duration(i) * time.Minute),
			})
		}
	}
	f.jobs = append(f.jobs, webhook.Job{
		ID: "acme-e", JobSpec: webhook.JobSpec{Kind: webhook.JobErase, Brand: "acme"}, State: webhook.JobRunning, StartedAt: epoch.Add(time.Hour),
	})
}

func listJobs(t *testing.T, c *httpapi.Client, brand string, limit int) []string {
	t.Helper()
	return all(t, func(cursor string) (httpapi.List[httpapi.Job], error) {
		return c.Jobs(t.Context(), httpapi.JobQuery{Brand: brand, Page: httpapi.Page{Limit: limit, Cursor: cursor}})
	}, func(j httpapi.Job) string { return j.ID })
}

func TestListedJobsAreTheAskers(t *testing.T) {
	a := start(t)
	stageJobs(a.service)
	acme, other := []string{"acme-2", "acme-1", "acme-0"}, []string{"other-2", "other-1", "other-0"}
	for _, limit := range []int{0, 1, 2} {
		for name, c := range map[string]struct{ got, want []string }{
			"admin":          {listJobs(t, a.Client, "", limit), []string{"acme-e", "other-2", "acme-2", "other-1", "acme-1", "other-0", "acme-0"}},
			"admin, of acme": {listJobs(t, a.Client, "acme", limit), slices.Concat([]string{"acme-e"}, acme)},
			"admin, of none": {listJobs(t, a.Client, "none", limit), []string{}},
			"acme":           {listJobs(t, a.as(t, "acme"), "", limit), acme},
			"acme, of acme":  {listJobs(t, a.as(t, "acme"), "acme", limit), acme},
			"other":          {listJobs(t, a.as(t, "other"), "", limit), other},
			"none":           {listJobs(t, a.as(t, "none"), "", limit), []string{}},
		} {
			if !slices.Equal(c.got, c.want) {
				t.Errorf("%s by %d: %v, want %v", name, limit, c.got, c.want)
			}
		}
	}
}

// Whatever the service answers, a brand sees nothing of others.
func TestListedJobsAreLookedAtTwice(t *testing.T) {
	service := newFake()
	stageJobs(service)
	a := start(t, func(c *httpapi.Config) { c.Service = careless{service} })
	if got := listJobs(t, a.as(t, "acme"), "", 0); !slices.Equal(got, []string{"acme-2", "acme-1", "acme-0"}) {
		t.Errorf("acme sees %v", got)
	}
}

// careless answers the jobs of all, whose ever were asked for.
type careless struct{ *fakeService }

func (s careless) Jobs(ctx context.Context, q webhook.JobQuery) (webhook.Page[webhook.Job], error) {
	q.Brand = ""
	return s.fakeService.Jobs(ctx, q)
}

func TestBadQueriesOfJobs(t *testing.T) {
	a := start(t)
	stageJobs(a.service)
	first := must[httpapi.List[httpapi.Job]](t)(a.Jobs(t.Context(), httpapi.JobQuery{Page: httpapi.Page{Limit: 1}}))
	calls := a.service.calls
	for query, location := range map[string]string{
		"brand=": "query.brand", "brand=a.b": "query.brand", "limit=0": "query.limit", "state=done": "query.state",
		"cursor=QQ": "query.cursor", "brand=acme&cursor=" + *first.NextCursor: "query.cursor",
	} {
		checkProblem(t, a.send(t, "GET", "/v1/jobs?"+query, ""), 422, location, "")
	}
	checkProblem(t, a.send(t, "GET", "/v1/jobs?cursor="+*first.NextCursor, "", "Authorization", "Bearer brand-acme"), 422, "query.cursor", "")
	checkProblem(t, a.send(t, "GET", "/v1/jobs?brand=other", "", "Authorization", "Bearer brand-acme"), 404, "", "")
	if a.service.calls != calls {
		t.Error("the service was asked")
	}
}

// A job of another brand, and one that only admins may have, is to a brand's key
// like one that is not there: the same answer, byte for byte, and nothing done.
func TestAnothersJobIsLikeAMissingOne(t *testing.T) {
	a := start(t)
	stageJobs(a.service)
	before := slices.Clone(a.service.jobs)
	for _, c := range []struct{ method, before, after string }{
		{"GET", "/v1/jobs/", ""}, {"POST", "/v1/jobs/", "/cancel"}, {"GET", "/v1/jobs/", "?unknown=1"}, {"PUT", "/v1/jobs/", ""},
		{"GET", "/v1/jobs/", "/cancel"}, {"DELETE", "/v1/jobs/", ""},
	} {
		asked := func(id string) answer {
			got := a.send(t, c.method, c.before+id+c.after, "", "Authorization", "Bearer brand-acme")
			got.header.Del("Date")
			return got
		}
		missing := asked("missing")
		if strings.HasPrefix(c.after, "?") != (missing.status == 422) || (c.method == "PUT") && missing.status != 405 {
			t.Errorf("%s %s of what is missing: %d", c.method, c.after, missing.status)
		}
		for _, id := range []string{"other-0", "acme-e"} {
			if diff := cmp.Diff(missing, asked(id), cmp.AllowUnexported(answer{})); diff != "" {
				t.Errorf("%s %s%s: %s", c.method, id, c.after, diff)
			}
		}
	}
	for _, id := range []string{"other-0", "acme-e", "missing"} {
		_, err := a.as(t, "acme").Job(t.Context(), id)
		wantIs(t, err, webhook.ErrNotFound)
		_, err = a.as(t, "acme").CancelJob(t.Context(), id)
		wantIs(t, err, webhook.ErrNotFound)
	}
	if diff := cmp.Diff(before, a.service.jobs); diff != "" {
		t.Errorf("something was done: %s", diff)
	}
	calls := a.service.calls
	checkProblem(t, a.send(t, "GET", "/v1/jobs/a.b", ""), 404, "", "")
	if checkProblem(t, a.send(t, "POST", "/v1/jobs/a.b/cancel", ""), 404, "", ""); a.service.calls != calls {
		t.Error("the service was asked for an id that cannot be")
	}
}

func TestJobAndItsEnd(t *testing.T) {
	a := start(t)
	stageJobs(a.service)
	a.service.jobs[0].Account = webhook.Account{Matched: 28, Sent: 27, Delivered: 1, Dead: 2, Skipped: 3, Deleted: 4, Open: 18}
	want := httpapi.Job{
		ID: "acme-0", Kind: "recover", Brand: "acme", EndpointID: "ep-1", State: "running",
		Matched: 28, Sent: 27, Delivered: 1, Dead: 2, Skipped: 3, Deleted: 4, Open: 18, StartedAt: milliseconds(epoch),
	}
	for name, c := range map[string]*httpapi.Client{"admin": a.Client, "owner": a.as(t, "acme")} {
		if diff := cmp.Diff(want, must[httpapi.Job](t)(c.Job(t.Context(), "acme-0"))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	want.State, want.FinishedAt = "cancelled", milliseconds(epoch.Add(time.Minute))
	for range 2 {
		if diff := cmp.Diff(want, must[httpapi.Job](t)(a.as(t, "acme").CancelJob(t.Context(), "acme-0"))); diff != "" {
			t.Error(diff)
		}
	}
	if got := must[httpapi.Job](t)(a.CancelJob(t.Context(), "acme-e")); got.State != "cancelled" {
		t.Errorf("an admin's: %+v", got)
	}
}

func TestAClientAsksForNoJobThatCannotBe(t *testing.T) {
	a := start(t)
	for _, id := range []string{"", "a/b", ".."} {
		_, err := a.Job(t.Context(), id)
		wantIs(t, err, webhook.ErrInvalid)
		_, err = a.CancelJob(t.Context(), id)
		wantIs(t, err, webhook.ErrInvalid)
		_, err = a.SignedRequest(t.Context(), "acme", id, "ep-1")
		wantIs(t, err, webhook.ErrInvalid)
		_, err = a.Recover(t.Context(), "acme", id, httpapi.RecoverRequest{})
		wantIs(t, err, webhook.ErrInvalid)
	}
	if a.service.calls != 0 {
		t.Error("the service was asked")
	}
}
