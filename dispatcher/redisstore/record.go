package redisstore

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// recording is a settlement on its way.
type recording struct {
	set            *webhook.Settlement
	packed, answer string // the attempt, and what was answered to it
	release        webhook.Release
	err            error
}

// recordings are those of one endpoint.
type recordings portion[*recording]

// Record implements [webhook.Store]. What ends at the same time is recorded by one script, with the releases of each
// endpoint in the answer to one of its own.
func (s *Store) Record(ctx context.Context, set *webhook.Settlement) (webhook.Release, error) {
	if set.Verdict.State == webhook.StateDead {
		if err := s.keepBody(ctx, set.Run.Event()); err != nil {
			return webhook.Release{}, err
		}
	}
	r := &recording{set: set}
	if set.Attempt != nil {
		var err error
		if r.packed, r.answer, err = packAttempt(set.Attempt); err != nil {
			return webhook.Release{}, err
		}
	}
	if set.Attempt == nil && s.cfg.Linger > 0 { // the reconciler settles many, one after the other
		s.recordAll(ctx, []*recording{r})
	} else if err := s.records.do(ctx, "record", r); err != nil {
		return webhook.Release{}, err
	}
	return r.release, r.err
}

// keepBody raises the event's lifetime to that of a dead letter, and a little
// more, before there is one.
func (s *Store) keepBody(ctx context.Context, ref webhook.EventRef) error {
	if err := s.rdb.ExpireGT(ctx, keysOfEvent(ref).event, s.cfg.RetainDeadLetters+time.Minute).Err(); err != nil {
		return unavailable("record", err)
	}
	return nil
}

func (s *Store) recordAll(ctx context.Context, batch []*recording) {
	var parts []recordings
	for _, p := range byEndpoint(batch, func(r *recording) webhook.EndpointRef { return r.set.Run.Endpoint() }) {
		parts = append(parts, recordings(p))
	}
	works := make([]work, len(parts))
	for i, p := range parts {
		k := keysOfEndpoint(p.ref)
		w := s.workOn(p.ref, k, k.ofScript(k.attempts, k.dead, k.answers), 1+successArgs*len(p.items))
		w.args = append(w.args, len(p.items))
		for _, r := range p.items {
			w.args = r.appendArgs(w.args)
		}
		works[i] = w
	}
	now := s.cfg.Now()
	answers, err := s.runEach(ctx, "record", scriptRecord, []any{
		s.cfg.RetainDelivered.Milliseconds(), s.cfg.RetainDeadLetters.Milliseconds(), millis(now.Add(-s.cfg.RetainDeadLetters)),
		millis(now.Add(-s.cfg.RetainAttempts)), s.cfg.RetainAttempts.Milliseconds(),
		s.cfg.Breaker.Failures, s.cfg.Breaker.OpenFor.Milliseconds(), s.cfg.Breaker.MaxOpenFor.Milliseconds(),
		max(0, s.cfg.AutoDisableAfter.Milliseconds()), s.cfg.MaxAge.Milliseconds()}, works)
	for i, p := range parts {
		var answer []any
		if err == nil {
			answer = list(answers[i])
		}
		p.read(cmp.Or(err, failed("record", answer)), answer)
	}
}

// read gives each settlement of an endpoint its part of the answer.
func (p recordings) read(err error, answer []any) {
	for _, r := range p.items {
		r.err = err
	}
	if err != nil {
		return
	}
	first, _ := answer[3].(int64)
	p.items[first].release = releaseOf(p.ref, answer)
	for news := sublist(answer, 2); len(news) >= 3; news = news[3:] {
		at, _ := news[0].(int64)
		to := p.items[at]
		if to.err = failed("record", news[1:]); to.err == nil {
			to.release.Breaker, to.release.Disabled = webhook.BreakerState(text(news, 1)), text(news, 2)
		}
	}
}

// successArgs is how many arguments a success has.
const successArgs = 11

// appendArgs adds what lua/record.lua reads of a settlement: what a success does not have only where there is any of it.
func (r *recording) appendArgs(args []any) []any {
	v, id, began, took := r.set.Verdict, "", int64(0), int64(0)
	if a := r.set.Attempt; a != nil {
		id, began, took = a.ID, millis(a.StartedAt), a.Duration.Milliseconds()
	}
	counts, more := 0, 0
	if v.Counts {
		counts = 1
	}
	if v.State != webhook.StateDelivered || v.Blocked+v.Panics > 0 || !v.PauseUntil.IsZero() || v.Disable != "" || r.answer != "" || r.span() != "" {
		more = 1
	}
	args = append(args, r.set.Run.EventID, r.set.Run.Number, id, r.packed, string(v.State), r.set.Revision, string(v.Signal), began, took,
		counts, more)
	if more == 0 {
		return args
	}
	next, pause := int64(0), int64(0)
	if v.State == webhook.StateRetrying {
		next = millis(v.NextAttemptAt)
	}
	if !v.PauseUntil.IsZero() {
		pause = millis(v.PauseUntil)
	}
	return append(args, string(v.DeathReason), next, v.Blocked, v.Panics, pause, v.Disable, answerOf(r.set.Attempt), r.answer, r.span())
}

// span is that of the attempt in bytes; empty where there is none.
func (r *recording) span() string {
	if r.set.Span == (webhook.SpanID{}) {
		return ""
	}
	return string(r.set.Span[:])
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
