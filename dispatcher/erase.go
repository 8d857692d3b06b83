package dispatcher

import (
	"context"
	"errors"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// The phases of a JobErase. Nobody publishes any more after the first, and nothing is sent after the second.
const (
	eraseKeys = iota
	eraseEndpoints
	eraseDead
	eraseEvents
	eraseRest
)

// stepErase does some of a JobErase. Its account counts the events.
func (d *Dispatcher) stepErase(ctx context.Context, t *webhook.TakenJob, most int, dry bool) (jobStep, error) {
	if dry {
		return d.countErase(ctx, t, most)
	}
	p := &t.Progress
	switch p.Phase {
	case eraseKeys:
		if err := d.eraseKeys(ctx, t.Brand); err != nil {
			return jobStep{}, err
		}
		p.Phase++
		return jobStep{}, d.endJobs(ctx, t.Brand)
	case eraseEndpoints:
		return jobStep{}, d.eachEndpoint(t, func(ref webhook.EndpointRef) (more bool, err error) {
			if err := d.store.DeleteEndpoint(ctx, ref); err != nil && !errors.Is(err, webhook.ErrNotFound) {
				return true, err
			}
			return d.cancelOpen(ctx, ref)
		})
	case eraseDead: // they may be older than the list of events
		return jobStep{}, d.eachEndpoint(t, func(ref webhook.EndpointRef) (more bool, err error) {
			died, after, err := d.store.Died(ctx, ref, webhook.Span{}, p.After, most)
			if err != nil {
				return true, err
			}
			p.After = after
			return after != "", d.store.EraseEvents(ctx, t.Brand, died, t.Endpoints)
		})
	case eraseEvents:
		return d.eraseEvents(ctx, t, most)
	}
	p.Done = true
	return jobStep{}, d.store.EraseBrand(ctx, t.Brand, t.Endpoints)
}

// eachEndpoint goes on with the endpoint that it is at, to the next one when there is no more to do, and to the next
// phase after the last.
func (d *Dispatcher) eachEndpoint(t *webhook.TakenJob, do func(webhook.EndpointRef) (more bool, err error)) error {
	p := &t.Progress
	if p.Endpoint >= len(t.Endpoints) {
		p.Phase, p.Endpoint, p.After = p.Phase+1, 0, ""
		return nil
	}
	more, err := do(webhook.EndpointRef{Brand: t.Brand, ID: t.Endpoints[p.Endpoint]})
	if err == nil && !more {
		p.Endpoint++
	}
	return err
}

func (d *Dispatcher) eraseKeys(ctx context.Context, brand string) error {
	keys, err := d.store.Keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Brand != brand {
			continue
		}
		if err := d.store.DeleteKey(ctx, k.ID); err != nil && !errors.Is(err, webhook.ErrNotFound) {
			return err
		}
	}
	return nil
}

// endJobs cancels the jobs of a brand that run, but for those that erase it: they would wait at their pace for nothing.
func (d *Dispatcher) endJobs(ctx context.Context, brand string) error {
	q := webhook.JobQuery{Brand: brand, Slice: webhook.Slice{Limit: jobChunk}}
	for {
		found, err := d.store.Jobs(ctx, q)
		if err != nil {
			return err
		}
		for _, j := range found.Items {
			if j.State != webhook.JobRunning || j.Kind == webhook.JobErase {
				continue
			}
			if err := d.store.CancelJob(ctx, j.ID); err != nil && !errors.Is(err, webhook.ErrNotFound) {
				return err
			}
		}
		if q.After = found.Next; q.After == "" {
			return nil
		}
	}
}

func (d *Dispatcher) eraseEvents(ctx context.Context, t *webhook.TakenJob, most int) (jobStep, error) {
	p := &t.Progress
	found, after, err := d.store.Published(ctx, t.Brand, webhook.Span{}, p.After, most)
	if err != nil {
		return jobStep{}, err
	}
	ids := make([]string, len(found))
	for i, e := range found {
		ids[i] = e.ID
	}
	if err := d.store.EraseEvents(ctx, t.Brand, ids, t.Endpoints); err != nil {
		return jobStep{}, err
	}
	p.Deleted += len(ids)
	if p.After = after; after == "" {
		p.Phase = eraseRest
	}
	return jobStep{matched: len(ids)}, nil
}

// countErase counts the events.
func (d *Dispatcher) countErase(ctx context.Context, t *webhook.TakenJob, most int) (jobStep, error) {
	found, after, err := d.store.Published(ctx, t.Brand, webhook.Span{}, t.Progress.After, most)
	t.Progress.After, t.Progress.Done = after, after == ""
	return jobStep{matched: len(found)}, err
}
