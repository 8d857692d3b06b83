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
	// Health answers how endpoints of one brand are doing, in the order of the input.
	Health(ctx context.Context, refs []webhook.EndpointRef) ([]webhook.Health, error)
	// DeadLetters returns a page of dead letters, the last to die first.
	DeadLetters(ctx context.Context, q webhook.DeadLetterQuery) (webhook.Page[webhook.DeadLetter], error)
}
