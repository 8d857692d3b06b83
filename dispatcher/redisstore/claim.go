package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var claimVerdicts = map[string]webhook.ClaimVerdict{
	"stale": webhook.ClaimStale, "go": webhook.ClaimGo, "parked": webhook.ClaimParked,
	"cancelled": webhook.ClaimCancelled, "expired": webhook.ClaimExpired, "overdue": webhook.ClaimOverdue,
	"early": webhook.ClaimEarly,
}

// claiming is a claim on its way.
type claiming struct {
	run   webhook.Run
	body  *redis.StringCmd
	claim webhook.Claim
	err   error
}

// Claim implements [webhook.Store]: the gates and the reading of the body go in
// one pipeline, with those of others who claim at the same time. The endpoint's settings travel only when they changed.
func (s *Store) Claim(ctx context.Context, run webhook.Run) (*webhook.Claim, error) {
	c := &claiming{run: run}
	if err := s.claims.do(ctx, "claim", c); err != nil {
		return nil, err
	}
	if c.err != nil {
		return nil, c.err
	}
	return &c.claim, nil
}

func (s *Store) claimAll(ctx context.Context, batch []*claiming) {
	parts := byEndpoint(batch, func(c *claiming) webhook.EndpointRef { return c.run.Endpoint() })
	known, works := make([]cachedEndpoint, len(parts)), make([]work, len(parts))
	for i, p := range parts {
		known[i] = s.endpoints.get(p.ref)
		k := keysOfEndpoint(p.ref)
		w := s.workOn(p.ref, k, k.ofScript(), 2+3*len(p.items))
		w.args = append(w.args, known[i].revision, len(p.items))
		for _, c := range p.items {
			w.args = append(w.args, c.run.EventID, c.run.Number, c.run.Failures)
		}
		works[i] = w
	}
	answers, err := s.runEach(ctx, "claim", scriptClaim, []any{s.cfg.MaxAge.Milliseconds()}, works, func(p redis.Pipeliner) {
		for _, c := range batch {
			c.body = p.Get(ctx, keysOfEvent(c.run.Event()).event)
		}
	})
	for i, p := range parts {
		for at, c := range p.items {
			if c.err = err; err == nil {
				c.err = s.readClaim(c, known[i], list(answers[i]), at)
			}
		}
	}
}

// readClaim reads the answer to the at-th claim of an endpoint.
func (s *Store) readClaim(c *claiming, known cachedEndpoint, all []any, at int) error {
	ref, answer := c.run.Endpoint(), sublist(all, 3+at)
	if err := cmp.Or(failed("claim", all), failed("claim", answer)); err != nil {
		return err
	}
	verdict, ok := claimVerdicts[text(answer, 0)]
	if text(answer, 0) == "newer" {
		return fmt.Errorf("claim: delivery of %s to %s: %w", c.run.EventID, ref, errFormat)
	}
	if !ok {
		return fmt.Errorf("claim: unexpected answer %q", text(answer, 0))
	}
	claim := &c.claim
	claim.Verdict = verdict
	switch verdict {
	case webhook.ClaimEarly:
		claim.DueAt = timeOf(number(text(answer, 1)))
	case webhook.ClaimParked:
		claim.Release.Wakeup = wakeupOf(ref, sublist(answer, 1))
	}
	if verdict != webhook.ClaimGo {
		return nil
	}
	var err error
	if claim.Event, err = readBody(c.run.Event(), c.body); err != nil {
		return err
	}
	c.body = nil // what is packed is not to live as long as the claim
	claim.Number, claim.OpenedAt = int(number(text(answer, 1)))+1, timeOf(number(text(answer, 2)))
	claim.Blocked, claim.Panics = int(number(text(answer, 3))), int(number(text(answer, 4)))
	claim.Wait = time.Duration(number(text(answer, 5))) * time.Millisecond
	claim.Probe, claim.Troubled = text(answer, 6) != "", text(answer, 7) != ""
	claim.Trigger = webhook.TriggerDelivery
	if again := text(answer, 8); again != "" {
		claim.Trigger, claim.Event.ExpiresAt = webhook.Trigger(again), time.Time{}
	}
	claim.WaitedSince = claim.OpenedAt
	if written := timeOf(number(text(answer, 9))); written.After(claim.OpenedAt) {
		claim.WaitedSince = written
	}
	copy(claim.SpanBefore[:], text(answer, 10))
	claim.Revision = text(all, 0)
	claim.Endpoint, err = s.claimed(ref, known, all)
	return err
}

// readBody reads the event; without a payload when its body is no longer stored.
func readBody(ref webhook.EventRef, body *redis.StringCmd) (webhook.Event, error) {
	packed, err := body.Bytes()
	if err == redis.Nil || (err == nil && len(packed) > 0 && packed[0] == formatMarker) {
		return webhook.Event{ID: ref.ID, Brand: ref.Brand}, nil
	}
	if err != nil {
		return webhook.Event{}, unavailable("claim", err)
	}
	e, err := unpack(ref, packed, nil)
	if err != nil {
		return webhook.Event{}, fmt.Errorf("claim: event %s: %w", ref, err)
	}
	return e, nil
}

// claimed answers the endpoint as it stands: the known one, or the one that
// came with the answer because the known one is old.
func (s *Store) claimed(ref webhook.EndpointRef, known cachedEndpoint, all []any) (*webhook.Endpoint, error) {
	if text(all, 2) == "" {
		if known.endpoint == nil { // it has no settings
			return nil, fmt.Errorf("claim: endpoint %s: %w", ref, errFormat)
		}
		return known.endpoint, nil
	}
	e, err := readEndpoint(ref, text(all, 2), text(all, 1), s.cfg.Keys)
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	s.endpoints.put(ref, cachedEndpoint{revision: text(all, 0), endpoint: &e})
	return &e, nil
}
