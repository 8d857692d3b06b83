package webhook

import "time"

// Fanout is an event and the endpoints it goes to.
type Fanout struct {
	Event     Event
	Endpoints []string
	// Durable asks Admit to wait until what it wrote is as durable as the store was
	// configured to make it. What is done later, in nobody's presence, need not wait.
	Durable bool
	// AtOnce says that Admit may finish it too, where the store can do all of it in one step: then what it released and nobody
	// enqueued is found by the reconciler only, not by publishing the event again.
	AtOnce bool
}

// Admitted is the store's answer to one [Fanout].
type Admitted struct {
	// Duplicate says that the event was known.
	Duplicate bool
	// FannedOut says that this call did the fan-out, or what was left of it: to
	// be finished once its runs are enqueued, unless it is Finished.
	FannedOut bool
	// Finished says that this call finished the fan-out too.
	Finished bool
	// Endpoints of the stored event: those of the first publish.
	Endpoints []string
	// Releases are of the event's endpoints; their runs may be other deliveries,
	// which were waiting.
	Releases []Release
	// Err is ErrConflict when the id is taken by another type or payload. When it is the store's, about one endpoint, there are
	// Releases of the others all the same.
	Err error
}

// Runs of all releases.
func (a Admitted) Runs() []Run {
	var runs []Run
	for _, r := range a.Releases {
		runs = append(runs, r.Runs...)
	}
	return runs
}

// ClaimVerdict says what a worker is to do with a task.
type ClaimVerdict int

// The verdicts of a claim.
const (
	// ClaimStale: another run, or no longer open: done, no POST.
	ClaimStale ClaimVerdict = iota
	// ClaimGo: the attempt may be made.
	ClaimGo
	// ClaimParked: a gate is closed, the delivery is back in its line: done, no
	// POST. Claim.Release may have a wake-up.
	ClaimParked
	// ClaimEarly: a retry that was brought back before its time: again at Claim.DueAt.
	ClaimEarly
	// ClaimCancelled: the endpoint was deleted: record StateCancelled.
	ClaimCancelled
	// ClaimExpired: past the event's ExpiresAt: record StateExpired.
	ClaimExpired
	// ClaimOverdue: past the schedule's MaxAge: record StateDead, DeathMaxAge.
	ClaimOverdue
)

// Claim is the store's answer to a worker that holds a task.
type Claim struct {
	Verdict ClaimVerdict
	// Number of the attempt to make, from 1.
	Number int
	// Blocked counts the attempts in a row, so far, whose reason was ReasonBlocked.
	Blocked int
	// Panics counts the attempts in a row, so far, that ended in a panic.
	Panics int
	// Probe: the endpoint's breaker is half open, and this attempt is to tell.
	Probe bool
	// Troubled: the endpoint is slow or failing.
	Troubled bool
	// Trigger is TriggerDelivery, or why the delivery was sent once more: then
	// the event's ExpiresAt is zero, as it no longer counts.
	Trigger Trigger
	// OpenedAt is when MaxAge began to count: when the event was published, or sent once more.
	OpenedAt time.Time
	// WaitedSince is OpenedAt, or when the attempt before was recorded if that was later.
	WaitedSince time.Time
	// SpanBefore is the Settlement.Span of the last attempt that had one, also if that was before it was sent once more.
	SpanBefore SpanID
	// Wait is how long the endpoint's rate limit has the attempt wait, at most [RateAhead].
	Wait time.Duration
	// DueAt is set with ClaimEarly.
	DueAt time.Time
	// Release is set with ClaimParked.
	Release Release
	// Event has an empty Payload when its body is no longer stored.
	Event Event
	// Endpoint is set with ClaimGo, and shared by many claims: nobody may change it.
	Endpoint *Endpoint
	// Revision of Endpoint, for the settlement.
	Revision string
}

// Release is what a step let go of an endpoint's line.
type Release struct {
	// Runs hold a slot and must be enqueued.
	Runs []Run
	// Wakeup is when the line is to be looked at again, as nothing in flight will
	// release it; nil when that is not needed, or arranged before.
	Wakeup *Wakeup
	// Breaker tells what became of the endpoint's breaker: BreakerOpen,
	// BreakerClosed, or nothing.
	Breaker BreakerState
	// Disabled is why a settlement disabled the endpoint; empty when it did not.
	Disabled string
}

// Wakeup says that an endpoint's line waits for a gate to open by itself.
type Wakeup struct {
	Endpoint EndpointRef
	Gate     Gate
	// At is when it opens.
	At time.Time
	// Waiting counts the deliveries in the line.
	Waiting int
}

// RateAhead is how long before its time a delivery may be claimed under a rate
// limit: a worker holds it for so long, which keeps the pace even.
const RateAhead = 100 * time.Millisecond

// Settlement is what a worker, or the reconciler, has to say of a delivery.
type Settlement struct {
	Run Run
	// Attempt is nil when none was made.
	Attempt *Attempt
	// Span of the Attempt, for the claim of the next one; zero when it was not traced.
	Span SpanID
	// Verdict as of [Judge], or just State and DeathReason when no attempt was made.
	Verdict Verdict
	// Revision is that of the claim: Verdict.Disable is not for an endpoint that
	// was changed since. Empty: for any.
	Revision string
}

// Doomed is a delivery without a task that can only end: its endpoint was
// deleted, its event expired, or it is overdue.
type Doomed struct {
	Ref   DeliveryRef
	State State
	Death DeathReason
}

// Backlog is what the reconciler sees of one endpoint.
type Backlog struct {
	// Deleted: what is in its line and waits for retries is for CancelOpen.
	Deleted bool
	// Release is what may run now; what runs it has, nothing else had released.
	Release Release
	// Suspects are runs that have been in the queue, or due there, for some time: it must know them.
	Suspects []Run
	// Doomed deliveries must be settled.
	Doomed []Doomed
}

// JobProgress is how far a job is.
type JobProgress struct {
	// Endpoint is the index of the endpoint that is worked on, Phase the part of
	// the work there, and After the place in it.
	Endpoint, Phase int
	After           string
	// Skipped and Deleted are those of the account that no endpoint keeps.
	Skipped, Deleted int
	// Done ends the job. Left leaves it to another owner at once.
	Done, Left bool
}

// TakenJob is a job, whose endpoints are named, and how far it is.
type TakenJob struct {
	Job
	Endpoints []string
	Progress  JobProgress
}

// Survey is what the reconciler has to look at under one tag.
type Survey struct {
	// Unfinished are events whose fan-out was not finished in time.
	Unfinished []EventRef
	// Due are endpoints with open deliveries.
	Due []EndpointRef
}
