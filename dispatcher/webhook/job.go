package webhook

import (
	"slices"
	"time"
)

// JobKind says what a job does.
type JobKind string

// The kinds of jobs.
const (
	// JobRecover sends what an endpoint missed once more: deliveries that died, expired or were
	// never sent, also because the endpoint did not exist yet.
	JobRecover JobKind = "recover"
	// JobResend sends dead letters once more.
	JobResend JobKind = "deadLetterResend"
	// JobDelete deletes dead letters.
	JobDelete JobKind = "deadLetterDelete"
	// JobErase deletes everything of a brand.
	JobErase JobKind = "brandErase"
)

// JobState says how far a job is.
type JobState string

// The states of a job.
const (
	JobRunning JobState = "running"
	// JobDone: all that matched was handed over, or deleted. What was sent may still be open.
	JobDone JobState = "done"
	// JobCancelled: nothing more is matched. What was sent goes on.
	JobCancelled JobState = "cancelled"
)

// Limits of a job.
const (
	// MaxJobEvents bounds JobSpec.EventIDs.
	MaxJobEvents = 500
	// MaxJobPace bounds JobSpec.PerSecond.
	MaxJobPace = 10_000
)

// JobSpec asks for a job.
type JobSpec struct {
	Kind  JobKind
	Brand string
	// EndpointID is required of JobRecover. Empty: all endpoints of the brand.
	EndpointID string
	// EventIDs picks dead letters of these events, at most MaxJobEvents; empty for all.
	EventIDs []string
	// Span bounds when the events of a JobRecover were published, and when dead
	// letters died. A zero Until is the moment the job begins.
	Span
	// PerSecond bounds how many are sent a second, up to MaxJobPace; 0 means as
	// many as the endpoints take beside what comes in.
	PerSecond float64
}

// Validate checks the rules of a spec. Errors are [FieldError]s, in the vocabulary of the API.
func (s JobSpec) Validate() error {
	if err := CheckID("brand", s.Brand); err != nil {
		return err
	}
	if s.EndpointID != "" {
		if err := CheckID("endpointId", s.EndpointID); err != nil {
			return err
		}
	}
	for _, id := range s.EventIDs {
		if err := CheckID("eventIds", id); err != nil {
			return err
		}
	}
	switch {
	case !slices.Contains([]JobKind{JobRecover, JobResend, JobDelete, JobErase}, s.Kind):
		return Invalid("kind", "must be one of %s, %s, %s, %s", JobRecover, JobResend, JobDelete, JobErase)
	case s.Kind == JobRecover && s.EndpointID == "":
		return Invalid("endpointId", "is required")
	case s.Kind == JobRecover && s.Since.IsZero():
		return Invalid("since", "is required")
	case len(s.EventIDs) > MaxJobEvents:
		return Invalid("eventIds", "must be at most %d", MaxJobEvents)
	case len(s.EventIDs) > 0 && s.Kind != JobResend && s.Kind != JobDelete:
		return Invalid("eventIds", "must be absent: it picks dead letters")
	case !s.Until.IsZero() && !s.Until.After(s.Since):
		return Invalid("until", "must be after since")
	case !(s.PerSecond == 0 || s.PerSecond >= 0.001 && s.PerSecond <= MaxJobPace): // NaN too
		return Invalid("perSecond", "must be 0.001 to %d, or absent", MaxJobPace)
	}
	return nil
}

// Job is work on many deliveries that any worker does, and goes on with after another's end.
type Job struct {
	ID string
	JobSpec
	State JobState
	Account
	StartedAt time.Time
	// FinishedAt is zero while the job runs.
	FinishedAt time.Time
}

// Account says what became of what a job matched:
// Matched = Delivered + Dead + Skipped + Open + Deleted, at any time.
type Account struct {
	// Matched counts the deliveries that were found to be the job's so far.
	Matched int
	// Sent counts those that were given another beginning.
	Sent int
	// Delivered and Dead count how those ended that the job sent.
	Delivered, Dead int
	// Skipped counts those that could not be sent, as their payload is no longer kept or their endpoint
	// was deleted, and those that were cancelled after they were sent.
	Skipped int
	// Deleted counts what was deleted: dead letters of a JobDelete, events of a JobErase.
	Deleted int
	// Open counts those that were sent and have no outcome yet.
	Open int
}

// JobQuery asks for jobs, the last begun first.
type JobQuery struct {
	// Brand is empty for the jobs of all.
	Brand string
	Slice
}

// Reopening says which settled deliveries begin once more, and how.
type Reopening struct {
	// Trigger is TriggerResend or TriggerRecover.
	Trigger Trigger
	// States are those that are meant; StateNone is a delivery that never was.
	States []State
	// Published bounds when the event was published.
	Published Span
	// Job is the id of the job whose account it is on; empty for none. Such
	// deliveries go through the bulk lane, and wait behind all others of their line.
	Job string
	// Hurry makes a delivery that waits for its retry time due now.
	Hurry bool
	// DryRun changes nothing, and answers what would be done.
	DryRun bool
}

// Reopened says what became of a delivery that was to begin once more.
type Reopened string

// What may become of it.
const (
	// ReopenedSent: it has another beginning, or is due now.
	ReopenedSent Reopened = "sent"
	// ReopenedOpen: it is open, and stays as it is.
	ReopenedOpen Reopened = "open"
	// ReopenedOther: it is not one of those that are meant, or was reopened by the same job before.
	ReopenedOther Reopened = "other"
	// ReopenedNoBody: the event's payload is no longer kept.
	ReopenedNoBody Reopened = "noBody"
	// ReopenedGone: its endpoint was deleted, or never was.
	ReopenedGone Reopened = "gone"
)
