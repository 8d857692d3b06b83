package webhook

import (
	"context"
	"time"
)

// Store keeps events, endpoints and the ledger: every open delivery in exactly
// one of waiting, running and retrying, until an outcome is recorded.
//
// Safe for concurrent use by any number of processes. Every method may return
// an error that wraps [ErrUnavailable]; then it is unknown whether anything was
// written, and the call may be repeated. Returned slices belong to the caller.
type Store interface {
	// Admit writes events down and gives every delivery a slot or a place in
	// its line. Answers are in the order of the input. Repeating it finishes
	// what was left unfinished, and never sends twice. What may be done at once
	// ([Fanout].AtOnce) it may finish too.
	Admit(ctx context.Context, fanouts []Fanout) ([]Admitted, error)
	// Finish takes events, whose runs are enqueued now, out of the list of
	// unfinished fan-outs and into the list of their brand's events. One
	// without a type, whose body is gone, goes into no list.
	Finish(ctx context.Context, events []Event) error

	// Claim decides whether a task may be attempted now, and hands over what the attempt needs.
	Claim(ctx context.Context, run Run) (*Claim, error)
	// Record saves an attempt and the delivery's new state, draws from it what it
	// means for the endpoint's gates, and answers what it released. Recording an
	// attempt id twice answers the same runs. A settlement of an old run saves its
	// attempt, and changes the state only when it was delivered.
	Record(ctx context.Context, s *Settlement) (Release, error)
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

	// Reopen gives settled deliveries of one brand another beginning, in the order of the input, and
	// answers what each led to. Their events' lifetime is raised before. Releases are of their endpoints.
	Reopen(ctx context.Context, refs []DeliveryRef, how Reopening) (done []Reopened, releases []Release, err error)
	// Cancel settles an open delivery as cancelled, wherever it is: an attempt in
	// flight ends and is kept. cancelled is false when it was not open.
	Cancel(ctx context.Context, ref DeliveryRef) (cancelled bool, r Release, err error)
	// DeleteDead deletes dead letters of one endpoint, on a job's account, and answers how many there were.
	DeleteDead(ctx context.Context, ref EndpointRef, events []string, job string) (int, error)
	// Died answers which deliveries of an endpoint died within the span, the first to die first, from after the place on;
	// next is empty at the end.
	Died(ctx context.Context, ref EndpointRef, span Span, after string, limit int) (events []string, next string, err error)
	// Published answers the events of a brand that may have been published within the span, in the order of
	// their fan-outs, from after the place on, without their payloads and times; next is empty at the end.
	Published(ctx context.Context, brand string, span Span, after string, limit int) (events []Event, next string, err error)

	// EraseEvents deletes events of a brand, and everything of their deliveries; endpoints are those that they
	// may have gone to, beside those that they were published to.
	EraseEvents(ctx context.Context, brand string, events, endpoints []string) error
	// EraseBrand deletes what is left of a brand whose endpoints, keys and events are deleted. Tombstones stay.
	EraseBrand(ctx context.Context, brand string, endpoints []string) error

	// CreateJob keeps a job, for any worker to take up. endpoints are those whose accounts are its.
	CreateJob(ctx context.Context, j Job, endpoints []string) error
	// Job returns one, with its account. Errors: [ErrNotFound].
	Job(ctx context.Context, id string) (Job, error)
	// Jobs returns a page of jobs, the last begun first. Errors: as Events.
	Jobs(ctx context.Context, q JobQuery) (Page[Job], error)
	// CountJobs counts a brand's jobs that run, and those that began since then.
	CountJobs(ctx context.Context, brand string, since time.Time) (running, begun int, err error)
	// CancelJob ends a job that runs; nothing happens to one that ended. Errors: [ErrNotFound].
	CancelJob(ctx context.Context, id string) error
	// TakeJob gives a running job that nobody works on to owner, for some seconds; ok is false when there is none.
	TakeJob(ctx context.Context, owner string) (t TakenJob, ok bool, err error)
	// SaveJob keeps how far the job of owner is, and gives it to owner for some seconds more; ok is false
	// when it is no longer the owner's, or was cancelled, and nothing was kept then.
	SaveJob(ctx context.Context, id, owner string, p JobProgress) (ok bool, err error)

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
