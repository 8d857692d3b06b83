package dispatcher

import (
	"context"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// heads reads of events what stands before their payloads.
type heads interface {
	TypesOf(ctx context.Context, refs []webhook.EventRef) ([]string, error)
}

// TypesOf answers the types of events, in the order of the input and in one round trip, however large their payloads are;
// empty for one whose body is not kept. It is for pages that list tasks. Errors: [webhook.ErrUnavailable].
func (d *Dispatcher) TypesOf(ctx context.Context, refs []webhook.EventRef) ([]string, error) {
	return within(ctx, d, "types", func(ctx context.Context) ([]string, error) { return d.heads.TypesOf(ctx, refs) })
}
