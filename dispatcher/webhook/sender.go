package webhook

import "context"

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
