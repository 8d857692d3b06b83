package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// jobChunk is how many deliveries, or entries of a list, a step of a job looks at, at most; passMost how often a step first
	// looks ahead.
	jobChunk = 200
	passMost = 8
	// lineMost is how long a line may be that a job still adds to, lineAgain how long it waits otherwise.
	lineMost  = 1000
	lineAgain = 100 * time.Millisecond
)

// chunkOf is how much a step of a job does at a pace: four steps a second, or less in each. A step costs Redis half a dozen scripts.
func chunkOf(perSecond float64) int {
	if perSecond == 0 {
		return jobChunk
	}
	return int(math.Min(math.Max(perSecond/4, 1), jobChunk))
}

// jobStep is what a step did.
type jobStep struct {
	// matched counts what was the job's, sent what was sent.
	matched, sent int
	// full: the line of the endpoint is so long that the job waits.
	full bool
}

// takes is how long the step is to take, so that the job keeps its pace.
func (s jobStep) takes(perSecond float64) time.Duration {
	if s.full {
		return lineAgain
	}
	if perSecond == 0 {
		return 0
	}
	return time.Duration(float64(s.sent) / perSecond * float64(time.Second))
}

// stepJob does some of a job, or with dry counts what it would do, and moves its progress on. It may be repeated from the
// progress before.
func (d *Dispatcher) stepJob(ctx context.Context, t *webhook.TakenJob, most int, dry bool) (jobStep, error) {
	if t.Kind == webhook.JobErase {
		return d.stepErase(ctx, t, most, dry)
	}
	p := &t.Progress
	if p.Endpoint >= len(t.Endpoints) {
		p.Done = true
		return jobStep{}, nil
	}
	ref := webhook.EndpointRef{Brand: t.Brand, ID: t.Endpoints[p.Endpoint]}
	if t.Kind != webhook.JobDelete && !dry {
		if err := d.gauge.room(ctx); err != nil {
			return jobStep{}, err
		}
		if full, err := d.isLineFull(ctx, ref); full || err != nil {
			return jobStep{full: full}, err
		}
	}
	events, how, err := d.candidates(ctx, t, ref, most)
	if err != nil {
		return jobStep{}, err
	}
	if t.Kind == webhook.JobDelete {
		return d.deleteDead(ctx, t, ref, events, dry)
	}
	return d.reopen(ctx, t, ref, events, how, dry)
}

// isLineFull tells whether an endpoint has enough waiting.
func (d *Dispatcher) isLineFull(ctx context.Context, ref webhook.EndpointRef) (bool, error) {
	health, err := d.store.Health(ctx, []webhook.EndpointRef{ref})
	return err == nil && health[0].Waiting >= lineMost, err
}

// candidates are the next events that may be the job's, and what is meant of them. The progress moves behind them.
func (d *Dispatcher) candidates(ctx context.Context, t *webhook.TakenJob, ref webhook.EndpointRef, most int) ([]string, webhook.Reopening, error) {
	p := &t.Progress
	how := webhook.Reopening{Trigger: webhook.TriggerResend, States: []webhook.State{webhook.StateDead}, Job: t.ID}
	next := func(after string) {
		if p.After = after; after == "" {
			p.Endpoint, p.Phase = p.Endpoint+1, 0
		}
	}
	switch {
	case len(t.EventIDs) > 0:
		chosen, after := someOf(t.EventIDs, p.After, most)
		next(after)
		return chosen, how, nil
	case t.Kind != webhook.JobRecover:
		died, after, err := d.store.Died(ctx, ref, t.Span, p.After, most)
		if err == nil {
			next(after)
		}
		return died, how, err
	}
	how.Trigger, how.Published = webhook.TriggerRecover, t.Span
	if p.Phase == 0 { // what died, whenever; but not what died since the job began
		died, after, err := d.store.Died(ctx, ref, webhook.Span{Since: t.Since, Until: t.StartedAt}, p.After, most)
		if err == nil {
			if p.After = after; after == "" {
				p.Phase = 1
			}
		}
		return died, how, err
	}
	how.States = []webhook.State{webhook.StateExpired, webhook.StateNotSent, webhook.StateNone}
	published, after, err := d.published(ctx, t, ref, most)
	if err == nil {
		next(after)
	}
	return published, how, err
}

// someOf are the next of a list, from a place on; after is empty at its end.
func someOf(ids []string, place string, most int) (some []string, after string) {
	from, _ := strconv.Atoi(place) // "" is its beginning
	from = min(from, len(ids))
	to := min(from+most, len(ids))
	if to < len(ids) {
		after = strconv.Itoa(to)
	}
	return ids[from:to], after
}

// published are the next events of a recover's span whose type the endpoint wants now.
func (d *Dispatcher) published(ctx context.Context, t *webhook.TakenJob, ref webhook.EndpointRef, most int) ([]string, string, error) {
	endpoint, err := d.store.Endpoint(ctx, ref)
	if errors.Is(err, webhook.ErrNotFound) {
		return nil, "", nil // deleted since
	}
	if err != nil {
		return nil, "", err
	}
	found, after, err := d.store.Published(ctx, t.Brand, t.Span, t.Progress.After, most)
	var events []string
	for _, e := range found {
		if !d.catalog.Matches(endpoint, e.Type) || slices.Contains(events, e.ID) { // two may have finished it at the same time
			continue
		}
		told, err := d.mayBeTold(ctx, webhook.EventRef{Brand: t.Brand, ID: e.ID}, e.Type, ref.ID)
		if err != nil {
			return nil, "", err
		}
		if told {
			events = append(events, e.ID)
		}
	}
	return events, after, err
}

// reopen has candidates begin once more.
func (d *Dispatcher) reopen(ctx context.Context, t *webhook.TakenJob, ref webhook.EndpointRef, events []string, how webhook.Reopening, dry bool) (jobStep, error) {
	how.DryRun = dry
	refs := make([]webhook.DeliveryRef, len(events))
	for i, id := range events {
		refs[i] = webhook.DeliveryRef{Brand: ref.Brand, EventID: id, EndpointID: ref.ID}
	}
	done, releases, err := d.store.Reopen(ctx, refs, how)
	d.followAll(ctx, releases)
	if err != nil {
		return jobStep{}, fmt.Errorf("reopen: %w", err)
	}
	step := jobStep{}
	for _, what := range done {
		switch what {
		case webhook.ReopenedSent:
			step.sent++
			step.matched++
		case webhook.ReopenedNoBody, webhook.ReopenedGone:
			t.Progress.Skipped++
			step.matched++
		}
	}
	return step, nil
}

// deleteDead deletes dead letters; those that are not there do not count.
func (d *Dispatcher) deleteDead(ctx context.Context, t *webhook.TakenJob, ref webhook.EndpointRef, events []string, dry bool) (jobStep, error) {
	if !dry {
		n, err := d.store.DeleteDead(ctx, ref, events, t.ID)
		return jobStep{matched: n}, err
	}
	step, err := d.reopen(ctx, t, ref, events, webhook.Reopening{States: []webhook.State{webhook.StateDead}, Job: t.ID}, true)
	return jobStep{matched: step.matched}, err
}
