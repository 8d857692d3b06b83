package redisstore

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Overview is what a walk over all endpoints of all brands saw. Deleted ones do not count.
type Overview struct {
	Endpoints int
	// Failing are those whose breaker is not closed, or that an attempt disabled; by brand and id.
	Failing []FailingEndpoint
	// Keys are the encryption keys: those of the process in their order, then those that only what is stored needs, by id.
	Keys []KeyUse
	// Unreadable are those that are in no form that this version knows; by brand and id.
	Unreadable []webhook.EndpointRef
	// Complete is false when the time was over before the end.
	Complete bool
}

// FailingEndpoint is one that does not take what it is sent.
type FailingEndpoint struct {
	webhook.EndpointRef
	// URL may carry credentials in its query.
	URL string
	// Disabled is why it was disabled, DisabledAt when, and Answer what the last attempt brought; empty while it is enabled.
	Disabled   string
	DisabledAt time.Time
	Answer     string
	// OpenUntil is when its breaker lets one through; zero when it is closed or lets one through now.
	OpenUntil time.Time
}

// KeyUse is one encryption key.
type KeyUse struct {
	ID string
	// Missing: the process has none of that id. Wrong: it has another one than that which sealed what is stored.
	Missing, Wrong bool
	// Endpoints counts those of which something is sealed with it.
	Endpoints int
}

// errTimeOver ends a walk.
var errTimeOver = errors.New("time is over")

// Overview walks over everything that stands in Redis for at most so long, and changes nothing.
// Errors: [webhook.ErrUnavailable].
func (s *Store) Overview(ctx context.Context, most time.Duration) (Overview, error) {
	kept, err := s.canaries(ctx)
	if err != nil {
		return Overview{}, err
	}
	w := &overseer{store: s, seen: map[webhook.EndpointRef]bool{}, keys: map[string]*keySight{}}
	begun := time.Now()
	err = s.eachEndpoint(ctx, func(ctx context.Context, refs []webhook.EndpointRef) error {
		if time.Since(begun) > most {
			return errTimeOver
		}
		return w.look(ctx, refs)
	})
	w.found.Complete = err == nil
	if err != nil && !errors.Is(err, errTimeOver) {
		return Overview{}, err
	}
	w.found.Keys = s.cfg.Keys.uses(w.keys, kept)
	slices.SortFunc(w.found.Failing, func(a, b FailingEndpoint) int { return cmp.Compare(a.String(), b.String()) })
	slices.SortFunc(w.found.Unreadable, func(a, b webhook.EndpointRef) int { return cmp.Compare(a.String(), b.String()) })
	return w.found, nil
}

// overseer is one walk.
type overseer struct {
	store *Store
	found Overview
	seen  map[webhook.EndpointRef]bool
	keys  map[string]*keySight
}

// keySight is what was seen of a key: how many endpoints need it, how many texts were tried, and whether one opened.
type keySight struct {
	endpoints, tried int
	opened           bool
}

// triesMost bounds the texts that are tried with a key that opens none: one that does not open may be damaged.
const triesMost = 20

func (w *overseer) look(ctx context.Context, refs []webhook.EndpointRef) error {
	refs = slices.DeleteFunc(refs, func(ref webhook.EndpointRef) bool { return w.seen[ref] })
	if len(refs) == 0 {
		return nil
	}
	cmds := make([]*redis.SliceCmd, len(refs))
	_, _ = w.store.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		for i, ref := range refs {
			cmds[i] = p.HMGet(ctx, keysOfEndpoint(ref).endpoint, "settings", "deleted", "disabled", "disabledAt", "disabledBy", "bn", "bo")
		}
		return nil
	})
	for i, ref := range refs {
		w.seen[ref] = true
		fields, err := cmds[i].Result()
		switch {
		case err != nil && !answers(err, mistakes...):
			return unavailable("look at endpoints", err)
		case err != nil:
			w.found.Unreadable = append(w.found.Unreadable, ref)
		case text(fields, 0) != "" && text(fields, 1) != "1":
			w.note(ref, fields)
		}
	}
	return nil
}

// note takes up one endpoint.
func (w *overseer) note(ref webhook.EndpointRef, fields []any) {
	w.found.Endpoints++
	sealed := sealedEndpoint{ref: ref, packed: text(fields, 0)}
	texts, err := sealed.texts()
	if err != nil {
		w.found.Unreadable = append(w.found.Unreadable, ref)
		return
	}
	w.noteKeys(ref, texts)
	f := FailingEndpoint{EndpointRef: ref, Disabled: text(fields, 2)}
	broken := number(text(fields, 5)) > 0 && f.Disabled == ""
	if !broken && f.Disabled != webhook.DisabledGone && f.Disabled != webhook.DisabledFailing {
		return
	}
	if f.Disabled != "" {
		f.DisabledAt, f.Answer = timeOf(number(text(fields, 3))), text(fields, 4)
	}
	if until := timeOf(number(text(fields, 6))); until.After(w.store.cfg.Now()) {
		f.OpenUntil = until
	}
	e, _ := unpackEndpoint(ref, sealed.packed, KeyRing{}) // it was read before
	f.URL = e.URL
	w.found.Failing = append(w.found.Failing, f)
}

// noteKeys takes up which keys sealed what an endpoint holds.
func (w *overseer) noteKeys(ref webhook.EndpointRef, texts []sealedText) {
	by, ring := map[string]bool{}, w.store.cfg.Keys
	for _, t := range texts {
		id := sealedBy(t.text)
		if id == "" {
			continue
		}
		if w.keys[id] == nil {
			w.keys[id] = &keySight{}
		}
		sight := w.keys[id]
		if !by[id] {
			by[id] = true
			sight.endpoints++
		}
		if ring.has(id) && !sight.opened && sight.tried < triesMost {
			sight.tried++
			_, err := ring.open(t.text, ref, t.field)
			sight.opened = err == nil
		}
	}
}

// uses tells of each key what was seen of it. A canary, where there is one, says more than texts, which may be damaged.
func (r KeyRing) uses(seen map[string]*keySight, kept map[string]string) []KeyUse {
	var all []KeyUse
	for _, k := range r.keys {
		use := KeyUse{ID: k.id}
		if sight := seen[k.id]; sight != nil {
			use.Endpoints, use.Wrong = sight.endpoints, !sight.opened
		}
		if canary, ok := kept[canaryField(k.id)]; ok {
			use.Wrong = k.fits(canary) != nil
		}
		all = append(all, use)
	}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		if !r.has(id) {
			all = append(all, KeyUse{ID: id, Missing: true, Endpoints: seen[id].endpoints})
		}
	}
	return all
}
