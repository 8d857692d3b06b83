package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// A canary is the same text, sealed with an encryption key and kept under the key's
// id: a process that has another key under that id cannot open it.
const (
	canaryText  = "outhook"
	fieldCanary = "canary"
	// formatCanaries is the field v of their hash.
	formatCanaries = "1"
)

// canaryField is where the canary of a key stands, beside the field v.
func canaryField(id string) string { return "k:" + id }

// canary is bound to no endpoint: no endpoint has an empty brand.
func (k sealKey) canary() string {
	return k.seal([]byte(canaryText), webhook.EndpointRef{}, fieldCanary)
}

// fits returns a [webhook.KeyError] unless the key opens its canary.
func (k sealKey) fits(canary string) error {
	plain, err := KeyRing{keys: []sealKey{k}}.open(canary, webhook.EndpointRef{}, fieldCanary)
	if err != nil || string(plain) != canaryText {
		return &webhook.KeyError{KeyID: k.id}
	}
	return nil
}

// CheckKeys returns a [webhook.KeyError] when a key of the ring is not the one that
// sealed under its id, or something that is stored is sealed with a key that the
// ring lacks. It leaves a canary of every key, by which the next one is checked; all
// of the endpoints are looked at only before the first, and when a key that has one
// is gone from the ring. Errors: [webhook.ErrUnavailable].
func (s *Store) CheckKeys(ctx context.Context) error {
	ring := s.cfg.Keys
	kept, err := s.canaries(ctx)
	if err != nil {
		return err
	}
	if err := ring.fit(kept); err != nil {
		return err
	}
	gone := ring.lacks(kept)
	if kept == nil || len(gone) > 0 {
		if err := s.checkStored(ctx, kept); err != nil {
			return err
		}
		if err := s.letGo(ctx, kept, gone); err != nil {
			return err
		}
	}
	err = s.keepCanaries(ctx, kept, ring.keys)
	s.keysFit.Store(err == nil)
	if answers(err, "OOM") { // a full Redis refuses whatever would be sealed too, and what is open must drain
		return nil
	}
	return err
}

// beforeSealing is asked before the newest key seals anything: what is sealed with a
// wrong one is lost. A canary that a reencryption took away is put back.
func (s *Store) beforeSealing(ctx context.Context) error {
	if s.keysFit.Load() {
		newest := s.cfg.Keys.newest()
		canary, err := s.rdb.HGet(ctx, keyOfCanaries(), canaryField(newest.id)).Result()
		if err == nil {
			return newest.fits(canary)
		}
		if err != redis.Nil { // not errors.Is, as in run
			return unavailable("check keys", err)
		}
	}
	return s.CheckKeys(ctx)
}

// canaries answers those that are kept, by their fields; nil when there never were any.
func (s *Store) canaries(ctx context.Context) (map[string]string, error) {
	kept, err := s.rdb.HGetAll(ctx, keyOfCanaries()).Result()
	if err != nil {
		return nil, unavailable("check keys", err)
	}
	if len(kept) == 0 {
		return nil, nil
	}
	if kept["v"] != formatCanaries {
		return nil, fmt.Errorf("check keys: canaries: %w", errFormat)
	}
	delete(kept, "v")
	return kept, nil
}

// fit returns a [webhook.KeyError] for the first key whose canary it does not open.
func (r KeyRing) fit(kept map[string]string) error {
	for _, k := range r.keys {
		if canary, ok := kept[canaryField(k.id)]; ok {
			if err := k.fits(canary); err != nil {
				return err
			}
		}
	}
	return nil
}

// lacks answers the fields of canaries of which the ring has no key.
func (r KeyRing) lacks(kept map[string]string) []string {
	rest := maps.Clone(kept)
	for _, k := range r.keys {
		delete(rest, canaryField(k.id))
	}
	return slices.Sorted(maps.Keys(rest))
}

// checkStored looks at what the endpoints hold: each key that is needed must be in
// the ring, and open something unless it opened its canary. One text that does not
// open proves nothing, it may be damaged.
func (s *Store) checkStored(ctx context.Context, kept map[string]string) error {
	opened := map[string]bool{}
	err := s.eachEndpoint(ctx, func(ctx context.Context, refs []webhook.EndpointRef) error {
		found, err := s.readSealed(ctx, refs)
		for _, f := range found {
			texts, _ := f.texts() // what cannot be read at all says nothing of a key
			for _, t := range texts {
				id := sealedBy(t.text)
				if _, known := kept[canaryField(id)]; id == "" || opened[id] || known && s.cfg.Keys.has(id) {
					continue
				}
				_, failed := s.cfg.Keys.open(t.text, f.ref, t.field)
				opened[id] = failed == nil
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.cfg.Keys.answerFor(opened)
}

// answerFor returns a [webhook.KeyError] for the first key, those of the ring first,
// that something is sealed with and that opened nothing.
func (r KeyRing) answerFor(opened map[string]bool) error {
	for _, k := range r.keys {
		if ok, used := opened[k.id]; used && !ok {
			return &webhook.KeyError{KeyID: k.id}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(opened)) {
		if !r.has(id) {
			return &webhook.KeyError{KeyID: id, Missing: true}
		}
	}
	return nil
}

func (r KeyRing) has(id string) bool {
	_, known := r.find(id)
	return known
}

// keepCanaries adds those that are not among the kept ones. Of several processes
// that do so at once one is first, and the others must open what it left.
func (s *Store) keepCanaries(ctx context.Context, kept map[string]string, keys []sealKey) error {
	lacking := slices.DeleteFunc(slices.Clone(keys), func(k sealKey) bool {
		_, ok := kept[canaryField(k.id)]
		return ok
	})
	if len(lacking) == 0 {
		return nil
	}
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSetNX(ctx, keyOfCanaries(), "v", formatCanaries)
		for _, k := range lacking {
			p.HSetNX(ctx, keyOfCanaries(), canaryField(k.id), k.canary())
		}
		return nil
	})
	if err != nil {
		return unavailable("check keys", err)
	}
	kept, err = s.canaries(ctx)
	if err != nil {
		return err
	}
	return KeyRing{keys: lacking}.fit(kept)
}

// letGo drops the canaries of keys that nothing needs, so that nobody has to look
// again, and looks again itself: a process that still has such a key may have sealed
// with it meanwhile, as its canary was there. From now on it puts that back first.
func (s *Store) letGo(ctx context.Context, kept map[string]string, fields []string) error {
	if len(fields) == 0 {
		return nil
	}
	if err := s.dropCanaries(ctx, fields); err != nil {
		return err
	}
	err := s.checkStored(ctx, kept)
	if err != nil { // whoever is next has to look
		err = errors.Join(err, s.restoreCanaries(context.WithoutCancel(ctx), kept, fields))
	}
	return err
}

func (s *Store) restoreCanaries(ctx context.Context, kept map[string]string, fields []string) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, field := range fields {
			p.HSetNX(ctx, keyOfCanaries(), field, kept[field])
		}
		return nil
	})
	if err != nil {
		return unavailable("check keys", err)
	}
	return nil
}

func (s *Store) dropCanaries(ctx context.Context, fields []string) error {
	if len(fields) == 0 {
		return nil
	}
	if err := s.rdb.HDel(ctx, keyOfCanaries(), fields...).Err(); err != nil {
		return unavailable("check keys", err)
	}
	return nil
}
