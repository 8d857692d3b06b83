package dispatcher

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// RotateSecret gives an endpoint a new secret, Secrets[0] of the answer. The
// current one signs on for r.Overlap beside it, as do those rotated before until
// they end; a negative Overlap ends them all. Asking again for a given secret
// that is the current one changes nothing.
//
// Errors: [webhook.FieldError]; [webhook.ErrNotFound]; [webhook.ErrLimit] when
// MaxOldSecrets sign already; [webhook.ErrUnavailable].
func (d *Dispatcher) RotateSecret(ctx context.Context, ref webhook.EndpointRef, r webhook.Rotation) (webhook.Endpoint, error) {
	if r.Overlap > webhook.MaxOverlap {
		return webhook.Endpoint{}, webhook.Invalid("overlapMs", "must be 0 to %d", webhook.MaxOverlap.Milliseconds())
	}
	if r.Overlap == 0 {
		r.Overlap = webhook.DefaultOverlap
	}
	// Made before, and both kinds of it: the change may be applied more than once.
	made := map[string]webhook.EndpointSecret{}
	for _, scheme := range []string{webhook.SignatureHMAC, webhook.SignatureEd25519} {
		made[scheme] = newSecret(scheme)
	}
	now := time.Now().Truncate(time.Millisecond).UTC()
	return d.change(ctx, "rotate secret", ref, func(e *webhook.Endpoint) error {
		scheme := cmp.Or(e.Signature, webhook.SignatureHMAC)
		next := r.Secret
		if next.IsZero() {
			next = made[scheme]
		}
		if next.Signature() != scheme {
			return webhook.Invalid("secret", "must be one for signature %q", scheme)
		}
		return rotate(e, next, now, r.Overlap)
	})
}

// rotate makes next the current secret of e.
func rotate(e *webhook.Endpoint, next webhook.EndpointSecret, now time.Time, overlap time.Duration) error {
	secrets := []webhook.EndpointSecret{next}
	for i, old := range e.Secrets {
		if i == 0 && !old.SameKey(next) {
			old.EndsAt = now.Add(overlap)
		}
		if overlap > 0 && old.EndsAt.After(now) && !old.SameKey(next) {
			secrets = append(secrets, old)
		}
	}
	if len(secrets) > 1+webhook.MaxOldSecrets {
		return fmt.Errorf("%d old secrets sign already, wait until one ends or rotate with overlapMs 0: %w", webhook.MaxOldSecrets, webhook.ErrLimit)
	}
	e.Secrets = secrets
	return nil
}
