package redisstore

import (
	"context"
	"fmt"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Admit implements [webhook.Store], in two pipelines for any number of events:
// one writes them down, one gives their deliveries a slot or a place.
func (s *Store) Admit(ctx context.Context, fanouts []webhook.Fanout) ([]webhook.Admitted, error) {
	if len(fanouts) == 0 {
		return nil, nil
	}
	admitted, open, err := s.writeDown(ctx, fanouts)
	if err != nil || len(open) == 0 {
		return admitted, err
	}
	return admitted, s.fanOut(ctx, open, admitted)
}

// numbered is a fan-out to be done and its place in the caller's list.
type numbered struct {
	webhook.Fanout
	at int
}

// writeDown stores the events, and answers those whose fan-out is to be done.
func (s *Store) writeDown(ctx context.Context, fanouts []webhook.Fanout) ([]webhook.Admitted, []numbered, error) {
	calls := make([]call, len(fanouts))
	for i, f := range fanouts {
		k := keysOfEvent(f.Event.Ref())
		calls[i] = call{scriptEvent, []string{k.event, k.admitting}, []any{
			packEvent(f, newNonce()), s.openFor().Milliseconds(), millis(s.cfg.Now()), f.Event.Ref().String(),
		}}
	}
	answers, err := s.run(ctx, "admit", calls)
	if err != nil {
		return nil, nil, err
	}
	admitted := make([]webhook.Admitted, len(fanouts))
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
	return admitted, open, nil
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

func (s *Store) fanOut(ctx context.Context, open []numbered, admitted []webhook.Admitted) error {
	var calls []call
	var owners []int
	var refs []webhook.EndpointRef
	for _, f := range open {
		for _, id := range f.Endpoints {
			ref := webhook.EndpointRef{Brand: f.Event.Brand, ID: id}
			calls = append(calls, s.admitCall(f.Event, ref))
			owners, refs = append(owners, f.at), append(refs, ref)
		}
	}
	answers, err := s.run(ctx, "admit", calls)
	if err != nil {
		return err
	}
	for i, owner := range owners {
		admitted[owner].Runs = append(admitted[owner].Runs, runsOf(refs[i], answers[i])...)
	}
	return nil
}

func (s *Store) admitCall(e webhook.Event, ref webhook.EndpointRef) call {
	expires := any("")
	if !e.ExpiresAt.IsZero() {
		expires = millis(e.ExpiresAt)
	}
	return s.endpointCall(scriptAdmit, ref, nil,
		e.ID, millis(e.PublishedAt), expires, s.cfg.RetainDelivered.Milliseconds())
}
