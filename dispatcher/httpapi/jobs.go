package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) jobRoutes() {
	job := reflect.TypeFor[Job]()
	register(s, route{
		id: "listJobs", method: http.MethodGet, path: "/jobs", scope: ownScope, summary: "List jobs, the last begun first",
		note: "A brand's key sees the brand's own. " + notePages,
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[List[Job]](), example: List[Job]{Items: []Job{exampleJob()}},
		}},
	}, s.jobs)
	register(s, route{
		id: "getJob", method: http.MethodGet, path: "/jobs/{id}", scope: ownScope, summary: "Get a job and its account",
		holds:   ofFields,
		answers: []routeAnswer{{status: http.StatusOK, body: job, example: exampleJob()}},
	}, s.job)
	register(s, route{
		id: "cancelJob", method: http.MethodPost, path: "/jobs/{id}/cancel", scope: ownScope, summary: "Cancel a job",
		holds:   ofFields,
		note:    "Nothing more is matched; what was sent goes on. A job that has ended stays as it is.",
		answers: []routeAnswer{{status: http.StatusOK, body: job, example: exampleCancelledJob()}},
	}, s.cancelJob)
}

type jobsInput struct {
	Brand string `query:"brand" doc:"Only jobs of this brand"`
	Page
}

func (s *server) jobs(ctx context.Context, in *jobsInput) (*reply, error) {
	if err := checkIDFilter("brand", in.Brand); err != nil {
		return nil, err
	}
	who, err := askerOf(ctx)
	switch {
	case err != nil:
		return nil, err
	case in.Brand == "":
		in.Brand = who.Brand
	case !who.Sees(in.Brand):
		return nil, webhook.ErrNotFound
	}
	l := listing{operation: "listJobs", brand: in.Brand}
	list, err := pageOfStore(l, in.Page, func(slice webhook.Slice) (webhook.Page[webhook.Job], error) {
		found, err := s.Service.Jobs(ctx, webhook.JobQuery{Brand: in.Brand, Slice: slice})
		found.Items = slices.DeleteFunc(found.Items, func(j webhook.Job) bool { return !seesJob(who, j) })
		return found, err
	}, jobOf)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, list)
}

// seesJob hides from a brand that it is being erased, which only admins may
// begin, and so only they may end.
func seesJob(who webhook.Identity, j webhook.Job) bool {
	return who.Sees(j.Brand) && (who.Brand == "" || j.Kind != webhook.JobErase)
}

type jobInput struct {
	ID string `path:"id" doc:"The id of the job"`
}

func (s *server) job(ctx context.Context, in *jobInput) (*reply, error) {
	found, err := s.findJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, jobOf(found))
}

func (s *server) cancelJob(ctx context.Context, in *jobInput) (*reply, error) {
	if _, err := s.findJob(ctx, in.ID); err != nil {
		return nil, err
	}
	ended, err := s.Service.CancelJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, jobOf(ended))
}

// findJob answers a job that the asker does not see as one that is not there.
func (s *server) findJob(ctx context.Context, id string) (webhook.Job, error) {
	if err := checkExists(id); err != nil {
		return webhook.Job{}, err
	}
	who, err := askerOf(ctx)
	if err != nil {
		return webhook.Job{}, err
	}
	found, err := s.Service.Job(ctx, id)
	if err == nil && !seesJob(who, found) {
		err = webhook.ErrNotFound
	}
	return found, err
}

func jobOf(j webhook.Job) Job {
	return Job{
		ID: j.ID, Kind: string(j.Kind), Brand: j.Brand, EndpointID: j.EndpointID, State: string(j.State),
		Matched: j.Matched, Sent: j.Sent, Delivered: j.Delivered, Dead: j.Dead, Skipped: j.Skipped, Deleted: j.Deleted, Open: j.Open,
		PerSecond: j.PerSecond, Since: Time{j.Since}, Until: Time{j.Until}, StartedAt: Time{j.StartedAt}, FinishedAt: Time{j.FinishedAt},
	}
}
