package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// What the fake keeps of calls that differ in nothing but their method.
type (
	resent    webhook.DeliveryRef
	cancelled webhook.DeliveryRef
	begun     webhook.JobSpec
	counted   webhook.JobSpec
)

func (f *fakeService) Resend(_ context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Delivery, error) {
	err := f.enter(resent{ref.Brand, ref.ID, endpointID})
	defer f.mu.Unlock()
	if err == nil && f.events[ref].ID != "" && f.events[ref].Payload == nil {
		err = fmt.Errorf("resend %s: %w", ref, webhook.ErrConflict)
	}
	return f.settle(ref, endpointID, webhook.StateRunning, err)
}

func (f *fakeService) Cancel(_ context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Delivery, error) {
	err := f.enter(cancelled{ref.Brand, ref.ID, endpointID})
	defer f.mu.Unlock()
	return f.settle(ref, endpointID, webhook.StateCancelled, err)
}

// settle answers err, if there is one already.
func (f *fakeService) settle(ref webhook.EventRef, endpointID string, state webhook.State, err error) ([]webhook.Delivery, error) {
	if _, ok := f.events[ref]; err == nil && !ok {
		err = fmt.Errorf("event %s: %w", ref, webhook.ErrNotFound)
	}
	if err == nil && endpointID != "" {
		_, err = f.find(webhook.EndpointRef{Brand: ref.Brand, ID: endpointID}, nil)
	}
	if err != nil {
		return nil, err
	}
	var meant []webhook.Delivery
	for _, d := range f.states[ref] {
		if endpointID == "" || endpointID == d.Ref.EndpointID {
			meant = append(meant, webhook.Delivery{Ref: d.Ref, State: state, Attempts: d.Attempts, UpdatedAt: d.UpdatedAt})
		}
	}
	return meant, nil
}

// SignedRequest answers the URL and the headers of the endpoint as they are.
func (f *fakeService) SignedRequest(_ context.Context, ref webhook.DeliveryRef) (webhook.Request, error) {
	err := f.enter(ref)
	defer f.mu.Unlock()
	to, err := f.find(ref.Endpoint(), err)
	e, ok := f.events[ref.Event()]
	if err == nil && !ok {
		err = fmt.Errorf("event %s: %w", ref.Event(), webhook.ErrNotFound)
	}
	r := webhook.Request{URL: to.URL, Header: http.Header{"Webhook-Id": {e.ID}}, Body: e.Payload}
	for name, value := range to.Headers {
		r.Header.Set(name, value)
	}
	return r, err
}

func (f *fakeService) StartJob(_ context.Context, spec webhook.JobSpec) (webhook.Job, error) {
	err := f.enter(begun(spec))
	defer f.mu.Unlock()
	if err = f.checkJob(spec, err); err != nil {
		return webhook.Job{}, err
	}
	if spec.Until.IsZero() && spec.Kind != webhook.JobErase {
		spec.Until = epoch
	}
	j := webhook.Job{ID: fmt.Sprintf("job_%032d", len(f.jobs)+1), JobSpec: spec, State: webhook.JobRunning, StartedAt: epoch}
	f.jobs = append(f.jobs, j)
	return j, nil
}

// CountJob counts the dead letters that match.
func (f *fakeService) CountJob(_ context.Context, spec webhook.JobSpec) (int, error) {
	err := f.enter(counted(spec))
	defer f.mu.Unlock()
	if err = f.checkJob(spec, err); err != nil {
		return 0, err
	}
	matched := 0
	for _, d := range f.deadLetters {
		ref := d.Delivery.Ref
		if ref.Brand == spec.Brand && (spec.EndpointID == "" || spec.EndpointID == ref.EndpointID) && spec.Contains(d.Delivery.UpdatedAt) &&
			(len(spec.EventIDs) == 0 || slices.Contains(spec.EventIDs, ref.EventID)) {
			matched++
		}
	}
	return matched, nil
}

func (f *fakeService) checkJob(spec webhook.JobSpec, err error) error {
	if err == nil {
		err = spec.Validate()
	}
	if err == nil && spec.EndpointID != "" {
		_, err = f.find(webhook.EndpointRef{Brand: spec.Brand, ID: spec.EndpointID}, nil)
	}
	return err
}

func (f *fakeService) Job(_ context.Context, id string) (webhook.Job, error) {
	err := f.enter()
	defer f.mu.Unlock()
	i, err := f.findJob(id, err)
	if err != nil {
		return webhook.Job{}, err
	}
	return f.jobs[i], nil
}

func (f *fakeService) findJob(id string, err error) (int, error) {
	i := slices.IndexFunc(f.jobs, func(j webhook.Job) bool { return j.ID == id })
	if err == nil && i < 0 {
		err = fmt.Errorf("job %s: %w", id, webhook.ErrNotFound)
	}
	return i, err
}

func (f *fakeService) Jobs(_ context.Context, q webhook.JobQuery) (webhook.Page[webhook.Job], error) {
	err := f.enter(q)
	defer f.mu.Unlock()
	if err != nil {
		return webhook.Page[webhook.Job]{}, err
	}
	found := slices.Clone(f.jobs)
	found = slices.DeleteFunc(found, func(j webhook.Job) bool { return q.Brand != "" && q.Brand != j.Brand })
	return fakePage(found, q.Slice,
		func(j webhook.Job) time.Time { return j.StartedAt },
		func(j webhook.Job) string { return j.ID })
}

func (f *fakeService) CancelJob(_ context.Context, id string) (webhook.Job, error) {
	err := f.enter()
	defer f.mu.Unlock()
	i, err := f.findJob(id, err)
	if err != nil {
		return webhook.Job{}, err
	}
	if f.jobs[i].FinishedAt.IsZero() {
		f.jobs[i].State, f.jobs[i].FinishedAt = webhook.JobCancelled, epoch.Add(time.Minute)
	}
	return f.jobs[i], nil
}

func (f *fakeService) BrandHealth(_ context.Context, brand string) (webhook.BrandHealth, error) {
	err := f.enter(brand)
	defer f.mu.Unlock()
	h := f.brandHealth
	h.Endpoints = len(f.ofBrand(brand))
	return h, err
}
