package redisstore

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// updateTries bounds how often a change that others came before is made anew.
	updateTries = 20
	// updatePause, times the tries so far, bounds the pause before the next.
	updatePause = 2 * time.Millisecond
)

var errContended = errors.New("somebody else changed it at every try")

// UpdateEndpoint implements [webhook.Store]. The change is stored if the
// endpoint is still the one that was read; else it is made anew to what stands.
func (s *Store) UpdateEndpoint(ctx context.Context, ref webhook.EndpointRef, change func(*webhook.Endpoint) error) (webhook.Endpoint, webhook.Release, error) {
	if err := s.beforeSealing(ctx); err != nil {
		return webhook.Endpoint{}, webhook.Release{}, err
	}
	for try := range updateTries {
		if err := pause(ctx, time.Duration(try)*updatePause); err != nil {
			return webhook.Endpoint{}, webhook.Release{}, unavailable("update endpoint", err)
		}
		e, revision, err := s.readRevision(ctx, ref)
		if err != nil {
			return webhook.Endpoint{}, webhook.Release{}, err
		}
		before := ownCopy(e)
		if err := change(&e); err != nil {
			return webhook.Endpoint{}, webhook.Release{}, err
		}
		e.Brand, e.ID = ref.Brand, ref.ID
		freed, stored, err := s.replace(ctx, e, revision, sentOtherwise(before, e))
		if err != nil {
			return webhook.Endpoint{}, webhook.Release{}, err
		}
		if stored {
			if e.DisabledReason == "" {
				e.DisabledAt, e.DisabledAnswer = time.Time{}, ""
			}
			return e, freed, nil
		}
	}
	return webhook.Endpoint{}, webhook.Release{}, unavailable("update endpoint", errContended)
}

// pause waits for up to most, so that those who met do not meet again.
func pause(ctx context.Context, most time.Duration) error {
	if most == 0 {
		return nil
	}
	timer := time.NewTimer(rand.N(most))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// readRevision reads an endpoint and which revision of it that is. Errors: [webhook.ErrNotFound].
func (s *Store) readRevision(ctx context.Context, ref webhook.EndpointRef) (webhook.Endpoint, string, error) {
	fields, err := askEndpoint(ctx, s.rdb, ref).Result()
	if err != nil {
		return webhook.Endpoint{}, "", unavailable("update endpoint", err)
	}
	e, ok, err := readAnswer(ref, fields, s.cfg.Keys)
	if err == nil && !ok {
		err = webhook.ErrNotFound
	}
	return e, text(fields, len(fields)-1), err
}

// sentOtherwise tells whether what was learnt of an endpoint's health says nothing of it any more.
func sentOtherwise(before, e webhook.Endpoint) bool {
	return e.URL != before.URL || e.Timeout != before.Timeout || !maps.Equal(e.Headers, before.Headers) || len(e.Secrets) != len(before.Secrets) ||
		(e.DisabledReason == "" && before.DisabledReason != "")
}

// replace stores the endpoint unless the revision is no longer the one that stands.
func (s *Store) replace(ctx context.Context, e webhook.Endpoint, revision string, anew bool) (freed webhook.Release, stored bool, err error) {
	packed, err := s.packEndpoint(e)
	if err != nil {
		return freed, false, err
	}
	answer, err := s.one(ctx, "update endpoint",
		s.endpointCall(scriptUpdate, e.Ref(), nil, revision, packed, e.DisabledReason, e.MaxInFlight, e.RateLimit.PerSecond, burstOf(e.RateLimit), anew))
	if err != nil {
		return freed, false, err
	}
	switch a := list(answer); text(a, 0) {
	case "updated":
		return releaseOf(e.Ref(), a[1:]), true, nil
	case "gone":
		return freed, false, webhook.ErrNotFound
	default:
		return freed, false, nil
	}
}

// ownCopy returns the endpoint with slices and maps of its own.
func ownCopy(e webhook.Endpoint) webhook.Endpoint {
	e.EventTypes, e.Secrets = slices.Clone(e.EventTypes), slices.Clone(e.Secrets)
	e.Metadata, e.Headers = maps.Clone(e.Metadata), maps.Clone(e.Headers)
	return e
}
