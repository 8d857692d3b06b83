package console

import (
	"context"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Service is what the pages need of a dispatcher, which checks every rule that is not about forms.
//
// Safe for concurrent use; ends when ctx ends. Every method may return a [webhook.FieldError], whose field is a path in
// the vocabulary of the API, and an error that wraps [webhook.ErrUnavailable]. Returned slices belong to the caller.
type Service interface {
	// EventTypes returns the catalogue; always the same.
	EventTypes() []webhook.EventType
	// Brands answers some brands, in no order, from after the place on: empty at the beginning; next is empty at the end.
	Brands(ctx context.Context, after string) (brands []string, next string, err error)
	// BrandHealth answers how all endpoints of a brand are doing together.
	BrandHealth(ctx context.Context, brand string) (webhook.BrandHealth, error)
	// Key returns an API key that was not revoked. Errors: [webhook.ErrNotFound].
	Key(ctx context.Context, id string) (webhook.APIKey, error)

	// Endpoints returns all endpoints of a brand, in any order.
	Endpoints(ctx context.Context, brand string) ([]webhook.Endpoint, error)
	// Endpoint returns one endpoint. Errors: [webhook.ErrNotFound].
	Endpoint(ctx context.Context, ref webhook.EndpointRef) (webhook.Endpoint, error)
	// CreateEndpoint stores an endpoint; a secret that it made is in stored.Secrets[0]. The same id with the same settings
	// again answers what is stored and created=false. Errors: [webhook.ErrConflict], [webhook.ErrLimit].
	CreateEndpoint(ctx context.Context, e webhook.Endpoint) (stored webhook.Endpoint, created bool, err error)
	// UpdateEndpoint applies change to what stands, perhaps several times, and answers what stands then. An error of change
	// is answered as it is. Errors: [webhook.ErrNotFound].
	UpdateEndpoint(ctx context.Context, ref webhook.EndpointRef, change func(*webhook.Endpoint) error) (webhook.Endpoint, error)
	// DeleteEndpoint ends an endpoint and what is open for it. Errors: [webhook.ErrNotFound].
	DeleteEndpoint(ctx context.Context, ref webhook.EndpointRef) error
	// RotateSecret gives an endpoint a new secret, which is Secrets[0] of the answer. Errors: [webhook.ErrNotFound],
	// [webhook.ErrLimit].
	RotateSecret(ctx context.Context, ref webhook.EndpointRef, r webhook.Rotation) (webhook.Endpoint, error)
	// TestEndpoint sends one signed sample now and answers the attempt; an empty eventType is the first that the endpoint
	// wants. Takes as long as an attempt may. Errors: [webhook.ErrNotFound], [webhook.ErrBusy].
	TestEndpoint(ctx context.Context, ref webhook.EndpointRef, eventType string) (webhook.Attempt, error)
	// CheckURL looks at a URL as a delivery would. Errors: [webhook.ErrBusy].
	CheckURL(ctx context.Context, brand, url string) (webhook.Check, error)
	// Health answers how endpoints of one brand are doing, in the order of the input.
	Health(ctx context.Context, refs []webhook.EndpointRef) ([]webhook.Health, error)

	// Events returns a page of a brand's events, newest first.
	Events(ctx context.Context, q webhook.EventQuery) (webhook.Page[webhook.EventStatus], error)
	// Explain says why an event has or has not arrived at each endpoint. Errors: [webhook.ErrNotFound].
	Explain(ctx context.Context, ref webhook.EventRef) (webhook.Explanation, error)
	// Attempts returns a page of attempts, the last recorded first.
	Attempts(ctx context.Context, q webhook.AttemptQuery) (webhook.Page[webhook.Attempt], error)
	// Resend sends an event once more, to all endpoints that it went to, or with an endpointID to this one. Errors:
	// [webhook.ErrNotFound]; [webhook.ErrConflict] when the payload is no longer kept.
	Resend(ctx context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Delivery, error)
	// Cancel ends the open deliveries of an event, or that to one endpoint. Errors: [webhook.ErrNotFound].
	Cancel(ctx context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Delivery, error)
	// SignedRequest answers the POST of a delivery as it would be made now, freshly signed, secrets of the endpoint's
	// headers included. Errors: [webhook.ErrNotFound].
	SignedRequest(ctx context.Context, ref webhook.DeliveryRef) (webhook.Request, error)
	// DeadLetters returns a page of dead letters, the last to die first.
	DeadLetters(ctx context.Context, q webhook.DeadLetterQuery) (webhook.Page[webhook.DeadLetter], error)

	// StartJob begins a job, which workers do. Errors: [webhook.ErrNotFound] (endpoint).
	StartJob(ctx context.Context, spec webhook.JobSpec) (webhook.Job, error)
	// CountJob answers how many deliveries a job would match now, and changes nothing. It may take a while. Errors:
	// [webhook.ErrNotFound] (endpoint); [webhook.ErrBusy] when it takes too long.
	CountJob(ctx context.Context, spec webhook.JobSpec) (matched int, err error)
	// Job returns one job, of whatever brand. Errors: [webhook.ErrNotFound].
	Job(ctx context.Context, id string) (webhook.Job, error)
	// Jobs returns a page of jobs, the last begun first.
	Jobs(ctx context.Context, q webhook.JobQuery) (webhook.Page[webhook.Job], error)
	// CancelJob ends a job, if it still runs; what it sent goes on. Errors: [webhook.ErrNotFound].
	CancelJob(ctx context.Context, id string) (webhook.Job, error)
}
