package redisstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// bodySize holds the ids of the endpoints of most events, and all that is before them.
const bodySize = 4 << 10

// Reopen implements [webhook.Store]: in one pipeline the events' lifetimes are raised, and their beginnings read, which
// says what bodies are kept from then on (see retire.go); in another the deliveries begin once more.
func (s *Store) Reopen(ctx context.Context, refs []webhook.DeliveryRef, how webhook.Reopening) ([]webhook.Reopened, []webhook.Release, error) {
	if len(refs) == 0 {
		return nil, nil, nil
	}
	heads, err := s.keepBodies(ctx, refs, how.DryRun)
	if err != nil {
		return nil, nil, err
	}
	done := make([]webhook.Reopened, len(refs))
	var calls []call
	var of []int
	for i, ref := range refs {
		done[i] = webhook.ReopenedOther
		if !heads[i].isKept || how.Published.Contains(heads[i].publishedAt) {
			calls, of = append(calls, s.reopenCall(ref, how, heads[i])), append(of, i)
		}
	}
	answers, err := s.run(ctx, "reopen", calls)
	if err != nil {
		return nil, nil, err
	}
	var releases []webhook.Release
	for n, i := range of {
		a := list(answers[n])
		if text(a, 0) == "newer" {
			return nil, nil, fmt.Errorf("reopen: delivery of %s to %s: %w", refs[i].EventID, refs[i].Endpoint(), errFormat)
		}
		if done[i] = webhook.Reopened(text(a, 0)); done[i] == webhook.ReopenedSent && !heads[i].isKept {
			done[i] = webhook.ReopenedNoBody
		}
		if r := releaseOf(refs[i].Endpoint(), a[1:]); len(r.Runs) > 0 || r.Wakeup != nil {
			releases = append(releases, r)
		}
	}
	return done, releases, nil
}

func (s *Store) reopenCall(ref webhook.DeliveryRef, how webhook.Reopening, head eventHead) call {
	states := ","
	for _, state := range how.States {
		if state != webhook.StateNone || neverWas(ref, how, head) {
			states += string(state) + ","
		}
	}
	bulk := ""
	if how.Job != "" {
		bulk = s.cfg.BulkFor(ref.Endpoint())
	}
	return s.endpointCall(scriptReopen, ref.Endpoint(), []string{keysOfEndpoint(ref.Endpoint()).dead},
		ref.EventID, states, string(how.Trigger), how.Job, bulk, how.Hurry, how.DryRun || !head.isKept, s.jobsFor().Milliseconds())
}

// neverWas tells whether a delivery without a record is one that never was: a job takes one that the event went to for
// settled long ago. Who asks for one event wants it sent.
func neverWas(ref webhook.DeliveryRef, how webhook.Reopening, head eventHead) bool {
	return how.Job == "" || head.isKept && !slices.Contains(head.ids, ref.EndpointID)
}

// keepBodies raises the lifetimes of events to that of an open delivery, and a little more, and then reads their heads.
func (s *Store) keepBodies(ctx context.Context, refs []webhook.DeliveryRef, dry bool) ([]eventHead, error) {
	starts, err := s.readStarts(ctx, refs, dry)
	if err != nil {
		return nil, err
	}
	heads := make([]eventHead, len(refs))
	for i, ref := range refs {
		packed := starts[i]
		heads[i], err = unpackHead(packed)
		if err == nil && heads[i].isKept && len(heads[i].ids) < heads[i].endpoints { // of very many endpoints
			if packed, err = s.rdb.Get(ctx, keysOfEvent(ref.Event()).event).Result(); err == nil {
				heads[i], err = unpackHead(packed)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("reopen: event %s: %w", ref.Event(), err)
		}
	}
	return heads, nil
}

// readStarts reads the beginnings of events, and unless it is dry has their bodies stay from then on.
func (s *Store) readStarts(ctx context.Context, refs []webhook.DeliveryRef, dry bool) ([]string, error) {
	starts := make([]string, len(refs))
	if !dry {
		calls := make([]call, len(refs))
		for i, ref := range refs {
			calls[i] = call{scriptHold, []string{keysOfEvent(ref.Event()).event}, []any{(s.openFor() + time.Minute).Milliseconds(), bodySize}}
		}
		answers, err := s.run(ctx, "reopen", calls)
		for i, answer := range answers {
			starts[i], _ = answer.(string)
		}
		return starts, err
	}
	cmds := make([]*redis.StringCmd, len(refs))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			cmds[i] = p.GetRange(ctx, keysOfEvent(ref.Event()).event, 0, bodySize-1)
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("reopen", err)
	}
	for i, cmd := range cmds {
		starts[i] = cmd.Val()
	}
	return starts, nil
}

// Cancel implements [webhook.Store].
func (s *Store) Cancel(ctx context.Context, ref webhook.DeliveryRef) (bool, webhook.Release, error) {
	answer, err := s.one(ctx, "cancel", s.endpointCall(scriptStop, ref.Endpoint(), nil, ref.EventID, s.cfg.RetainDelivered.Milliseconds()))
	if err != nil {
		return false, webhook.Release{}, err
	}
	a := list(answer)
	if a[0] == int64(2) {
		return false, webhook.Release{}, fmt.Errorf("cancel: delivery of %s to %s: %w", ref.EventID, ref.Endpoint(), errFormat)
	}
	return a[0] == int64(1), releaseOf(ref.Endpoint(), a[1:]), nil
}

// DeleteDead implements [webhook.Store].
func (s *Store) DeleteDead(ctx context.Context, ref webhook.EndpointRef, events []string, job string) (int, error) {
	if len(events) == 0 {
		return 0, nil
	}
	args := []any{s.cfg.RetainDelivered.Milliseconds(), job, s.jobsFor().Milliseconds()}
	for _, id := range events {
		args = append(args, id)
	}
	answer, err := s.one(ctx, "delete dead letters", s.endpointCall(scriptBury, ref, []string{keysOfEndpoint(ref).dead}, args...))
	n, _ := answer.(int64)
	return int(n), err
}

// Died implements [webhook.Store]. A place is a time and an event, as those that stood there before may be gone.
func (s *Store) Died(ctx context.Context, ref webhook.EndpointRef, span webhook.Span, after string, limit int) ([]string, string, error) {
	last, err := parsePlace(after, 1)
	if err != nil {
		return nil, "", err
	}
	from, to := bound(span.Since), "+inf"
	if after != "" {
		from = last.ms
	}
	if !span.Until.IsZero() {
		to = "(" + fmt.Sprint(bound(span.Until))
	}
	for most := limit + 1; ; most *= 2 {
		found, err := s.rdb.ZRangeByScoreWithScores(ctx, keysOfEndpoint(ref).dead,
			&redis.ZRangeBy{Min: fmt.Sprint(from), Max: to, Count: int64(most)}).Result()
		if err != nil {
			return nil, "", unavailable("dead letters", err)
		}
		var events []string
		next := place{}
		for _, z := range found {
			at := place{ms: int64(z.Score), names: fmt.Sprint(z.Member)}
			if after != "" && !at.isBefore(last) {
				continue
			}
			if events = append(events, at.names); len(events) == limit {
				return events, at.String(), nil
			}
			next = at
		}
		if len(found) < most { // that was all
			return events, "", nil
		}
		if len(events) > 0 {
			return events, next.String(), nil
		}
	}
}

// finishedWithin is how long after it was published an event stands in its brand's list at the latest, if there are workers.
const finishedWithin = time.Hour

// Published implements [webhook.Store]. A place is an id in the stream of the brand's events.
func (s *Store) Published(ctx context.Context, brand string, span webhook.Span, after string, limit int) ([]webhook.Event, string, error) {
	from, to := fmt.Sprint(bound(span.Since.Add(-skewMost))), "+"
	if after != "" {
		from = "(" + after
	}
	if !span.Until.IsZero() {
		to = fmt.Sprint(bound(span.Until.Add(finishedWithin)))
	}
	found, err := s.rdb.XRangeN(ctx, keysOfBrand(brand).index, from, to, int64(limit)).Result()
	if err != nil {
		return nil, "", unavailable("events", err)
	}
	events := make([]webhook.Event, len(found))
	next := ""
	for i, message := range found {
		id, eventType, err := indexed(nil, message.Values)
		if err != nil {
			return nil, "", fmt.Errorf("events: %w", err)
		}
		events[i] = webhook.Event{Brand: brand, ID: id, Type: eventType}
		next = message.ID
	}
	if len(found) < limit {
		next = ""
	}
	return events, next, nil
}
