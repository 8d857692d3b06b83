package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// Limits of what a brand may attach to an endpoint.
const (
	maxEventTypes    = 64
	maxDescription   = 512
	maxMetadata      = 50
	maxMetadataBytes = 4 << 10
	minPerSecond     = 0.001
	maxPerSecond     = 10_000
	maxBurst         = 10_000
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

// checkEndpoint returns the endpoint as it is to be stored.
func (d *Dispatcher) checkEndpoint(e webhook.Endpoint) (webhook.Endpoint, error) {
	if err := webhook.CheckID("brand", e.Brand); err != nil {
		return e, err
	}
	if e.ID != "" {
		if err := webhook.CheckID("id", e.ID); err != nil {
			return e, err
		}
	}
	url, err := d.egress.NormalizeURL(e.URL)
	if err != nil {
		return e, err
	}
	e.URL = url
	if err := egress.CheckHeaders(e.Headers); err != nil {
		return e, err
	}
	if err := d.checkTypes(e); err != nil {
		return e, err
	}
	if err := d.checkBounds(e); err != nil {
		return e, err
	}
	return checkSecret(e)
}

func (d *Dispatcher) checkTypes(e webhook.Endpoint) error {
	switch {
	case e.Purpose != "" && len(e.EventTypes) > 0:
		return webhook.Invalid("eventTypes", "must be absent when purpose is set: one of the two must be null")
	case e.Purpose != "" && e.Purpose != webhook.PurposeStatus && e.Purpose != webhook.PurposeInbound:
		return webhook.Invalid("purpose", "must be %q or %q", webhook.PurposeStatus, webhook.PurposeInbound)
	case e.Purpose == "" && len(e.EventTypes) == 0:
		return webhook.Invalid("eventTypes", "is required unless purpose is set")
	case len(e.EventTypes) > maxEventTypes:
		return webhook.Invalid("eventTypes", "must be at most %d", maxEventTypes)
	}
	for i, pattern := range e.EventTypes {
		err := d.catalog.CheckPattern(pattern)
		if broken, ok := errors.AsType[*webhook.FieldError](err); ok {
			return webhook.Invalid(fmt.Sprintf("%s[%d]", broken.Field, i), "%s", broken.Rule)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Dispatcher) checkBounds(e webhook.Endpoint) error {
	size := 0
	for name, value := range e.Metadata {
		size += len(name) + len(value)
		if !isPlain(name) || !isPlain(value) {
			return webhook.Invalid("metadata", "must be UTF-8 without control characters")
		}
	}
	switch {
	case e.Timeout != 0 && (e.Timeout < webhook.MinTimeout || e.Timeout > webhook.MaxTimeout):
		return webhook.Invalid("timeoutMs", "must be %d to %d", webhook.MinTimeout.Milliseconds(), webhook.MaxTimeout.Milliseconds())
	case !isRate(e.RateLimit):
		return webhook.Invalid("rateLimit", "perSecond must be %g to %d, and burst 1 to %d", minPerSecond, maxPerSecond, maxBurst)
	case e.MaxInFlight < 0 || e.MaxInFlight > d.cfg.MaxInFlight:
		return webhook.Invalid("maxInFlight", "must be 1 to %d, or 0 (the default)", d.cfg.MaxInFlight)
	case len(e.Metadata) > maxMetadata || size > maxMetadataBytes:
		return webhook.Invalid("metadata", "must be at most %d entries and %d bytes", maxMetadata, maxMetadataBytes)
	case e.DisabledReason != "" && e.DisabledReason != webhook.DisabledManually:
		return webhook.Invalid("disabledReason", "must be empty or %q", webhook.DisabledManually)
	}
	return checkDescription(e.Description)
}

// isRate tells whether a rate limit is one, or none.
func isRate(limit webhook.RateLimit) bool {
	if limit == (webhook.RateLimit{}) {
		return true
	}
	return limit.PerSecond >= minPerSecond && limit.PerSecond <= maxPerSecond && limit.Burst >= 0 && limit.Burst <= maxBurst
}

// isPlain tells whether text can do a terminal no harm.
func isPlain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

func checkDescription(text string) error {
	if len(text) > maxDescription || !isPlain(text) {
		return webhook.Invalid("description", "must be at most %d bytes of text without control characters", maxDescription)
	}
	return nil
}

func checkSecret(e webhook.Endpoint) (webhook.Endpoint, error) {
	if e.Signature == "" {
		e.Signature = webhook.SignatureHMAC
	}
	if e.Signature != webhook.SignatureHMAC && e.Signature != webhook.SignatureEd25519 {
		return e, webhook.Invalid("signature", "must be %q or %q", webhook.SignatureHMAC, webhook.SignatureEd25519)
	}
	if len(e.Secrets) > 1 {
		return e, webhook.Invalid("secret", "must be one")
	}
	for _, s := range e.Secrets {
		if s.HMAC.IsZero() != (e.Signature == webhook.SignatureEd25519) || s.Ed25519.IsZero() != (e.Signature == webhook.SignatureHMAC) {
			return e, webhook.Invalid("secret", "must be one for signature %q", e.Signature)
		}
	}
	return e, nil
}

func newSecret(signature string) webhook.EndpointSecret {
	if signature == webhook.SignatureEd25519 {
		return webhook.EndpointSecret{Ed25519: signer.NewPrivateKey()}
	}
	return webhook.EndpointSecret{HMAC: signer.NewSecret()}
}

// sameSettings tells whether a repeated create asks for what is stored. Whether
// it is disabled does not count: that changes without the one who created it.
func sameSettings(stored, wanted webhook.Endpoint, withSecret bool) bool {
	if withSecret && !stored.Secrets[0].SameKey(wanted.Secrets[0]) {
		return false
	}
	return stored.URL == wanted.URL && stored.Purpose == wanted.Purpose && slices.Equal(stored.EventTypes, wanted.EventTypes) &&
		stored.Description == wanted.Description && maps.Equal(stored.Metadata, wanted.Metadata) && maps.Equal(stored.Headers, wanted.Headers) &&
		stored.MaxInFlight == wanted.MaxInFlight && stored.RateLimit == wanted.RateLimit && stored.Timeout == wanted.Timeout && stored.Signature == wanted.Signature
}
