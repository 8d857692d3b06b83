package redisstore

import (
	"context"
	"fmt"
	"slices"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Admit implements [webhook.Store], for any number of events in one pipeline on
// a single node: it writes the events down and admits their deliveries, each
// only if the event that stands there is the one written by this call. In a
// cluster, where these are different nodes, and for events that are known but
// unfinished, a second pipeline follows.
func (s *Store) Admit(ctx context.Context, fanouts []webhook.Fanout) ([]webhook.Admitted, error) {
	if len(fanouts) == 0 {
		return nil, nil
	}
	single, durable := s.single.Load(), slices.ContainsFunc(fanouts, func(f webhook.Fanout) bool { return f.Durable })
	calls := make([]call, len(fanouts))
	var guarded []admission
	for i, f := range fanouts {
		k, packed := keysOfEvent(f.Event.Ref()), packEvent(f, newNonce())
		calls[i] = call{scriptEvent, []string{k.event, k.admitting}, []any{
			packed, s.openFor().Milliseconds(), millis(s.cfg.Now()), f.Event.Ref().String(),
		}}
		if single {
			guarded = append(guarded, s.admissions(numbered{f, i}, nonceOf(packed))...)
		}
	}
	answers, err := s.runDurably(ctx, "admit", durable, append(calls, callsOf(guarded)...))
	if s.isSharded(err) {
		return s.Admit(ctx, fanouts)
	}
	if err != nil {
		return nil, err
	}
	admitted := make([]webhook.Admitted, len(fanouts))
	open := s.readEvents(fanouts, answers[:len(fanouts)], admitted)
	if single {
		open = readGuarded(open, guarded, answers[len(fanouts):], admitted)
	}
	var elsewhere []string
	if durable {
		elsewhere = s.elsewhere(fanouts, admitted)
	}
	return admitted, s.fanOut(ctx, open, admitted, durable, elsewhere)
}

// isSharded tells whether the server refused keys of several tags, as one in
// cluster mode does that a plain client talks to; from then on none are sent.
func (s *Store) isSharded(err error) bool {
	return answers(err, "CROSSSLOT") && s.single.CompareAndSwap(true, false)
}

// numbered is a fan-out and its place in the caller's list.
type numbered struct {
	webhook.Fanout
	at int
}

// admission is the call that admits one delivery, and whose it is.
type admission struct {
	call call
	ref  webhook.EndpointRef
	at   int
}

// admissions are those of one event. nonce is empty, or that of the event which must stand there.
func (s *Store) admissions(f numbered, nonce string) []admission {
	e := f.Event
	expires := any("")
	if !e.ExpiresAt.IsZero() {
		expires = millis(e.ExpiresAt)
	}
	var guard []string
	if nonce != "" {
		guard = []string{keysOfEvent(e.Ref()).event}
	}
	all := make([]admission, len(f.Endpoints))
	for i, id := range f.Endpoints {
		ref := webhook.EndpointRef{Brand: e.Brand, ID: id}
		all[i] = admission{ref: ref, at: f.at, call: s.endpointCall(scriptAdmit, ref, guard,
			e.ID, millis(e.PublishedAt), expires, s.cfg.RetainDelivered.Milliseconds(), nonce)}
	}
	return all
}

func callsOf(admissions []admission) []call {
	calls := make([]call, len(admissions))
	for i, a := range admissions {
		calls[i] = a.call
	}
	return calls
}

// readEvents reads what became of the events, and answers the fan-outs to be done.
func (s *Store) readEvents(fanouts []webhook.Fanout, answers []any, admitted []webhook.Admitted) []numbered {
	var open []numbered
	opened := map[webhook.EventRef]bool{}
	for i, answer := range answers {
		f, unfinished := s.readAdmitted(fanouts[i], list(answer), &admitted[i])
		switch ref := f.Event.Ref(); {
		case unfinished && opened[ref]: // twice in this call
			admitted[i].Duplicate = true
		case unfinished:
			opened[ref] = true
			admitted[i].FannedOut = true
			open = append(open, numbered{f, i})
		}
	}
	return open
}

// readGuarded takes the runs of the events that are this call's own, and
// answers the fan-outs still to be done.
func readGuarded(open []numbered, guarded []admission, answers []any, admitted []webhook.Admitted) []numbered {
	other := map[int]bool{}
	for i, a := range guarded {
		if answers[i] == "other" {
			other[a.at] = true
			continue
		}
		admitted[a.at].Releases = append(admitted[a.at].Releases, releaseOf(a.ref, answers[i]))
	}
	return slices.DeleteFunc(open, func(f numbered) bool { return !other[f.at] && !admitted[f.at].Duplicate })
}

// readAdmitted reads the answer of event.lua; the fan-out to be done is the stored one.
func (s *Store) readAdmitted(f webhook.Fanout, answer []any, a *webhook.Admitted) (webhook.Fanout, bool) {
	verdict, packed := text(answer, 0), text(answer, 1)
	switch {
	case verdict == "conflict":
		a.Err = webhook.ErrConflict
		return f, false
	case verdict == "new":
		a.Endpoints = f.Endpoints
		return f, true
	case packed != "" && packed[0] == formatMarker: // known, and over
		a.Duplicate = true
		return f, false
	}
	stored, err := unpackEvent(f.Event.Ref(), []byte(packed))
	if err != nil {
		a.Err = fmt.Errorf("admit: event %s: %w", f.Event.Ref(), err)
		return f, false
	}
	a.Duplicate, a.Endpoints = true, stored.Endpoints
	return stored, verdict == "unfinished"
}

// fanOut admits the deliveries of events that stand written. Repeating it is harmless. With durable, what is
// elsewhere must be so too.
func (s *Store) fanOut(ctx context.Context, open []numbered, admitted []webhook.Admitted, durable bool, elsewhere []string) error {
	var all []admission
	for _, f := range open {
		all = append(all, s.admissions(f, "")...)
	}
	answers, err := s.runDurably(ctx, "admit", durable, callsOf(all), elsewhere...)
	if err != nil {
		return err
	}
	for i, a := range all {
		admitted[a.at].Releases = append(admitted[a.at].Releases, releaseOf(a.ref, answers[i]))
	}
	return nil
}
