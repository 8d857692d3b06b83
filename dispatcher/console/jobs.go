package console

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (h *Handler) jobRoutes() {
	h.on("GET /console/jobs", forOperators, (*visit).jobs)
	h.on("GET /console/brands/{brand}/jobs", forBrand, (*visit).jobs)
	h.on("GET /console/brands/{brand}/jobs/{job}", forBrand, (*visit).job)
	h.on("POST /console/brands/{brand}/jobs/{job}/cancel", forBrand, (*visit).cancelJob)
	h.on("GET /console/brands/{brand}/endpoints/{id}/recover", forBrand, (*visit).askToRecover)
	h.on("POST /console/brands/{brand}/endpoints/{id}/recover", forBrand, (*visit).recover)
}

// jobView is a job and how far it is.
type jobView struct {
	webhook.Job
	// Name is what it does, Kind what style goes by.
	Name, Kind string
	// Bars are what became of what it matched, in thousandths.
	Bars []bar
	// Moves: it is worth looking again soon.
	Moves bool
}

func jobViewOf(j webhook.Job) jobView {
	names := map[webhook.JobKind]string{
		webhook.JobRecover: "Recover", webhook.JobResend: "Resend dead letters", webhook.JobDelete: "Delete dead letters", webhook.JobErase: "Erase the brand",
	}
	kinds := map[webhook.JobState]string{webhook.JobRunning: "busy", webhook.JobDone: "good", webhook.JobCancelled: "off"}
	is := jobView{Job: j, Name: names[j.JobSpec.Kind], Kind: kinds[j.State], Moves: j.State == webhook.JobRunning || j.Open > 0}
	whole, at := max(1, j.Matched), 0
	for _, part := range []struct {
		kind string
		n    int
	}{{"good", j.Delivered + j.Deleted}, {"bad", j.Dead}, {"off", j.Skipped}, {"busy", j.Open}} {
		is.Bars = append(is.Bars, bar{Name: part.kind, From: at * 1000 / whole, Wide: part.n * 1000 / whole})
		at += part.n
	}
	return is
}

// jobs lists the jobs of the brand, or, for operators, of all.
func (v *visit) jobs() error {
	after := v.r.URL.Query().Get("cursor")
	found, err := v.h.Service.Jobs(v.r.Context(), webhook.JobQuery{Brand: v.brand, Slice: webhook.Slice{Limit: rowsOnPage, After: after}})
	if err != nil {
		return err
	}
	body := listView[jobView]{First: after == ""}
	for _, j := range found.Items {
		if v.brand != "" && !v.seesJob(j) {
			continue
		}
		body.Items = append(body.Items, jobViewOf(j))
	}
	if found.Next != "" {
		body.Next = "?" + url.Values{"cursor": {found.Next}}.Encode()
	}
	return v.show("jobs", view{Title: "Jobs", Tab: "jobs", Body: body})
}

// seesJob hides from a brand that it is being erased, which only operators may begin, and so only they may end.
func (v *visit) seesJob(j webhook.Job) bool {
	return j.Brand == v.brand && (v.who.Brand == "" || j.JobSpec.Kind != webhook.JobErase)
}

// theJob is that of the path. That of another brand does not exist.
func (v *visit) theJob() (webhook.Job, error) {
	id := v.r.PathValue("job")
	if webhook.CheckID("job", id) != nil {
		return webhook.Job{}, webhook.ErrNotFound
	}
	j, err := v.h.Service.Job(v.r.Context(), id)
	if err == nil && !v.seesJob(j) {
		err = webhook.ErrNotFound
	}
	return j, err
}

func (v *visit) job() error {
	j, err := v.theJob()
	if err != nil {
		return err
	}
	return v.show("job", view{Title: "Job", Tab: "jobs", Body: jobViewOf(j)})
}

func (v *visit) cancelJob() error {
	j, err := v.theJob()
	if err != nil {
		return err
	}
	if _, err := v.h.Service.CancelJob(v.r.Context(), j.ID); err != nil {
		return err
	}
	return v.see(v.base() + "/jobs/" + j.ID)
}

// startJobs begins jobs, and leads to the one, or to all.
func (v *visit) startJobs(specs []webhook.JobSpec) error {
	last := ""
	for _, spec := range specs {
		j, err := v.h.Service.StartJob(v.r.Context(), spec)
		if err != nil {
			return err
		}
		last = j.ID
	}
	if len(specs) == 1 {
		return v.see(v.base() + "/jobs/" + last)
	}
	return v.see(v.base() + "/jobs")
}

// recoverView is the form of a recovery.
type recoverView struct {
	ID, Since, Until, PerSecond string
	// Counted says that a dry run matched so many.
	Counted bool
	Matched int
}

func (v *visit) askToRecover() error {
	e, err := v.theEndpoint()
	if err != nil {
		return err
	}
	return v.showRecover(recoverView{ID: e.ID, Since: now().Add(-24 * time.Hour).Format(minuteForm)}, nil)
}

func (v *visit) showRecover(body recoverView, wrong error) error {
	is := view{Title: "Recover " + body.ID, Tab: "overview", Body: body}
	if wrong != nil {
		if !errors.Is(wrong, webhook.ErrInvalid) && !errors.Is(wrong, webhook.ErrBusy) {
			return wrong
		}
		is.Status, is.Problem = refusal(wrong)
	}
	return v.show("recover", is)
}

// recover counts what a recovery would send, or begins it.
func (v *visit) recover() error {
	e, err := v.theEndpoint()
	if err != nil {
		return err
	}
	if err := v.post(); err != nil {
		return err
	}
	form := v.sent
	body := recoverView{ID: e.ID, Since: form.Get("since"), Until: form.Get("until"), PerSecond: form.Get("perSecond")}
	spec := webhook.JobSpec{Kind: webhook.JobRecover, Brand: v.brand, EndpointID: e.ID}
	if spec.Span, err = spanOf(form); err != nil {
		return v.showRecover(body, err)
	}
	if spec.PerSecond, err = paceOf(body.PerSecond); err != nil {
		return v.showRecover(body, err)
	}
	if form.Get("do") != "count" {
		if err := v.startJobs([]webhook.JobSpec{spec}); err != nil {
			return v.showRecover(body, err)
		}
		return nil
	}
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(time.Minute)) // counting may take a while
	if body.Matched, err = v.h.Service.CountJob(v.r.Context(), spec); err != nil {
		return v.showRecover(body, err)
	}
	body.Counted = true
	return v.showRecover(body, nil)
}

func spanOf(form url.Values) (span webhook.Span, err error) {
	if span.Since, err = minuteOf("since", form.Get("since")); err != nil {
		return span, err
	}
	span.Until, err = minuteOf("until", form.Get("until"))
	return span, err
}
