package redisstore

import (
	"context"
	"fmt"
	"slices"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Admit implements [webhook.Store]. On a single node a few scripts in one pipeline do all of it: they write the events down, admit
// their deliveries and list them. In a cluster, where these are on different nodes, for an event with a great many deliveries, and
// for one that is known but unfinished, a second pipeline admits what the first wrote down.
func (s *Store) Admit(ctx context.Context, fanouts []webhook.Fanout) ([]webhook.Admitted, error) {
	if len(fanouts) == 0 {
		return nil, nil
	}
	whole, parts := s.divide(fanouts)
	if err := s.listBrands(ctx, whole); err != nil {
		return nil, err
	}
	publishings, writings := s.publishings(whole), s.writings(parts)
	calls := append(callsOf(publishings), writings...)
	durable := slices.ContainsFunc(fanouts, func(f webhook.Fanout) bool { return f.Durable })
	answers, err := s.runDurably(ctx, "admit", durable, calls)
	if s.isSharded(err) {
		return s.Admit(ctx, fanouts)
	}
	if err != nil {
		return nil, err
	}
	admitted := make([]webhook.Admitted, len(fanouts))
	var open []numbered
	for i, p := range publishings {
		open = append(open, p.read(list(answers[i]), fanouts, admitted)...)
	}
	for i, answer := range flat(answers[len(publishings):]) {
		if f, todo := readEvent(&parts[i], list(answer), fanouts, admitted); todo {
			open = append(open, f)
		}
	}
	var elsewhere []string
	if durable {
		elsewhere = s.elsewhere(fanouts, admitted)
	}
	return admitted, s.fanOut(ctx, open, admitted, durable, elsewhere)
}

// numbered is a fan-out and its place in the caller's list.
type numbered struct {
	webhook.Fanout
	at int
}

// divide tells what one script does at once from the rest.
func (s *Store) divide(fanouts []webhook.Fanout) (whole, parts []numbered) {
	whole = make([]numbered, 0, len(fanouts))
	for i, f := range fanouts {
		f.AtOnce = f.AtOnce && (!f.Durable || !s.cfg.Durable.On()) // one that is not durable yet is refused, and published again
		if s.single.Load() && len(f.Endpoints) <= admitMost {
			whole = append(whole, numbered{f, i})
		} else {
			parts = append(parts, numbered{f, i})
		}
	}
	return whole, parts
}

// writings are the calls that write events down, several in each where a script may touch keys of several tags.
func (s *Store) writings(fanouts []numbered) []call {
	atOnce := 1
	if s.single.Load() {
		atOnce = admitMost
	}
	var calls []call
	for i, f := range fanouts {
		if i%atOnce == 0 {
			calls = append(calls, call{script: scriptEvent, args: []any{s.openFor().Milliseconds(), millis(s.cfg.Now())}})
		}
		k := keysOfEvent(f.Event.Ref())
		c := &calls[len(calls)-1]
		c.keys, c.args = append(c.keys, k.event, k.admitting), append(c.args, packEvent(f.Fanout, newNonce()), f.Event.Ref().String())
	}
	return calls
}

// isSharded tells whether the server refused keys of several tags, as one in
// cluster mode does that a plain client talks to; from then on none are sent.
func (s *Store) isSharded(err error) bool {
	return answers(err, "CROSSSLOT") && s.single.CompareAndSwap(true, false)
}

// admission is the call that admits deliveries to one endpoint, and whose they are.
type admission struct {
	call call
	ref  webhook.EndpointRef
	of   []*numbered
}

// admitMost bounds the deliveries, or the events, of one call, so that its script lets others in: it takes a millisecond.
const admitMost = 100

// admissions are those of the fan-outs, by endpoint.
func (s *Store) admissions(fanouts []numbered) []admission {
	var all []admission
	for _, p := range deliveriesOf(fanouts) {
		for some := range slices.Chunk(p.items, admitMost) {
			args := append(make([]any, 0, 1+3*len(some)), s.cfg.RetainDelivered.Milliseconds())
			a := admission{ref: p.ref}
			for _, d := range some {
				f := &fanouts[d.of]
				a.of, args = append(a.of, f), append(args, f.Event.ID, millis(f.Event.PublishedAt), expiryOf(f.Event))
			}
			a.call = s.endpointCall(scriptAdmit, p.ref, nil, args...)
			all = append(all, a)
		}
	}
	return all
}

// delivery is one of a fan-out, which is found at that place.
type delivery struct {
	ref webhook.EndpointRef
	of  int
}

// deliveriesOf are those of the fan-outs, by endpoint.
func deliveriesOf(fanouts []numbered) []portion[delivery] {
	all := make([]delivery, 0, len(fanouts))
	for i, f := range fanouts {
		for _, id := range f.Endpoints {
			all = append(all, delivery{webhook.EndpointRef{Brand: f.Event.Brand, ID: id}, i})
		}
	}
	return byEndpoint(all, func(d delivery) webhook.EndpointRef { return d.ref })
}

// expiryOf is when the event expires as the scripts have it, ms; empty for never.
func expiryOf(e webhook.Event) any {
	if e.ExpiresAt.IsZero() {
		return ""
	}
	return millis(e.ExpiresAt)
}

// read gives each event what it released; runs of others, and the wake-up, go with the first.
func (a admission) read(answer any, admitted []webhook.Admitted) {
	parts := list(answer)
	if len(parts) < 2 || len(a.of) == 0 {
		return
	}
	for _, f := range a.of {
		to := &admitted[f.at]
		to.Releases = append(to.Releases, webhook.Release{})
	}
	releaseFor := func(f *numbered) *webhook.Release {
		releases := admitted[f.at].Releases
		return &releases[len(releases)-1]
	}
	releaseFor(a.of[0]).Wakeup = wakeupOf(a.ref, list(parts[1]))
	for i, run := range runsOf(a.ref, parts[0]) {
		to := a.of[0]
		if i < len(a.of) && a.of[i].Event.ID == run.EventID { // as it is when all have a slot
			to = a.of[i]
		} else if at := slices.IndexFunc(a.of, func(f *numbered) bool { return f.Event.ID == run.EventID }); at >= 0 {
			to = a.of[at]
		}
		release := releaseFor(to)
		release.Runs = append(release.Runs, run)
	}
}

// readEvent reads what a script says of an event. todo says that its fan-out is to be done: the stored one.
func readEvent(own *numbered, answer []any, fanouts []webhook.Fanout, admitted []webhook.Admitted) (stored numbered, todo bool) {
	a, ref := &admitted[own.at], own.Event.Ref()
	verdict, packed := text(answer, 0), text(answer, 1)
	switch {
	case verdict == "failed":
		a.Err = failed("admit", answer)
		return stored, false
	case verdict == "conflict":
		a.Err = webhook.ErrConflict
		return stored, false
	case verdict == "new":
		a.Endpoints, a.FannedOut = own.Endpoints, true
		return *own, true
	case packed != "" && packed[0] == formatMarker: // known, and over
		a.Duplicate = true
		return stored, false
	}
	f, err := unpackEvent(ref, []byte(packed))
	if err != nil {
		a.Err = fmt.Errorf("admit: event %s: %w", ref, err)
		return stored, false
	}
	a.Duplicate, a.Endpoints = true, f.Endpoints
	if verdict != "unfinished" {
		return stored, false
	}
	for i, other := range fanouts {
		if admitted[i].FannedOut && other.Event.Ref() == ref { // twice in this call
			return stored, false
		}
	}
	a.FannedOut = true
	return numbered{f, own.at}, true
}

// fanOut admits the deliveries of events that stand written. Repeating it is harmless. With durable, what is
// elsewhere must be so too.
func (s *Store) fanOut(ctx context.Context, open []numbered, admitted []webhook.Admitted, durable bool, elsewhere []string) error {
	all := s.admissions(open)
	calls := make([]call, len(all))
	for i, a := range all {
		calls[i] = a.call
	}
	answers, err := s.runDurably(ctx, "admit", durable, calls, elsewhere...)
	if err != nil {
		return err
	}
	for i, a := range all {
		a.read(answers[i], admitted)
	}
	return nil
}
