package redisstore

import (
	"context"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Record implements [webhook.Store].
func (s *Store) Record(ctx context.Context, set webhook.Settlement) (webhook.Release, error) {
	if set.Verdict.State == webhook.StateDead {
		if err := s.keepBody(ctx, set.Run.Event()); err != nil {
			return webhook.Release{}, err
		}
	}
	c, err := s.recordCall(set)
	if err != nil {
		return webhook.Release{}, err
	}
	answer, err := s.one(ctx, "record", c)
	if err != nil {
		return webhook.Release{}, err
	}
	return releaseOf(set.Run.Endpoint(), answer), nil
}

// keepBody raises the event's lifetime to that of a dead letter, and a little
// more, before there is one.
func (s *Store) keepBody(ctx context.Context, ref webhook.EventRef) error {
	if err := s.rdb.ExpireGT(ctx, keysOfEvent(ref).event, s.cfg.RetainDeadLetters+time.Minute).Err(); err != nil {
		return unavailable("record", err)
	}
	return nil
}

func (s *Store) recordCall(set webhook.Settlement) (call, error) {
	id, packed, answer, began, took := "", "", "", int64(0), int64(0)
	if set.Attempt != nil {
		var err error
		if packed, answer, err = packAttempt(*set.Attempt); err != nil {
			return call{}, err
		}
		id, began, took = set.Attempt.ID, millis(set.Attempt.StartedAt), set.Attempt.Duration.Milliseconds()
	}
	v := set.Verdict
	next, pause, counts := int64(0), int64(0), 0
	if v.State == webhook.StateRetrying {
		next = millis(v.NextAttemptAt)
	}
	if !v.PauseUntil.IsZero() {
		pause = millis(v.PauseUntil)
	}
	if v.Counts {
		counts = 1
	}
	settledFor := s.cfg.RetainDelivered
	if v.State == webhook.StateDead {
		settledFor = s.cfg.RetainDeadLetters
	}
	ref := set.Run.Endpoint()
	k := keysOfEndpoint(ref)
	now := s.cfg.Now()
	return s.endpointCall(scriptRecord, ref, []string{k.attempts, k.dead, k.answers},
		set.Run.EventID, set.Run.Number, id, packed, string(v.State), string(v.DeathReason),
		next, counts, v.Blocked, v.Disable, settledFor.Milliseconds(),
		millis(now.Add(-s.cfg.RetainAttempts)), s.cfg.RetainAttempts.Milliseconds(),
		millis(now.Add(-s.cfg.RetainDeadLetters)), s.cfg.RetainDeadLetters.Milliseconds(), set.Revision,
		v.Panics, string(v.Signal), began, took, pause,
		s.cfg.Breaker.Failures, s.cfg.Breaker.OpenFor.Milliseconds(), s.cfg.Breaker.MaxOpenFor.Milliseconds(),
		max(0, s.cfg.AutoDisableAfter.Milliseconds()), answerOf(set.Attempt), answer, s.cfg.MaxAge.Milliseconds()), nil
}

// answerOf says in a word what an attempt brought: "410", or "timeout".
func answerOf(a *webhook.Attempt) string {
	switch {
	case a == nil:
		return ""
	case a.Status != 0:
		return strconv.Itoa(a.Status)
	}
	return string(a.Reason)
}
