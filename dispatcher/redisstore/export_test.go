package redisstore

import (
	"context"
	"errors"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// PackEvent is packEvent with one nonce.
func PackEvent(f webhook.Fanout) []byte { return packEvent(f, [nonceSize]byte{1, 2, 3, 4}) }

// What the tests of the formats look at from inside: bytes that only a newer,
// a damaged or a hostile Redis would hand out.
var (
	UnpackEvent = unpackEvent
	PackAttempt = packAttempt
)

// UnpackAttempt reads an attempt and, unless it is empty, the answer beside it.
func UnpackAttempt(ref webhook.EndpointRef, packed, answer string) (webhook.Attempt, error) {
	a, _, err := unpackAttempt(ref, packed)
	if err != nil || answer == "" {
		return a, err
	}
	return a, unpackAnswer(&a, answer)
}

// ParsePlace is parsePlace.
var ParsePlace = parsePlace

// Open is KeyRing.open.
var Open = KeyRing.open

// Seal is KeyRing.seal.
var Seal = KeyRing.seal

// PublishSource is the script of a publish.
var PublishSource = scriptPublish.source

// EventKey is where an event is kept.
func EventKey(ref webhook.EventRef) string { return keysOfEvent(ref).event }

// LineKey is where the line of an endpoint is kept.
func LineKey(ref webhook.EndpointRef) string { return keysOfEndpoint(ref).line }

// OutKey is where what an endpoint has in flight is kept.
func OutKey(ref webhook.EndpointRef) string { return keysOfEndpoint(ref).out }

// The scripts between which an event's body could be lost.
var (
	MarkerScript = scriptMarker.sha
	ReopenScript = scriptReopen.sha
)

// Waiting is how many callers wait until they can be served together.
func Waiting(s *Store) int {
	return s.shared.Waiting() + s.claims.group.Waiting() + s.records.group.Waiting()
}

// RecordTogether has one script record several settlements.
func RecordTogether(ctx context.Context, s *Store, all ...*webhook.Settlement) ([]webhook.Release, error) {
	batch := make([]*recording, len(all))
	for i, set := range all {
		batch[i] = &recording{set: set}
		if set.Attempt != nil {
			var err error
			if batch[i].packed, batch[i].answer, err = packAttempt(set.Attempt); err != nil {
				return nil, err
			}
		}
	}
	s.recordAll(ctx, batch)
	releases, errs := make([]webhook.Release, len(all)), make([]error, len(all))
	for i, r := range batch {
		releases[i], errs[i] = r.release, r.err
	}
	return releases, errors.Join(errs...)
}

// ClaimTogether has one script claim several runs.
func ClaimTogether(ctx context.Context, s *Store, runs ...webhook.Run) ([]webhook.Claim, []error) {
	batch := make([]*claiming, len(runs))
	for i, run := range runs {
		batch[i] = &claiming{run: run}
	}
	s.claimAll(ctx, batch)
	claims, errs := make([]webhook.Claim, len(runs)), make([]error, len(runs))
	for i, c := range batch {
		claims[i], errs[i] = c.claim, c.err
	}
	return claims, errs
}

// Sharded has the store do without scripts that touch keys of several tags, as if Redis had refused one.
func Sharded(s *Store) { s.single.Store(false) }
