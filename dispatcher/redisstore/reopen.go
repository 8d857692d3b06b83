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
// says what bodies are kept from then on (see retire.go); then the deliveries begin once more. Of what a job comes across,
// that is done only for what it may mean.
func (s *Store) Reopen(ctx context.Context, refs []webhook.DeliveryRef, how webhook.Reopening) ([]webhook.Reopened, []webhook.Release, error) {
	done := make([]webhook.Reopened, len(refs))
	all := make([]*reopening, len(refs))
	for i, ref := range refs {
		done[i], all[i] = webhook.ReopenedOther, &reopening{ref: ref, done: &done[i]}
	}
	if how.Job != "" {
		var err error
		if all, err = s.meant(ctx, all, how); err != nil {
			return nil, nil, err
		}
	}
	if err := s.keepBodies(ctx, all, how.DryRun); err != nil {
		return nil, nil, err
	}
	all = slices.DeleteFunc(all, func(r *reopening) bool { return r.head.isKept && !how.Published.Contains(r.head.publishedAt) })
	releases, err := s.reopen(ctx, all, how)
	return done, releases, err
}

// reopening is one delivery of a Reopen.
type reopening struct {
	ref  webhook.DeliveryRef
	head eventHead
	done *webhook.Reopened
}

func (r *reopening) endpoint() webhook.EndpointRef { return r.ref.Endpoint() }

// reopenMost bounds the deliveries of one call, so that its script lets others in after half a millisecond.
const reopenMost = 10

// inParts are the deliveries by endpoint, no more than one call's in each.
func inParts(all []*reopening) []portion[*reopening] {
	var parts []portion[*reopening]
	for _, p := range byEndpoint(all, (*reopening).endpoint) {
		for some := range slices.Chunk(p.items, reopenMost) {
			parts = append(parts, portion[*reopening]{ref: p.ref, items: some})
		}
	}
	return parts
}

// meant leaves those that a job may mean, and says what became of the others.
func (s *Store) meant(ctx context.Context, all []*reopening, how webhook.Reopening) ([]*reopening, error) {
	states := ","
	for _, state := range how.States {
		states += string(state) + ","
	}
	parts := inParts(all)
	calls := make([]call, len(parts))
	for i, p := range parts {
		args := []any{states, how.Job}
		for _, r := range p.items {
			args = append(args, r.ref.EventID)
		}
		calls[i] = s.endpointCall(scriptMeant, p.ref, nil, args...)
	}
	answers, err := s.run(ctx, "reopen", calls)
	if err != nil {
		return nil, err
	}
	var some []*reopening
	for i, p := range parts {
		for n, r := range p.items {
			if what := text(list(answers[i]), n); what != "meant" {
				*r.done = webhook.Reopened(what)
			} else {
				some = append(some, r)
			}
		}
	}
	return some, nil
}

// reopen has deliveries begin once more, and answers what they released, also when it fails half way: Redis does all of a pipeline
// before it lets others in, so that only a few go in each.
func (s *Store) reopen(ctx context.Context, all []*reopening, how webhook.Reopening) (releases []webhook.Release, err error) {
	for some := range slices.Chunk(all, reopenMost) {
		released, err := s.reopenSome(ctx, some, how)
		if releases = append(releases, released...); err != nil {
			return releases, err
		}
	}
	return releases, nil
}

func (s *Store) reopenSome(ctx context.Context, some []*reopening, how webhook.Reopening) ([]webhook.Release, error) {
	parts := inParts(some)
	calls := make([]call, len(parts))
	for i, p := range parts {
		calls[i] = s.reopenCall(p, how)
	}
	answers, err := s.run(ctx, "reopen", calls)
	if err != nil {
		return nil, err
	}
	var releases []webhook.Release
	for i, p := range parts {
		a := list(answers[i])
		for n, r := range p.items {
			became := text(sublist(a, 0), n)
			if became == "newer" {
				return releases, fmt.Errorf("reopen: delivery of %s to %s: %w", r.ref.EventID, p.ref, errFormat)
			}
			if *r.done = webhook.Reopened(became); *r.done == webhook.ReopenedSent && !r.head.isKept {
				*r.done = webhook.ReopenedNoBody
			}
		}
		if r := releaseOf(p.ref, a[1:]); len(r.Runs) > 0 || r.Wakeup != nil {
			releases = append(releases, r)
		}
	}
	return releases, nil
}

func (s *Store) reopenCall(p portion[*reopening], how webhook.Reopening) call {
	bulk := ""
	if how.Job != "" {
		bulk = s.cfg.BulkFor(p.ref)
	}
	args := []any{string(how.Trigger), how.Job, bulk, how.Hurry, s.jobsFor().Milliseconds()}
	for _, r := range p.items {
		states := ","
		for _, state := range how.States {
			if state != webhook.StateNone || neverWas(r.ref, how, r.head) {
				states += string(state) + ","
			}
		}
		args = append(args, r.ref.EventID, states, how.DryRun || !r.head.isKept)
	}
	return s.endpointCall(scriptReopen, p.ref, []string{keysOfEndpoint(p.ref).dead}, args...)
}

// neverWas tells whether a delivery without a record is one that never was: a job takes one that the event went to for
// settled long ago. Who asks for one event wants it sent.
func neverWas(ref webhook.DeliveryRef, how webhook.Reopening, head eventHead) bool {
	return how.Job == "" || head.isKept && !slices.Contains(head.ids, ref.EndpointID)
}

// keepBodies raises the lifetimes of events to that of an open delivery, and a little more, and then reads their heads.
func (s *Store) keepBodies(ctx context.Context, all []*reopening, dry bool) error {
	starts, err := s.readStarts(ctx, all, dry)
	if err != nil {
		return err
	}
	for i, r := range all {
		packed := starts[i]
		r.head, err = unpackHead(packed)
		if err == nil && r.head.isKept && len(r.head.ids) < r.head.endpoints { // of very many endpoints
			if packed, err = s.rdb.Get(ctx, keysOfEvent(r.ref.Event()).event).Result(); err == nil {
				r.head, err = unpackHead(packed)
			}
		}
		if err != nil {
			return fmt.Errorf("reopen: event %s: %w", r.ref.Event(), err)
		}
	}
	return nil
}

// readStarts reads the beginnings of events, and unless it is dry has their bodies stay from then on.
func (s *Store) readStarts(ctx context.Context, all []*reopening, dry bool) ([]string, error) {
	if len(all) == 0 {
		return nil, nil
	}
	if !dry {
		return s.holdBodies(ctx, all)
	}
	starts, cmds := make([]string, len(all)), make([]*redis.StringCmd, len(all))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, r := range all {
			cmds[i] = p.GetRange(ctx, keysOfEvent(r.ref.Event()).event, 0, bodySize-1)
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

// holdBodies has bodies stay: several with one call where a script may touch keys of several tags.
func (s *Store) holdBodies(ctx context.Context, all []*reopening) ([]string, error) {
	atOnce := 1
	if s.single.Load() {
		atOnce = reopenMost
	}
	var calls []call
	for some := range slices.Chunk(all, atOnce) {
		c := call{script: scriptHold, args: []any{(s.openFor() + time.Minute).Milliseconds(), bodySize}}
		for _, r := range some {
			c.keys = append(c.keys, keysOfEvent(r.ref.Event()).event)
		}
		calls = append(calls, c)
	}
	answers, err := s.run(ctx, "reopen", calls)
	if s.isSharded(err) {
		return s.holdBodies(ctx, all)
	}
	if err != nil {
		return nil, err
	}
	starts := flat(answers)
	texts := make([]string, len(all))
	for i := range all {
		texts[i] = text(starts, i)
	}
	return texts, nil
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
