package dispatcher

import (
	"context"
	"errors"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Event returns an event and how each of its deliveries stands. Errors:
// [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) Event(ctx context.Context, ref webhook.EventRef) (webhook.EventStatus, error) {
	return within(ctx, d, "event", func(ctx context.Context) (webhook.EventStatus, error) { return d.event(ctx, ref) })
}

func (d *Dispatcher) event(ctx context.Context, ref webhook.EventRef) (webhook.EventStatus, error) {
	e, endpoints, err := d.store.Event(ctx, ref)
	if err != nil {
		return webhook.EventStatus{}, err
	}
	status := webhook.EventStatus{Event: e}
	for _, id := range endpoints {
		delivery, err := d.store.Delivery(ctx, webhook.DeliveryRef{Brand: ref.Brand, EventID: ref.ID, EndpointID: id})
		if errors.Is(err, webhook.ErrNotFound) {
			continue // its endpoint was deleted before, or its record is past its retention
		}
		if err != nil {
			return webhook.EventStatus{}, err
		}
		status.Deliveries = append(status.Deliveries, delivery)
	}
	return status, nil
}

// Attempts returns the kept attempts of an event, oldest first: of one
// endpoint, or of all when endpointID is empty. Errors: [webhook.ErrNotFound],
// [webhook.ErrUnavailable].
func (d *Dispatcher) Attempts(ctx context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Attempt, error) {
	return within(ctx, d, "attempts", func(ctx context.Context) ([]webhook.Attempt, error) {
		return d.attempts(ctx, ref, endpointID)
	})
}

func (d *Dispatcher) attempts(ctx context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Attempt, error) {
	_, endpoints, err := d.store.Event(ctx, ref)
	if err != nil {
		return nil, err
	}
	var attempts []webhook.Attempt
	for _, id := range endpoints {
		if endpointID != "" && id != endpointID {
			continue
		}
		some, err := d.store.Attempts(ctx, webhook.DeliveryRef{Brand: ref.Brand, EventID: ref.ID, EndpointID: id})
		if err != nil {
			return nil, err
		}
		attempts = append(attempts, some...)
	}
	return attempts, nil
}
