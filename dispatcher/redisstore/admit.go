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
	all, calls := s.writings(fanouts, single)
	var guarded []admission
	if single {
		guarded = s.admissions(all)
	}
	answers, err := s.runDurably(ctx, "admit", durable, slices.Concat(calls, callsOf(guarded)))
	if s.isSharded(err) {
		return s.Admit(ctx, fanouts)
	}
	if err != nil {
		return nil, err
	}
	admitted := make([]webhook.Admitted, len(fanouts))
	open := s.readEvents(fanouts, flat(answers[:len(calls)]), admitted)
	if single {
		open = readGuarded(open, guarded, answers[len(calls):], admitted)
	}
	var elsewhere []string
	if durable {
		elsewhere = s.elsewhere(fanouts, admitted)
	}
	return admitted, s.fanOut(ctx, open, admitted, durable, elsewhere)
}

// writings are the calls that write events down, several in each where a script may touch keys of several tags; and the events
// with what tells them from others.
func (s *Store) writings(fanouts []webhook.Fanout, single bool) ([]numbered, []call) {
	all, atOnce := make([]numbered, len(fanouts)), 1
	if single {
		atOnce = admitMost
	}
	var calls []call
	for i, f := range fanouts {
		if i%atOnce == 0 {
			calls = append(calls, call{script: scriptEvent, args: []any{s.openFor().Milliseconds(), millis(s.cfg.Now())}})
		}
		k, packed := keysOfEvent(f.Event.Ref()), packEvent(f, newNonce())
		all[i] = numbered{f, i, nonceOf(packed)}
		c := &calls[len(calls)-1]
		c.keys, c.args = append(c.keys, k.event, k.admitting), append(c.args, packed, f.Event.Ref().String())
	}
	return all, calls
}

// isSharded tells whether the server refused keys of several tags, as one in
// cluster mode does that a plain client talks to; from then on none are sent.
func (s *Store) isSharded(err error) bool {
	return answers(err, "CROSSSLOT") && s.single.CompareAndSwap(true, false)
}

// numbered is a fan-out and its place in the caller's list. nonce is empty, or that of the event which must stand there.
type numbered struct {
	webhook.Fanout
	at    int
	nonce string
}

// admission is the call that admits deliveries to one endpoint, and whose they are.
type admission struct {
	call call
	ref  webhook.EndpointRef
	of   []numbered
}

// admitMost bounds the deliveries, or the events, of one call, so that its script lets others in.
const admitMost = 50

// admissions are those of the fan-outs, by endpoint.
func (s *Store) admissions(fanouts []numbered) []admission {
	var order []webhook.EndpointRef
	of := map[webhook.EndpointRef][]numbered{}
	for _, f := range fanouts {
		for _, id := range f.Endpoints {
			ref := webhook.EndpointRef{Brand: f.Event.Brand, ID: id}
			if of[ref] == nil {
				order = append(order, ref)
			}
			of[ref] = append(of[ref], f)
		}
	}
	var all []admission
	for _, ref := range order {
		for some := range slices.Chunk(of[ref], admitMost) {
			all = append(all, s.admission(ref, some))
		}
	}
	return all
}

func (s *Store) admission(ref webhook.EndpointRef, of []numbered) admission {
	var events []string
	args := append(make([]any, 0, 1+4*len(of)), s.cfg.RetainDelivered.Milliseconds())
	for _, f := range of {
		expires := any("")
		if !f.Event.ExpiresAt.IsZero() {
			expires = millis(f.Event.ExpiresAt)
		}
		if f.nonce != "" {
			events = append(events, keysOfEvent(f.Event.Ref()).event)
		}
		args = append(args, f.Event.ID, millis(f.Event.PublishedAt), expires, f.nonce)
	}
	return admission{ref: ref, of: of, call: s.endpointCall(scriptAdmit, ref, events, args...)}
}

// read gives each event what it released; runs of others, and the wake-up, go with the first that was admitted. It answers
// the places of the events that were not, as another one stands there.
func (a admission) read(answer any, admitted []webhook.Admitted) (others []int) {
	parts := list(answer)
	if len(parts) < 3 {
		return nil
	}
	own := map[string]*webhook.Release{}
	var first *webhook.Release
	for i, f := range a.of {
		if slices.Contains(list(parts[0]), any(int64(i))) {
			others = append(others, f.at)
			continue
		}
		to := &admitted[f.at]
		to.Releases = append(to.Releases, webhook.Release{})
		own[f.Event.ID] = &to.Releases[len(to.Releases)-1]
		if first == nil {
			first = own[f.Event.ID]
			first.Wakeup = wakeupOf(a.ref, list(parts[2]))
		}
	}
	for _, run := range runsOf(a.ref, parts[1]) {
		r := own[run.EventID]
		if r == nil {
			r = first
		}
		r.Runs = append(r.Runs, run)
	}
	return others
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
			open = append(open, numbered{Fanout: f, at: i})
		}
	}
	return open
}

// readGuarded takes the runs of the events that are this call's own, and
// answers the fan-outs still to be done.
func readGuarded(open []numbered, guarded []admission, answers []any, admitted []webhook.Admitted) []numbered {
	other := map[int]bool{}
	for i, a := range guarded {
		for _, at := range a.read(answers[i], admitted) {
			other[at] = true
		}
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
	all := s.admissions(open)
	answers, err := s.runDurably(ctx, "admit", durable, callsOf(all), elsewhere...)
	if err != nil {
		return err
	}
	for i, a := range all {
		a.read(answers[i], admitted)
	}
	return nil
}
