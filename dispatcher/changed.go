package dispatcher

import (
	"context"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// logChanged says what a settlement did to its endpoint, with the attempt that did it.
func (d *Dispatcher) logChanged(ctx context.Context, s *webhook.Settlement, r webhook.Release) {
	if r.Breaker == "" && r.Disabled == "" {
		return
	}
	log := d.log.With("brand", s.Run.Brand, "endpoint", s.Run.EndpointID, "event", s.Run.EventID)
	if s.Attempt != nil {
		log = log.With("attempt", s.Attempt.ID)
	}
	if r.Disabled != "" {
		log.InfoContext(ctx, "endpoint disabled", "reason", r.Disabled)
	}
	if r.Breaker == webhook.BreakerClosed {
		log.InfoContext(ctx, "breaker closed")
	}
	if r.Breaker != webhook.BreakerOpen {
		return
	}
	if found, err := d.store.Health(ctx, []webhook.EndpointRef{s.Run.Endpoint()}); err == nil {
		log = log.With("until", found[0].OpenUntil, "waiting", found[0].Waiting)
	}
	if s.Attempt != nil && s.Attempt.Trigger == webhook.TriggerProbe {
		log.InfoContext(ctx, "breaker still open")
		return
	}
	log.InfoContext(ctx, "breaker open")
}

// logEdited says that somebody changed an endpoint.
func (d *Dispatcher) logEdited(ctx context.Context, before, after webhook.Endpoint) {
	log := d.log.With("brand", after.Brand, "endpoint", after.ID)
	switch {
	case before.DisabledReason == "" && after.DisabledReason != "":
		d.metrics.Disabled(after.DisabledReason)
		log.InfoContext(ctx, "endpoint disabled", "reason", after.DisabledReason)
	case before.DisabledReason != "" && after.DisabledReason == "":
		log.InfoContext(ctx, "endpoint enabled", "was", before.DisabledReason)
	default:
		log.InfoContext(ctx, "endpoint changed")
	}
}
