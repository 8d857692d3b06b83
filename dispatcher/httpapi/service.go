package httpapi

import (
	"context"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Service is what the API needs of a dispatcher. It checks every rule that is
// not about HTTP or JSON.
//
// Safe for concurrent use; ends when ctx ends. Every method may return a
// [webhook.FieldError], whose field is a path in the vocabulary of the API, and
// an error that wraps [webhook.ErrUnavailable]. Returned slices belong to the caller.
type Service interface {
	// Publish accepts one event. Errors: [webhook.ErrConflict].
	Publish(ctx context.Context, e webhook.Event) (webhook.Receipt, error)
	// PublishBatch accepts events and answers in their order. An error means
	// that the store was lost midway, and speaks for the whole batch.
	PublishBatch(ctx context.Context, events []webhook.Event) ([]webhook.Result, error)

	// CreateEndpoint stores an endpoint; a secret that it made is in
	// stored.Secrets[0]. The same id with the same settings again answers what is
	// stored and created=false. Errors: [webhook.ErrConflict], [webhook.ErrLimit].
	CreateEndpoint(ctx context.Context, e webhook.Endpoint) (stored webhook.Endpoint, created bool, err error)
	// Endpoints returns all endpoints of a brand, in any order.
	Endpoints(ctx context.Context, brand string) ([]webhook.Endpoint, error)
	// Endpoint returns one endpoint. Errors: [webhook.ErrNotFound].
	Endpoint(ctx context.Context, ref webhook.EndpointRef) (webhook.Endpoint, error)

	// Event returns an event and its deliveries. Errors: [webhook.ErrNotFound].
	Event(ctx context.Context, ref webhook.EventRef) (webhook.EventStatus, error)
	// Attempts returns the kept attempts of an event, in any order: of one
	// endpoint, or of all when endpointID is empty. Errors: [webhook.ErrNotFound].
	Attempts(ctx context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Attempt, error)
}
