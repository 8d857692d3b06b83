package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var claimVerdicts = map[string]webhook.ClaimVerdict{
	"stale": webhook.ClaimStale, "go": webhook.ClaimGo, "parked": webhook.ClaimParked,
	"cancelled": webhook.ClaimCancelled, "expired": webhook.ClaimExpired, "overdue": webhook.ClaimOverdue,
	"early": webhook.ClaimEarly,
}

// Claim implements [webhook.Store]: the gates and the reading of the body go in
// one pipeline. The endpoint's settings travel only when they changed.
func (s *Store) Claim(ctx context.Context, run webhook.Run) (webhook.Claim, error) {
	ref := run.Endpoint()
	known := s.endpoints.get(ref)
	var body *redis.StringCmd
	answers, err := s.run(ctx, "claim",
		[]call{s.endpointCall(scriptClaim, ref, nil, run.EventID, run.Number, s.cfg.MaxAge.Milliseconds(), known.revision, run.Failures)},
		func(p redis.Pipeliner) { body = p.Get(ctx, keysOfEvent(run.Event()).event) })
	if err != nil {
		return webhook.Claim{}, err
	}
	answer := list(answers[0])
	verdict, ok := claimVerdicts[text(answer, 0)]
	if text(answer, 0) == "newer" {
		return webhook.Claim{}, fmt.Errorf("claim: delivery of %s to %s: %w", run.EventID, ref, errFormat)
	}
	if !ok {
		return webhook.Claim{}, fmt.Errorf("claim: unexpected answer %q", text(answer, 0))
	}
	claim := webhook.Claim{Verdict: verdict}
	if verdict == webhook.ClaimEarly {
		claim.DueAt = timeOf(number(text(answer, 1)))
	}
	if verdict == webhook.ClaimParked {
		claim.Release.Wakeup = wakeupOf(ref, list(answer[1]))
	}
	if verdict != webhook.ClaimGo {
		return claim, nil
	}
	if claim.Event, err = readBody(run.Event(), body); err != nil {
		return claim, err
	}
	claim.Number = int(number(text(answer, 1))) + 1
	claim.Blocked = int(number(text(answer, 2)))
	claim.Revision = text(answer, 3)
	claim.Panics = int(number(text(answer, 4)))
	claim.Wait = time.Duration(number(text(answer, 5))) * time.Millisecond
	claim.Probe, claim.Troubled = text(answer, 6) != "", text(answer, 7) != ""
	claim.Trigger, claim.OpenedAt = webhook.TriggerDelivery, timeOf(number(text(answer, 9)))
	if again := text(answer, 8); again != "" {
		claim.Trigger, claim.Event.ExpiresAt = webhook.Trigger(again), time.Time{}
	}
	claim.Endpoint, err = s.claimed(ref, known, answer)
	return claim, err
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
	f, err := unpackEvent(ref, packed)
	if err != nil {
		return webhook.Event{}, fmt.Errorf("claim: event %s: %w", ref, err)
	}
	return f.Event, nil
}

// claimed answers the endpoint as it stands: the known one, or the one that
// came with the answer because the known one is old.
func (s *Store) claimed(ref webhook.EndpointRef, known cachedEndpoint, answer []any) (webhook.Endpoint, error) {
	if len(answer) < 12 {
		return ownCopy(known.endpoint), nil
	}
	e, err := readEndpoint(ref, text(answer, 11), text(answer, 10), s.cfg.Keys)
	if err != nil {
		return e, fmt.Errorf("claim: %w", err)
	}
	s.endpoints.put(ref, cachedEndpoint{revision: text(answer, 3), endpoint: e})
	return ownCopy(e), nil
}

// ownCopy returns the endpoint with slices and maps that the cache does not share.
func ownCopy(e webhook.Endpoint) webhook.Endpoint {
	e.EventTypes, e.Secrets = slices.Clone(e.EventTypes), slices.Clone(e.Secrets)
	e.Metadata, e.Headers = maps.Clone(e.Metadata), maps.Clone(e.Headers)
	return e
}
