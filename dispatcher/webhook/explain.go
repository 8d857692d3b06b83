package webhook

// Explanation says of one event why it has or has not arrived where.
type Explanation struct {
	Event Event
	// Endpoints are all endpoints of the brand, and those that the event went to
	// and that were deleted since, by id.
	Endpoints []Explained
}

// Explained is what became of an event at one endpoint.
type Explained struct {
	EndpointID string
	// Matched tells whether the event was to go there.
	Matched bool
	// Text says it in a sentence.
	Text string
	// Delivery is nil when there is none, or none is kept.
	Delivery *Delivery
	// LastAttempt is nil when none was made, or none is kept.
	LastAttempt *Attempt
}
