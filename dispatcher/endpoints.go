package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// CreateEndpoint stores an endpoint and answers it as stored. An empty ID, and
// a secret when Secrets is empty, are made. The same id with the same settings
// again answers what is stored, created false.
//
// Errors: [webhook.FieldError]; [webhook.ErrConflict] when the id is taken by an
// endpoint with other settings; [webhook.ErrLimit]; [webhook.ErrUnavailable]; a
// [webhook.KeyError], as of CheckKeys, as nothing is sealed with keys that are wrong.
func (d *Dispatcher) CreateEndpoint(ctx context.Context, e webhook.Endpoint) (webhook.Endpoint, bool, error) {
	wanted, err := d.checkEndpoint(e)
	if err != nil {
		return webhook.Endpoint{}, false, err
	}
	now := time.Now().Truncate(time.Millisecond).UTC()
	wanted.CreatedAt, wanted.UpdatedAt = now, now
	if wanted.ID == "" {
		wanted.ID = webhook.NewID(webhook.EndpointPrefix)
	}
	if len(wanted.Secrets) == 0 {
		wanted.Secrets = []webhook.EndpointSecret{newSecret(wanted.Signature)}
	}
	created := false
	stored, err := within(ctx, d, "create endpoint", func(ctx context.Context) (stored webhook.Endpoint, err error) {
		defer d.matcher.forget(e.Brand)
		stored, created, err = d.store.CreateEndpoint(ctx, wanted)
		return stored, err
	})
	if errors.Is(err, webhook.ErrLimit) {
		err = fmt.Errorf("the brand has as many endpoints as it may have: %w", err)
	}
	if err != nil {
		return webhook.Endpoint{}, false, err
	}
	// Its own command, sent twice by the client, finds what it made itself.
	created = created || stored.CreatedAt.Equal(wanted.CreatedAt) && stored.Secrets[0].SameKey(wanted.Secrets[0])
	if !created && !sameSettings(stored, wanted, len(e.Secrets) > 0) {
		return webhook.Endpoint{}, false, webhook.ErrConflict
	}
	if created {
		d.log.InfoContext(ctx, "endpoint created", "brand", stored.Brand, "endpoint", stored.ID)
	}
	return stored, created, nil
}

// Endpoint returns one endpoint. Errors: [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) Endpoint(ctx context.Context, ref webhook.EndpointRef) (webhook.Endpoint, error) {
	return within(ctx, d, "endpoint", func(ctx context.Context) (webhook.Endpoint, error) {
		return d.store.Endpoint(ctx, ref)
	})
}

// Endpoints returns all endpoints of a brand, by id. Errors: [webhook.ErrUnavailable].
func (d *Dispatcher) Endpoints(ctx context.Context, brand string) ([]webhook.Endpoint, error) {
	return within(ctx, d, "endpoints", func(ctx context.Context) ([]webhook.Endpoint, error) {
		return d.store.Endpoints(ctx, brand)
	})
}

// UpdateEndpoint applies change to an endpoint as it stands, perhaps several
// times when others change it too, and answers it as it stands then. What was
// changed is checked as by CreateEndpoint; ID, Brand, Signature, Secrets and the
// times are not changed that way. It is in force for the next attempt of every
// delivery, waiting ones included, and within a second for new events.
//
// Errors: what change returns; [webhook.FieldError]; [webhook.ErrNotFound];
// [webhook.ErrUnavailable].
func (d *Dispatcher) UpdateEndpoint(ctx context.Context, ref webhook.EndpointRef, change func(*webhook.Endpoint) error) (webhook.Endpoint, error) {
	return d.change(ctx, "update endpoint", ref, func(e *webhook.Endpoint) error {
		changed := *e
		changed.Metadata, changed.Headers = maps.Clone(e.Metadata), maps.Clone(e.Headers)
		if err := change(&changed); err != nil {
			return err
		}
		if err := d.checkChange(*e, &changed); err != nil {
			return err
		}
		*e = changed
		return nil
	})
}

// errUnchanged keeps a change that is none from being stored.
var errUnchanged = errors.New("nothing to change")

// change updates an endpoint, and hands over what that released.
func (d *Dispatcher) change(ctx context.Context, verb string, ref webhook.EndpointRef, change func(*webhook.Endpoint) error) (webhook.Endpoint, error) {
	return within(ctx, d, verb, func(ctx context.Context) (webhook.Endpoint, error) {
		defer d.matcher.forget(ref.Brand)
		var before webhook.Endpoint
		e, freed, err := d.store.UpdateEndpoint(ctx, ref, func(e *webhook.Endpoint) error {
			before = *e
			if err := change(e); err != nil {
				return err
			}
			if reflect.DeepEqual(before, *e) {
				return errUnchanged
			}
			e.UpdatedAt = time.Now().Truncate(time.Millisecond).UTC()
			return nil
		})
		if errors.Is(err, errUnchanged) {
			return before, nil
		}
		if err != nil {
			return webhook.Endpoint{}, err
		}
		d.follow(ctx, ref, freed)
		d.logEdited(ctx, before, e)
		d.announceEnabled(ctx, before, e)
		return e, nil
	})
}

// checkChange checks what differs: what stood before may break a rule that is
// newer, and must not keep anybody from disabling the endpoint.
func (d *Dispatcher) checkChange(before webhook.Endpoint, e *webhook.Endpoint) error {
	e.ID, e.Brand, e.Signature, e.Secrets = before.ID, before.Brand, before.Signature, before.Secrets
	e.CreatedAt, e.UpdatedAt = before.CreatedAt, before.UpdatedAt
	if e.URL != before.URL {
		url, err := d.egress.NormalizeURL(e.URL)
		if err != nil {
			return err
		}
		e.URL = url
	}
	if !maps.Equal(e.Headers, before.Headers) {
		if err := egress.CheckHeaders(e.Headers); err != nil {
			return err
		}
	}
	if e.Purpose != before.Purpose || !slices.Equal(e.EventTypes, before.EventTypes) {
		if err := d.checkTypes(*e); err != nil {
			return err
		}
	}
	bounds := *e
	if e.MaxInFlight == before.MaxInFlight {
		bounds.MaxInFlight = 0
	}
	if e.RateLimit == before.RateLimit {
		bounds.RateLimit = webhook.RateLimit{}
	}
	if e.DisabledReason == before.DisabledReason {
		bounds.DisabledReason = ""
	}
	return d.checkBounds(bounds)
}

// DeleteEndpoint ends an endpoint: nothing is sent to it any more, and what is
// open is cancelled, by the workers where it is much. Its id stays taken for as
// long as an event may name it. Errors: [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) DeleteEndpoint(ctx context.Context, ref webhook.EndpointRef) error {
	_, err := within(ctx, d, "delete endpoint", func(ctx context.Context) (struct{}, error) {
		defer d.matcher.forget(ref.Brand)
		if err := d.store.DeleteEndpoint(ctx, ref); err != nil {
			return struct{}{}, err
		}
		d.log.InfoContext(ctx, "endpoint deleted", "brand", ref.Brand, "endpoint", ref.ID)
		if _, err := d.cancelOpen(ctx, ref); err != nil {
			d.log.WarnContext(ctx, "open deliveries of a deleted endpoint wait for the reconciler", "error", err)
		}
		return struct{}{}, nil
	})
	return err
}

// cancelOpen does one step of a deletion; more says that there are others.
func (d *Dispatcher) cancelOpen(ctx context.Context, ref webhook.EndpointRef) (more bool, err error) {
	cancelled, more, err := d.store.CancelOpen(ctx, ref)
	if cancelled > 0 {
		d.log.InfoContext(ctx, "deliveries of a deleted endpoint cancelled", "brand", ref.Brand, "endpoint", ref.ID, "deliveries", cancelled)
	}
	return more, err
}
