package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// jobsEvery is about how often a worker looks for a job that nobody works on.
	jobsEvery = time.Second
	// jobsMore is how soon after it found one: others have a chance to take what there is beside it.
	jobsMore = 100 * time.Millisecond
	// jobsAtOnce bounds those that one process works on; jobsOfBrand those of a brand that run.
	jobsAtOnce  = 40
	jobsOfBrand = 20
	// brandAtOnce bounds those of one brand that one process works on, so that there is room for those of others, and
	// brandAnHour those that a brand begins, as each is kept for long.
	brandAtOnce = 10
	brandAnHour = 200
	// jobWord is how often a job's owner says that it still works on it; well within what the store gives it.
	jobWord = 3 * time.Second
	// pendingMost is how many live deliveries may be pending while jobs go on at their pace; leaveAgain how long they wait
	// otherwise, and jobTrickle what each does in a second all the same, one of a process at a time every trickleEvery.
	pendingMost  = 16
	leaveAgain   = 50 * time.Millisecond
	jobTrickle   = 10
	trickleEvery = 100 * time.Millisecond
	// countFor bounds how long a dry run takes.
	countFor = 45 * time.Second
)

// StartJob begins a job, which the workers do: any of them goes on with it after another's end. A zero Until is now.
// Errors: [webhook.FieldError]; [webhook.ErrNotFound] (endpoint); [webhook.ErrBusy] when so many jobs of the
// brand run, or began within an hour, that this one must wait; [webhook.ErrUnavailable].
func (d *Dispatcher) StartJob(ctx context.Context, spec webhook.JobSpec) (webhook.Job, error) {
	return within(ctx, d, "start job", func(ctx context.Context) (webhook.Job, error) {
		t, err := d.planJob(ctx, spec)
		if err != nil {
			return webhook.Job{}, err
		}
		if err := d.mayBegin(ctx, spec); err != nil {
			return webhook.Job{}, err
		}
		if err := d.store.CreateJob(ctx, t.Job, t.Endpoints); err != nil {
			return webhook.Job{}, err
		}
		d.log.InfoContext(ctx, "job begun", "job", t.ID, "kind", t.Kind, "brand", t.Brand, "endpoint", t.EndpointID)
		return t.Job, nil
	})
}

// mayBegin refuses a job when there are too many of the brand, or no room to keep it or what it sends. To erase a brand, and
// to delete what fills Redis, there is always room.
func (d *Dispatcher) mayBegin(ctx context.Context, spec webhook.JobSpec) error {
	if spec.Kind == webhook.JobErase {
		return nil
	}
	running, begun, err := d.store.CountJobs(ctx, spec.Brand, time.Now().Add(-time.Hour))
	switch {
	case err != nil:
		return err
	case running >= jobsOfBrand:
		return fmt.Errorf("%d jobs of the brand run: %w", running, webhook.ErrBusy)
	case begun >= brandAnHour:
		return fmt.Errorf("%d jobs of the brand began within an hour: %w", begun, webhook.ErrBusy)
	case spec.Kind == webhook.JobDelete:
		return nil
	}
	return d.gauge.room(ctx)
}

// CountJob answers how many deliveries a job would match now, and changes nothing. Errors: as StartJob,
// [webhook.ErrBusy] when it takes too long.
func (d *Dispatcher) CountJob(ctx context.Context, spec webhook.JobSpec) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, countFor)
	defer cancel()
	t, err := d.planJob(ctx, spec)
	if err != nil {
		return 0, err
	}
	sum := 0
	for !t.Progress.Done {
		step, err := d.stepJob(ctx, &t, jobChunk, true)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return 0, fmt.Errorf("counting takes longer than %s, ask for a shorter span: %w", countFor, webhook.ErrBusy)
		}
		if err != nil {
			return 0, err
		}
		sum += step.matched
	}
	return sum, nil
}

// planJob checks a spec and says which endpoints it is about.
func (d *Dispatcher) planJob(ctx context.Context, spec webhook.JobSpec) (webhook.TakenJob, error) {
	if err := spec.Validate(); err != nil {
		return webhook.TakenJob{}, err
	}
	spec.EventIDs = slices.Compact(slices.Sorted(slices.Values(spec.EventIDs))) // each counts once
	now := time.Now().Truncate(time.Millisecond).UTC()
	if spec.Until.IsZero() || spec.Until.After(now) {
		spec.Until = now
	}
	if !spec.Until.After(spec.Since) {
		return webhook.TakenJob{}, webhook.Invalid("since", "must be in the past")
	}
	t := webhook.TakenJob{Job: webhook.Job{ID: webhook.NewID(webhook.JobPrefix), JobSpec: spec, State: webhook.JobRunning, StartedAt: now}}
	if spec.EndpointID != "" {
		t.Endpoints = []string{spec.EndpointID}
		_, err := d.store.Endpoint(ctx, webhook.EndpointRef{Brand: spec.Brand, ID: spec.EndpointID})
		return t, err
	}
	endpoints, err := d.store.Routes(ctx, spec.Brand)
	for _, e := range endpoints {
		t.Endpoints = append(t.Endpoints, e.ID)
	}
	return t, err
}

// Job returns one job, with its account as it is now. Errors: [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) Job(ctx context.Context, id string) (webhook.Job, error) {
	return within(ctx, d, "job", func(ctx context.Context) (webhook.Job, error) { return d.store.Job(ctx, id) })
}

// Jobs returns a page of jobs, the last begun first. Errors: [webhook.FieldError] of "cursor", [webhook.ErrUnavailable].
func (d *Dispatcher) Jobs(ctx context.Context, q webhook.JobQuery) (webhook.Page[webhook.Job], error) {
	return within(ctx, d, "jobs", func(ctx context.Context) (webhook.Page[webhook.Job], error) { return d.store.Jobs(ctx, q) })
}

// CancelJob ends a job, if it still runs, and answers it: nothing more is matched. What was sent goes on. Errors:
// [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) CancelJob(ctx context.Context, id string) (webhook.Job, error) {
	return within(ctx, d, "cancel job", func(ctx context.Context) (webhook.Job, error) {
		if err := d.store.CancelJob(ctx, id); err != nil {
			return webhook.Job{}, err
		}
		return d.store.Job(ctx, id)
	})
}

// work takes jobs until ctx ends, and returns when none is worked on any more.
func (d *Dispatcher) work(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	free := make(chan struct{}, jobsAtOnce)
	var brands sharing
	for pause := jobsEvery; sleep(ctx, pause/2+rand.N(pause)); {
		pause = jobsEvery
		select {
		case free <- struct{}{}:
		default:
			continue
		}
		owner := webhook.NewID("")
		t, ok, err := d.store.TakeJob(ctx, owner)
		if err != nil && !errors.Is(err, webhook.ErrUnavailable) {
			d.log.ErrorContext(ctx, "a job cannot be worked on", "error", err)
		}
		if err != nil || !ok {
			<-free
			continue
		}
		if !brands.take(t) {
			d.leaveJob(ctx, owner, t)
			<-free
			continue
		}
		all.Go(func() {
			defer func() { <-free }()
			defer brands.give(t)
			d.workOn(ctx, owner, t)
		})
		pause = jobsMore
	}
}

// workOn goes on with a job until it is done, cancelled, or another's. What is done twice, as a step's end was not kept,
// changes nothing the second time.
func (d *Dispatcher) workOn(ctx context.Context, owner string, t webhook.TakenJob) {
	log := d.log.With("job", t.ID, "kind", t.Kind, "brand", t.Brand)
	pause := 100 * time.Millisecond
	last, said, full := time.Now(), time.Now(), false
	for ctx.Err() == nil {
		began := time.Now()
		most, err := d.leave(ctx, t, began.Sub(last))
		if err == nil && most == 0 {
			if began.Sub(said) < jobWord {
				sleep(ctx, leaveAgain)
				continue
			}
			if said = began; !d.keepJob(ctx, owner, t, leaveAgain) {
				return
			}
			continue
		}
		said = began // its end is kept
		before, step := t.Progress, jobStep{}
		if err == nil {
			last = began
			if !full {
				err = d.passOver(ctx, &t, most)
			}
			if err == nil {
				step, err = d.stepJob(ctx, &t, most, false)
			}
			full = step.full
		}
		if err != nil {
			t.Progress = before
			if ctx.Err() == nil && !errors.Is(err, webhook.ErrUnavailable) {
				log.ErrorContext(ctx, "job does not get on; it is tried again", "error", err)
			}
			if !d.keepJob(ctx, owner, t, pause) {
				return
			}
			pause = min(2*pause, jobWord)
			continue
		}
		pause = 100 * time.Millisecond
		if t.Progress.Done {
			if ok, err := d.store.SaveJob(ctx, t.ID, owner, t.Progress); err != nil || !ok {
				return // another finds nothing left to do
			}
			log.InfoContext(ctx, "job done")
			return
		}
		if !d.keepJob(ctx, owner, t, time.Until(began.Add(step.takes(t.PerSecond)))) {
			return
		}
	}
	d.leaveJob(ctx, owner, t)
}

// passOver moves a recover close to the next that it means, many at a time whatever its pace, of which a step does most: of the events
// of a span the greater part was delivered.
func (d *Dispatcher) passOver(ctx context.Context, t *webhook.TakenJob, most int) error {
	for looks, size := 0, jobChunk; size > most && looks < passMost; looks++ {
		if t.Kind != webhook.JobRecover || t.Progress.Phase == 0 || t.Progress.Done {
			return nil
		}
		ahead := *t
		step, err := d.stepJob(ctx, &ahead, size, true)
		if err != nil {
			return err
		}
		if step.matched > 0 {
			size /= 4 // it is among these
			continue
		}
		t.Progress = ahead.Progress
	}
	return nil
}

// leaveJob lets another owner go on with a job at once.
func (d *Dispatcher) leaveJob(ctx context.Context, owner string, t webhook.TakenJob) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerFor)
	defer cancel()
	t.Progress.Left = true
	_, _ = d.store.SaveJob(ctx, t.ID, owner, t.Progress) // else its time runs out
}

// leave is how much a job may do now: it gives way while the workers do not keep up with live deliveries, but for a
// little each second.
func (d *Dispatcher) leave(ctx context.Context, t webhook.TakenJob, since time.Duration) (int, error) {
	behind, err := d.pressure.behind(ctx, d.queue.Behind)
	switch {
	case err != nil || behind <= pendingMost:
		return chunkOf(t.PerSecond), err
	case since < time.Second || !d.pressure.trickle():
		return 0, nil
	}
	return min(chunkOf(t.PerSecond), jobTrickle), nil
}

// pressure is how many live deliveries are pending, for all jobs of a process.
type pressure struct {
	mu            sync.Mutex
	looked, flows time.Time // when it was looked, and when the next may do a little
	pending       int
}

// behind asks no more often than the jobs wait.
func (p *pressure) behind(ctx context.Context, ask func(context.Context) (int, error)) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.looked) < leaveAgain {
		return p.pending, nil
	}
	n, err := ask(ctx)
	if err == nil {
		p.looked, p.pending = time.Now(), n
	}
	return n, err
}

// trickle tells whether one may do a little now.
func (p *pressure) trickle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.flows) {
		return false
	}
	p.flows = now.Add(trickleEvery)
	return true
}

// keepJob saves how far a job is, waits, and keeps it meanwhile; false when it is no longer this owner's.
func (d *Dispatcher) keepJob(ctx context.Context, owner string, t webhook.TakenJob, wait time.Duration) bool {
	for {
		ok, err := d.store.SaveJob(ctx, t.ID, owner, t.Progress)
		if err == nil && !ok {
			return false
		}
		if wait <= 0 || !sleep(ctx, min(wait, jobWord)) {
			return true
		}
		if wait -= jobWord; wait <= 0 {
			return true
		}
	}
}
