package httpapi

// DeliveriesRequest says which deliveries of an event are meant.
type DeliveriesRequest struct {
	// EndpointID is empty for all endpoints that the event went to.
	EndpointID string `json:"endpointId,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Only the delivery to this endpoint; all of the event when absent"`
}

// Deliveries are those that were meant, as they stand now.
type Deliveries struct {
	Deliveries []Delivery `json:"deliveries" nullable:"false" doc:"Those that were meant, as they stand now"`
}

// SignedRequest is the POST of a delivery as it would be made now.
type SignedRequest struct {
	Method string `json:"method" enum:"POST"`
	// URL is whole: its query is not redacted.
	URL string `json:"url" doc:"Whole: its query is not redacted"`
	// Headers are all that go out, those of the endpoint with their values; names in lower case.
	Headers map[string]string `json:"headers" doc:"All that go out, those of the endpoint with their values; names in lower case"`
	// Body is the payload, byte for byte; empty when it is no longer kept.
	Body string `json:"body,omitempty" doc:"The payload, byte for byte, as text; absent when it is no longer kept"`
}

// DeadLettersRequest says which dead letters are meant: with nothing set, all of the brand.
type DeadLettersRequest struct {
	// EventIDs picks dead letters of these events; empty for all.
	EventIDs []string `json:"eventIds,omitempty" nullable:"false" minItems:"1" maxItems:"500" doc:"Only those of these events"`
	// EndpointID is empty for all endpoints.
	EndpointID string `json:"endpointId,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Only those of this endpoint"`
	// Since and Until bound when they died: Since ≤ time < Until. Zero bounds
	// nothing; a zero Until is the moment the job begins.
	Since Time `json:"since,omitzero" doc:"Only what died then or later"`
	Until Time `json:"until,omitzero" doc:"Only what died before; the moment the job begins when absent"`
	// DryRun counts what matches, and does nothing.
	DryRun bool `json:"dryRun,omitempty" doc:"Only count what matches: nothing is done, and there is no job"`
}

// ResendDeadLettersRequest says which dead letters are sent once more, and how fast.
type ResendDeadLettersRequest struct {
	DeadLettersRequest
	// PerSecond bounds how many are sent a second, 0.001 to 10,000; 0 means as
	// many as the endpoints take beside what comes in.
	PerSecond float64 `json:"perSecond,omitempty" minimum:"0.001" maximum:"10000" doc:"How many are sent a second; as many as the endpoints take beside what comes in when absent"`
}

// RecoverRequest says what an endpoint gets once more: what died, expired or
// was never sent of the events that were published in a span.
type RecoverRequest struct {
	// Since and Until bound when the events were published: Since ≤ time < Until.
	// Since is required; a zero Until is the moment the job begins.
	Since Time `json:"since,omitzero" required:"true" doc:"Only what was published then or later"`
	Until Time `json:"until,omitzero" doc:"Only what was published before; the moment the job begins when absent"`
	// DryRun counts what matches, and does nothing.
	DryRun bool `json:"dryRun,omitempty" doc:"Only count what matches: nothing is done, and there is no job"`
	// PerSecond is as in [ResendDeadLettersRequest].
	PerSecond float64 `json:"perSecond,omitempty" minimum:"0.001" maximum:"10000" doc:"How many are sent a second; as many as the endpoint takes beside what comes in when absent"`
}

// EraseRequest asks to erase a brand. It has no fields: one that is given is
// refused, rather than passed over by what cannot be undone.
type EraseRequest struct{}

// Matched answers a dry run.
type Matched struct {
	Matched int `json:"matched" doc:"Deliveries that the job would match now"`
}

// Job is work on many deliveries, as it stands. At any time Matched = Delivered
// + Dead + Skipped + Deleted + Open.
type Job struct {
	ID    string `json:"id"`
	Kind  string `json:"kind" enum:"recover,deadLetterResend,deadLetterDelete,brandErase"`
	Brand string `json:"brand"`
	// EndpointID is empty for all endpoints of the brand.
	EndpointID string `json:"endpointId,omitempty" doc:"Absent for all endpoints of the brand"`
	// State is "running", "done" or "cancelled".
	State string `json:"state" enum:"running,done,cancelled" doc:"done: all that matched was handed over or deleted; what was sent may still be open"`
	// Matched counts what was found to be the job's so far.
	Matched int `json:"matched" doc:"Found to be the job's so far: delivered + dead + skipped + deleted + open"`
	// Sent counts what was given another beginning.
	Sent int `json:"sent" doc:"Given another beginning so far"`
	// Delivered and Dead count how those ended that were sent.
	Delivered int `json:"delivered" doc:"Of those sent, delivered"`
	Dead      int `json:"dead" doc:"Of those sent, given up again"`
	// Skipped counts what could not be sent, or was cancelled after it was.
	Skipped int `json:"skipped" doc:"Not sent, as the payload or the endpoint is gone, or cancelled after that"`
	// Deleted counts the dead letters, or events of a brand, that were deleted.
	Deleted int `json:"deleted" doc:"Deleted: dead letters, or events of a brand that is erased"`
	// Open counts what was sent and has no outcome yet.
	Open int `json:"open" doc:"Of those sent, without an outcome yet"`
	// PerSecond is 0 when nothing but the endpoints bounds the pace.
	PerSecond float64 `json:"perSecond,omitempty" doc:"How many are sent a second at most"`
	Since     Time    `json:"since,omitzero" doc:"What is meant begins here: time of publishing of a recover, of death otherwise"`
	Until     Time    `json:"until,omitzero" doc:"What is meant ends before"`
	StartedAt Time    `json:"startedAt"`
	// FinishedAt is zero while the job runs.
	FinishedAt Time `json:"finishedAt,omitzero" doc:"Absent while it runs"`
}

// Traffic is what the attempts of some time came to, those of tests left out.
type Traffic struct {
	Attempts  int `json:"attempts"`
	Delivered int `json:"delivered" doc:"Attempts that delivered"`
	// MeanMs and MaxMs are of how long attempts took; 0 when there was none.
	MeanMs int64 `json:"meanMs" doc:"How long an attempt took on average; 0 without one"`
	MaxMs  int64 `json:"maxMs" doc:"How long the longest took; 0 without one"`
	// Busy is how many attempts were in flight on average.
	Busy float64 `json:"busy" doc:"Attempts in flight on average: the share of the workers' time"`
}

// BrandHealth is how all endpoints of a brand are doing together.
type BrandHealth struct {
	Endpoints int `json:"endpoints" doc:"How many there are"`
	Disabled  int `json:"disabled" doc:"Of these, disabled"`
	Failing   int `json:"failing" doc:"Of these, resting or probed after failures: the breaker is not closed"`
	InFlight  int `json:"inFlight" doc:"Deliveries in the queue or being attempted"`
	Waiting   int `json:"waiting" doc:"Deliveries in the endpoints' lines"`
	Retrying  int `json:"retrying" doc:"Deliveries that wait for a retry"`
	// OldestWaitingAt is when the first that waits was published; zero when nobody waits.
	OldestWaitingAt Time    `json:"oldestWaitingAt,omitzero" doc:"When the first that waits was published"`
	LastHour        Traffic `json:"lastHour" doc:"What the attempts of the last hour came to"`
}
