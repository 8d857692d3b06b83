package webhook

import (
	"context"
	"time"
)

// Fanout is an event and the endpoints it goes to.
type Fanout struct {
	Event     Event
	Endpoints []string
	// Durable asks Admit to wait until what it wrote is as durable as the store was
	// configured to make it. What is done later, in nobody's presence, need not wait.
	Durable bool
}

// Admitted is the store's answer to one [Fanout].
type Admitted struct {
	// Duplicate says that the event was known.
	Duplicate bool
	// FannedOut says that this call did the fan-out, or what was left of it: to
	// be finished once its runs are enqueued.
	FannedOut bool
	// Endpoints of the stored event: those of the first publish.
	Endpoints []string
	// Releases are of the event's endpoints; their runs may be other deliveries,
	// which were waiting.
	Releases []Release
	// Err is ErrConflict when the id is taken by another type or payload.
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
	// Wait is how long the endpoint's rate limit has the attempt wait, at most [RateAhead].
	Wait time.Duration
	// DueAt is set with ClaimEarly.
	DueAt time.Time
	// Release is set with ClaimParked.
	Release Release
	// Event has an empty Payload when its body is no longer stored.
	Event    Event
	Endpoint Endpoint
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

// Survey is what the reconciler has to look at under one tag.
type Survey struct {
	// Unfinished are events whose fan-out was not finished in time.
	Unfinished []EventRef
	// Due are endpoints with open deliveries.
	Due []EndpointRef
}

// Store keeps events, endpoints and the ledger: every open delivery in exactly
// one of waiting, running and retrying, until an outcome is recorded.
//
// Safe for concurrent use by any number of processes. Every method may return
// an error that wraps [ErrUnavailable]; then it is unknown whether anything was
// written, and the call may be repeated. Returned slices belong to the caller.
type Store interface {
	// Admit writes events down and gives every delivery a slot or a place in
	// its line. Answers are in the order of the input. Repeating it finishes
	// what was left unfinished, and never sends twice.
	Admit(ctx context.Context, fanouts []Fanout) ([]Admitted, error)
	// Finish takes events, whose runs are enqueued now, out of the list of
	// unfinished fan-outs and into the list of their brand's events. One
	// without a type, whose body is gone, goes into no list.
	Finish(ctx context.Context, events []Event) error

	// Claim decides whether a task may be attempted now, and hands over what the attempt needs.
	Claim(ctx context.Context, run Run) (Claim, error)
	// Record saves an attempt and the delivery's new state, draws from it what it
	// means for the endpoint's gates, and answers what it released. Recording an
	// attempt id twice answers the same runs. A settlement of an old run saves its
	// attempt, and changes the state only when it was delivered.
	Record(ctx context.Context, s Settlement) (Release, error)
	// Park puts a claimed run back into its line: this process has no room for it.
	// The endpoint gets no more in flight than it has without it, and is woken after delay.
	Park(ctx context.Context, run Run, delay time.Duration) (Release, error)
	// Wake releases what may run. With probe a breaker or a Retry-After that
	// holds the line back lets one through before its time.
	Wake(ctx context.Context, ref EndpointRef, probe bool) (Release, error)
	// Spend takes a token of the endpoint's rate limit, and answers how long to
	// wait for its time, at most most. Errors: [ErrBusy] when that is not enough.
	Spend(ctx context.Context, ref EndpointRef, most time.Duration) (time.Duration, error)

	// CreateEndpoint stores an endpoint unless its id is taken, and answers what is stored.
	// Errors: [ErrLimit].
	CreateEndpoint(ctx context.Context, e Endpoint) (stored Endpoint, created bool, err error)
	// Endpoint returns one endpoint. Errors: [ErrNotFound].
	Endpoint(ctx context.Context, ref EndpointRef) (Endpoint, error)
	// Routes returns what decides where a brand's events go: its endpoints, by
	// id, without their secrets and headers, which need not be readable for it.
	Routes(ctx context.Context, brand string) ([]Endpoint, error)
	// Endpoints returns all endpoints of a brand, by id.
	Endpoints(ctx context.Context, brand string) ([]Endpoint, error)
	// UpdateEndpoint changes a stored endpoint, and answers it and what the change
	// released. Its breaker and its Retry-After begin anew when it is sent to
	// otherwise (address, headers, secrets, timeout), or enabled. change may be called several times, each with what
	// stands now; it must not change ID or Brand, and an error of it ends the
	// call as it is. A disabled endpoint sends nothing new, and what waits keeps
	// waiting. Errors: [ErrNotFound].
	UpdateEndpoint(ctx context.Context, ref EndpointRef, change func(*Endpoint) error) (Endpoint, Release, error)
	// DeleteEndpoint leaves a tombstone, which keeps the id taken for as long as
	// an event may name it. What is open is for CancelOpen. Errors:
	// [ErrNotFound], also when it was deleted before.
	DeleteEndpoint(ctx context.Context, ref EndpointRef) error
	// CancelOpen settles some deliveries of a deleted endpoint, in its line or
	// waiting for a retry, as cancelled; more says that there are others.
	// It does nothing to an endpoint that was not deleted.
	CancelOpen(ctx context.Context, ref EndpointRef) (cancelled int, more bool, err error)
	// Health answers how endpoints are doing, in the order of the input; that of
	// one that does not exist is zero but for its limit.
	Health(ctx context.Context, refs []EndpointRef) ([]Health, error)

	// Event returns an event and the ids of the endpoints it went to. Errors: [ErrNotFound].
	Event(ctx context.Context, ref EventRef) (Event, []string, error)
	// Delivery returns how a delivery stands. Errors: [ErrNotFound].
	Delivery(ctx context.Context, ref DeliveryRef) (Delivery, error)
	// Deliveries returns how deliveries stand, in the order of the input; one
	// that is not known has no State.
	Deliveries(ctx context.Context, refs []DeliveryRef) ([]Delivery, error)
	// Events returns a page of a brand's events, newest first, each with the ids
	// of the endpoints it went to. A page ends early when its payloads are large.
	// An event stands in the list a moment after it was accepted. Errors: a
	// [FieldError] of "cursor" when After is no place in the list.
	Events(ctx context.Context, q EventQuery) (Page[Fanout], error)
	// LastAttempts returns the last attempt that is kept of each delivery, in the
	// order of the input; nil where there is none.
	LastAttempts(ctx context.Context, refs []DeliveryRef) ([]*Attempt, error)
	// Attempts returns the kept attempts of a delivery, oldest first.
	Attempts(ctx context.Context, ref DeliveryRef) ([]Attempt, error)
	// AttemptLog returns a page of a brand's attempts, the last recorded first,
	// those of tests included. Errors: as Events.
	AttemptLog(ctx context.Context, q AttemptQuery) (Page[Attempt], error)
	// RecordTest keeps the attempt of a test beside those of deliveries.
	RecordTest(ctx context.Context, a Attempt) error
	// DeadLetters returns a page of a brand's dead letters, the last to die
	// first. Errors: as Events.
	DeadLetters(ctx context.Context, q DeadLetterQuery) (Page[DeadLetter], error)

	// CreateKey keeps a key of the API.
	CreateKey(ctx context.Context, k APIKey) error
	// Key returns one. Errors: [ErrNotFound].
	Key(ctx context.Context, id string) (APIKey, error)
	// Keys returns all, by id, and so the oldest first.
	Keys(ctx context.Context) ([]APIKey, error)
	// DeleteKey forgets one. Errors: [ErrNotFound].
	DeleteKey(ctx context.Context, id string) error

	// Tags is the number of parts that Survey looks at, one at a time.
	Tags() int
	// Survey takes the tag's lock for a few seconds and answers what to look
	// at; nothing when another process has the lock.
	Survey(ctx context.Context, tag int) (Survey, error)
	// Inspect looks at one endpoint: releases what may run, and says what needs care.
	Inspect(ctx context.Context, ref EndpointRef) (Backlog, error)
	// Redrive gives a delivery whose task is lost a new run, or its place in
	// the line; nothing when the run is no longer the current one.
	Redrive(ctx context.Context, lost Run) (Release, error)

	// Servers answers what the servers that are written to say of themselves, by address.
	Servers(ctx context.Context) ([]ServerInfo, error)
	// Ping returns an error unless the store answers, and how far its clock is ahead of this process.
	Ping(ctx context.Context) (skew time.Duration, err error)
}

// TaskState is what the queue knows of a run.
type TaskState int

// The states of a task.
const (
	// TaskAlive: pending, scheduled, to be retried, or active with a live lease.
	TaskAlive TaskState = iota
	// TaskMissing: the queue does not know it.
	TaskMissing
	// TaskAbandoned: active, but its worker's lease is over.
	TaskAbandoned
	// TaskEnded: archived or completed.
	TaskEnded
	// TaskOrphaned: its state says where it is, and there it is not: no worker will find it.
	TaskOrphaned
)

// String names the state as a cause of a re-drive.
func (s TaskState) String() string {
	return [...]string{"alive", "missing", "abandoned", "ended", "orphaned"}[s]
}

// Queue runs what may run now. It carries ids only.
//
// Safe for concurrent use. Errors wrap [ErrUnavailable].
type Queue interface {
	// QueueFor names the Asynq queue of an endpoint's live deliveries.
	QueueFor(ref EndpointRef) string
	// Enqueue makes every run a task. A run that is a task already is left as it is.
	Enqueue(ctx context.Context, runs []Run) error
	// Schedule makes a wake-up a task of its time, one for each endpoint: one that
	// is there already is left as it is.
	Schedule(ctx context.Context, w Wakeup) error
	// Inspect answers the states of runs, in the order of the input.
	Inspect(ctx context.Context, runs []Run) ([]TaskState, error)
	// Remove takes whatever is left of a run's task out of the queue.
	Remove(ctx context.Context, run Run) error
	// Run takes tasks and calls their handlers, until ctx ends; then it takes no
	// more, waits for the handlers, and returns nil after a clean drain. A nil
	// error of a handler ends the task, a [RetryError] repeats it later, any other
	// error repeats it after a moment.
	Run(ctx context.Context, h Handlers) error
}

// Handlers do what tasks ask for. Both are required.
type Handlers struct {
	// Deliver takes a run.
	Deliver func(ctx context.Context, run Run) error
	// Wake takes a wake-up; early when somebody had it run well before its time.
	Wake func(ctx context.Context, ref EndpointRef, early bool) error
}

// Sender makes the POST. It never returns an error: every failure is a
// Response with its reason, by the deadline of the request.
type Sender interface {
	Send(ctx context.Context, r Request) Response
}

// Checker looks at a URL as a [Sender] would, without sending an event.
type Checker interface {
	// Check says what it found, by a deadline of its own or that of ctx.
	Check(ctx context.Context, url string) Check
}
