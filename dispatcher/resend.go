package dispatcher

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// settledStates are those of deliveries that may begin once more.
func settledStates() []webhook.State {
	return []webhook.State{webhook.StateDelivered, webhook.StateDead, webhook.StateExpired, webhook.StateCancelled, webhook.StateNotSent, webhook.StateNone}
}

// Resend sends an event once more, with the same id: its settled deliveries begin anew, with all their
// attempts before them, and one that waits for its retry time is due now. One that is in its line or being attempted
// stays as it is: there is never a second copy. With an empty endpointID it goes to all endpoints that it went to and that
// there still are; else to this one, also if it never went there. The event's ExpiresAt no longer counts. Answers how these
// deliveries stand.
//
// Errors: [webhook.ErrNotFound] (event or endpoint); [webhook.ErrConflict] when the payload is no longer
// kept; [webhook.ErrUnavailable].
func (d *Dispatcher) Resend(ctx context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Delivery, error) {
	return within(ctx, d, "resend", func(ctx context.Context) ([]webhook.Delivery, error) {
		refs, err := d.deliveriesOf(ctx, ref, endpointID)
		if err != nil {
			return nil, err
		}
		if err := d.gauge.room(ctx); err != nil {
			return nil, err
		}
		done, releases, err := d.store.Reopen(ctx, refs, webhook.Reopening{Trigger: webhook.TriggerResend, States: settledStates(), Hurry: true})
		d.followAll(ctx, releases)
		if err != nil {
			return nil, err
		}
		switch {
		case endpointID != "" && done[0] == webhook.ReopenedGone:
			return nil, fmt.Errorf("endpoint %s: %w", endpointID, webhook.ErrNotFound)
		case slices.Contains(done, webhook.ReopenedNoBody):
			return nil, fmt.Errorf("the event's payload is no longer kept: %w", webhook.ErrConflict)
		}
		for i, what := range done {
			if what == webhook.ReopenedSent {
				d.log.InfoContext(ctx, "delivery sent once more", "brand", ref.Brand, "event", ref.ID, "endpoint", refs[i].EndpointID)
			}
		}
		return d.known(ctx, refs)
	})
}

// Cancel ends the open deliveries of an event, or that to one endpoint: nothing more is sent. An attempt in
// flight ends, and is kept. Answers how these deliveries stand. Errors: [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) Cancel(ctx context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Delivery, error) {
	return within(ctx, d, "cancel", func(ctx context.Context) ([]webhook.Delivery, error) {
		refs, err := d.deliveriesOf(ctx, ref, endpointID)
		if err != nil {
			return nil, err
		}
		for _, delivery := range refs {
			cancelled, r, err := d.store.Cancel(ctx, delivery)
			if err != nil {
				return nil, err
			}
			if cancelled {
				d.log.InfoContext(ctx, "delivery cancelled", "brand", ref.Brand, "event", ref.ID, "endpoint", delivery.EndpointID)
			}
			d.follow(ctx, delivery.Endpoint(), r)
		}
		found, err := d.known(ctx, refs)
		if err == nil && endpointID != "" && len(found) == 0 {
			err = fmt.Errorf("endpoint %s: %w", endpointID, webhook.ErrNotFound)
		}
		return found, err
	})
}

// SignedRequest answers the POST of a delivery as it would be made now: freshly signed, with the values of the endpoint's
// own headers, which are secrets. Nothing is sent or recorded. Errors: [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) SignedRequest(ctx context.Context, ref webhook.DeliveryRef) (webhook.Request, error) {
	return within(ctx, d, "signed request", func(ctx context.Context) (webhook.Request, error) {
		e, _, err := d.store.Event(ctx, ref.Event())
		if err != nil {
			return webhook.Request{}, err
		}
		endpoint, err := d.store.Endpoint(ctx, ref.Endpoint())
		if err != nil {
			return webhook.Request{}, err
		}
		stands, err := d.store.Deliveries(ctx, []webhook.DeliveryRef{ref})
		if err != nil {
			return webhook.Request{}, err
		}
		number := 1 // of what begins once more
		if stands[0].State.Open() {
			number = stands[0].Attempts + 1
		}
		r, err := d.request(&webhook.Claim{Event: e, Endpoint: &endpoint, Number: number}, time.Now())
		if err != nil {
			return r, err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("User-Agent", cmp.Or(d.cfg.Egress.UserAgent, "outhook"))
		return r, nil
	})
}

// deliveriesOf are those of an event, or the one that is meant, whether there is such a one or not.
func (d *Dispatcher) deliveriesOf(ctx context.Context, ref webhook.EventRef, endpointID string) ([]webhook.DeliveryRef, error) {
	_, ids, err := d.store.Event(ctx, ref)
	if err != nil {
		return nil, err
	}
	if endpointID != "" {
		ids = []string{endpointID}
	}
	refs := make([]webhook.DeliveryRef, len(ids))
	for i, id := range ids {
		refs[i] = webhook.DeliveryRef{Brand: ref.Brand, EventID: ref.ID, EndpointID: id}
	}
	return refs, nil
}

// known are how deliveries stand, those left out of which nothing is known.
func (d *Dispatcher) known(ctx context.Context, refs []webhook.DeliveryRef) ([]webhook.Delivery, error) {
	found, err := d.store.Deliveries(ctx, refs)
	return slices.DeleteFunc(found, func(delivery webhook.Delivery) bool { return delivery.State == webhook.StateNone }), err
}
