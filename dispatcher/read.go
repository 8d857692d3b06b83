package dispatcher

import (
	"context"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// EventTypes returns the catalogue: the built-in types in the documented order,
// then those of the config. The result belongs to the caller.
func (d *Dispatcher) EventTypes() []webhook.EventType { return d.catalog.Types() }

// Events returns a page of a brand's events, newest first, each with how its
// deliveries stand. Errors: [webhook.FieldError] of "cursor", [webhook.ErrUnavailable].
func (d *Dispatcher) Events(ctx context.Context, q webhook.EventQuery) (webhook.Page[webhook.EventStatus], error) {
	return within(ctx, d, "events", func(ctx context.Context) (webhook.Page[webhook.EventStatus], error) {
		found, err := d.store.Events(ctx, q)
		if err != nil {
			return webhook.Page[webhook.EventStatus]{}, err
		}
		statuses, err := d.statuses(ctx, found.Items)
		return webhook.Page[webhook.EventStatus]{Items: statuses, Next: found.Next}, err
	})
}

// Event returns an event and how each of its deliveries stands. Errors:
// [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) Event(ctx context.Context, ref webhook.EventRef) (webhook.EventStatus, error) {
	return within(ctx, d, "event", func(ctx context.Context) (webhook.EventStatus, error) {
		e, endpoints, err := d.store.Event(ctx, ref)
		if err != nil {
			return webhook.EventStatus{}, err
		}
		statuses, err := d.statuses(ctx, []webhook.Fanout{{Event: e, Endpoints: endpoints}})
		if err != nil {
			return webhook.EventStatus{}, err
		}
		return statuses[0], nil
	})
}

// statuses adds the deliveries to events. One whose record is past its
// retention, or whose endpoint was deleted before, is left out.
func (d *Dispatcher) statuses(ctx context.Context, events []webhook.Fanout) ([]webhook.EventStatus, error) {
	statuses := make([]webhook.EventStatus, len(events))
	var refs []webhook.DeliveryRef
	var of []int
	for i, f := range events {
		statuses[i].Event = f.Event
		for _, id := range f.Endpoints {
			refs = append(refs, webhook.DeliveryRef{Brand: f.Event.Brand, EventID: f.Event.ID, EndpointID: id})
			of = append(of, i)
		}
	}
	deliveries, err := d.store.Deliveries(ctx, refs)
	if err != nil {
		return nil, err
	}
	for i, delivery := range deliveries {
		if delivery.State != "" {
			statuses[of[i]].Deliveries = append(statuses[of[i]].Deliveries, delivery)
		}
	}
	return statuses, nil
}

// Attempts returns a page of a brand's attempts, the last recorded first.
// Errors: [webhook.FieldError] of "cursor", [webhook.ErrUnavailable].
func (d *Dispatcher) Attempts(ctx context.Context, q webhook.AttemptQuery) (webhook.Page[webhook.Attempt], error) {
	return within(ctx, d, "attempts", func(ctx context.Context) (webhook.Page[webhook.Attempt], error) {
		return d.store.AttemptLog(ctx, q)
	})
}

// DeadLetters returns a page of a brand's dead letters, the last to die first.
// Errors: [webhook.FieldError] of "cursor", [webhook.ErrUnavailable].
func (d *Dispatcher) DeadLetters(ctx context.Context, q webhook.DeadLetterQuery) (webhook.Page[webhook.DeadLetter], error) {
	return within(ctx, d, "dead letters", func(ctx context.Context) (webhook.Page[webhook.DeadLetter], error) {
		return d.store.DeadLetters(ctx, q)
	})
}

// BrandHealth answers how all endpoints of a brand are doing together. Errors: [webhook.ErrUnavailable].
func (d *Dispatcher) BrandHealth(ctx context.Context, brand string) (webhook.BrandHealth, error) {
	return within(ctx, d, "brand health", func(ctx context.Context) (webhook.BrandHealth, error) {
		endpoints, err := d.store.Routes(ctx, brand)
		if err != nil {
			return webhook.BrandHealth{}, err
		}
		refs := make([]webhook.EndpointRef, len(endpoints))
		for i, e := range endpoints {
			refs[i] = e.Ref()
		}
		all, err := d.store.Health(ctx, refs)
		if err != nil {
			return webhook.BrandHealth{}, err
		}
		var sum webhook.BrandHealth
		for i, h := range all {
			sum.Add(h, endpoints[i].DisabledReason != "")
		}
		return sum, nil
	})
}

// Health answers how endpoints are doing, in the order of the input. Errors: [webhook.ErrUnavailable].
func (d *Dispatcher) Health(ctx context.Context, refs []webhook.EndpointRef) ([]webhook.Health, error) {
	return within(ctx, d, "health", func(ctx context.Context) ([]webhook.Health, error) {
		return d.store.Health(ctx, refs)
	})
}
