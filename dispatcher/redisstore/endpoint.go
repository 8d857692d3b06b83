package redisstore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// CreateEndpoint implements [webhook.Store]. The brand's list is written first:
// an id in it without settings is not seen by anybody, and goes when the list is full.
func (s *Store) CreateEndpoint(ctx context.Context, e webhook.Endpoint) (webhook.Endpoint, bool, error) {
	packed, err := s.packEndpoint(e)
	if err != nil {
		return webhook.Endpoint{}, false, err
	}
	if err := s.enlist(ctx, e.Ref()); err != nil {
		return webhook.Endpoint{}, false, err
	}
	answer, err := s.one(ctx, "create endpoint",
		call{scriptCreate, []string{keysOfEndpoint(e.Ref()).endpoint},
			[]any{packed, e.DisabledReason, e.MaxInFlight, millis(s.cfg.Now())}})
	if err != nil {
		return webhook.Endpoint{}, false, err
	}
	switch a := list(answer); text(a, 0) {
	case "created": // listed once more: another may have taken the id for left over
		if err := s.rdb.SAdd(ctx, keysOfBrand(e.Brand).endpoints, e.ID).Err(); err != nil {
			return webhook.Endpoint{}, false, unavailable("create endpoint", err)
		}
		return e, true, nil
	case "deleted":
		if err := s.unlist(ctx, e.Ref()); err != nil {
			return webhook.Endpoint{}, false, err
		}
		return webhook.Endpoint{}, false, webhook.ErrConflict
	default:
		stored, err := readEndpoint(e.Ref(), text(a, 1), text(a, 2), s.cfg.Keys)
		return stored, false, err
	}
}

// enlist adds the id to the brand's list. Errors: [webhook.ErrLimit].
func (s *Store) enlist(ctx context.Context, ref webhook.EndpointRef) error {
	member := call{scriptMember, []string{keysOfBrand(ref.Brand).endpoints}, []any{ref.ID, s.cfg.EndpointsPerBrand}}
	for try := range 2 {
		added, err := s.one(ctx, "create endpoint", member)
		if err != nil || added == int64(1) {
			return err
		}
		if try == 0 {
			if err := s.dropLeftOver(ctx, ref.Brand); err != nil {
				return err
			}
		}
	}
	return webhook.ErrLimit
}

// dropLeftOver takes ids without an endpoint out of a brand's list: their creation was cut off.
func (s *Store) dropLeftOver(ctx context.Context, brand string) error {
	ids, err := s.rdb.SMembers(ctx, keysOfBrand(brand).endpoints).Result()
	if err != nil {
		return unavailable("create endpoint", err)
	}
	there := make([]*redis.IntCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			there[i] = p.Exists(ctx, keysOfEndpoint(webhook.EndpointRef{Brand: brand, ID: id}).endpoint)
		}
		return nil
	})
	if err != nil {
		return unavailable("create endpoint", err)
	}
	for i, id := range ids {
		if there[i].Val() == 0 {
			if err := s.unlistLeftOver(ctx, webhook.EndpointRef{Brand: brand, ID: id}); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlistLeftOver puts back an id whose endpoint was made in the meantime.
func (s *Store) unlistLeftOver(ctx context.Context, ref webhook.EndpointRef) error {
	if err := s.unlist(ctx, ref); err != nil {
		return err
	}
	made, err := s.rdb.Exists(ctx, keysOfEndpoint(ref).endpoint).Result()
	if err == nil && made == 1 {
		err = s.rdb.SAdd(ctx, keysOfBrand(ref.Brand).endpoints, ref.ID).Err()
	}
	if err != nil {
		return unavailable("create endpoint", err)
	}
	return nil
}

// Endpoint implements [webhook.Store].
func (s *Store) Endpoint(ctx context.Context, ref webhook.EndpointRef) (webhook.Endpoint, error) {
	found, err := s.readEndpoints(ctx, []webhook.EndpointRef{ref}, s.cfg.Keys)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	if len(found) == 0 {
		return webhook.Endpoint{}, webhook.ErrNotFound
	}
	return found[0], nil
}

// Endpoints implements [webhook.Store].
func (s *Store) Endpoints(ctx context.Context, brand string) ([]webhook.Endpoint, error) {
	return s.endpointsOf(ctx, brand, s.cfg.Keys)
}

// Routes implements [webhook.Store].
func (s *Store) Routes(ctx context.Context, brand string) ([]webhook.Endpoint, error) {
	return s.endpointsOf(ctx, brand, KeyRing{})
}

func (s *Store) endpointsOf(ctx context.Context, brand string, keys KeyRing) ([]webhook.Endpoint, error) {
	ids, err := s.rdb.SMembers(ctx, keysOfBrand(brand).endpoints).Result()
	if err != nil {
		return nil, unavailable("endpoints", err)
	}
	slices.Sort(ids)
	refs := make([]webhook.EndpointRef, len(ids))
	for i, id := range ids {
		refs[i] = webhook.EndpointRef{Brand: brand, ID: id}
	}
	return s.readEndpoints(ctx, refs, keys)
}

// readEndpoints reads those that exist and are not deleted, in one pipeline. No
// keys leave what is sealed out.
func (s *Store) readEndpoints(ctx context.Context, refs []webhook.EndpointRef, keys KeyRing) ([]webhook.Endpoint, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	cmds := make([]*redis.SliceCmd, len(refs))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			cmds[i] = p.HMGet(ctx, keysOfEndpoint(ref).endpoint, "settings", "disabled", "deleted")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, unavailable("endpoints", err)
	}
	var found []webhook.Endpoint
	for i, ref := range refs {
		fields := cmds[i].Val()
		if text(fields, 0) == "" || text(fields, 2) != "" {
			continue
		}
		e, err := readEndpoint(ref, text(fields, 0), text(fields, 1), keys)
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, nil
}

// DisableEndpoint implements [webhook.Store].
func (s *Store) DisableEndpoint(ctx context.Context, ref webhook.EndpointRef, reason string) error {
	_, err := s.setEndpoint(ctx, ref, "disable", reason)
	return err
}

// EnableEndpoint implements [webhook.Store].
func (s *Store) EnableEndpoint(ctx context.Context, ref webhook.EndpointRef) ([]webhook.Run, error) {
	return s.setEndpoint(ctx, ref, "enable", "")
}

// DeleteEndpoint implements [webhook.Store]. The tombstone outlives every event
// that may name the endpoint.
func (s *Store) DeleteEndpoint(ctx context.Context, ref webhook.EndpointRef) error {
	if _, err := s.setEndpoint(ctx, ref, "delete", ""); err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return err
	}
	return s.unlist(ctx, ref)
}

// unlist takes a deleted endpoint out of its brand's list.
func (s *Store) unlist(ctx context.Context, ref webhook.EndpointRef) error {
	if err := s.rdb.SRem(ctx, keysOfBrand(ref.Brand).endpoints, ref.ID).Err(); err != nil {
		return unavailable("unlist endpoint", err)
	}
	return nil
}

func (s *Store) setEndpoint(ctx context.Context, ref webhook.EndpointRef, action, reason string) ([]webhook.Run, error) {
	answer, err := s.one(ctx, action+" endpoint",
		s.endpointCall(scriptEnable, ref, nil, action, reason, s.openFor().Milliseconds()))
	if err != nil {
		return nil, err
	}
	if answer == "gone" {
		return nil, webhook.ErrNotFound
	}
	return runsOf(ref, answer), nil
}

// endpointCache keeps endpoints by revision: Claim says which one is current,
// so an entry is never served when it is old.
type endpointCache struct {
	mu      sync.Mutex
	entries map[webhook.EndpointRef]cachedEndpoint
}

type cachedEndpoint struct {
	revision string
	endpoint webhook.Endpoint
}

// cacheSize bounds the cache; beyond it an arbitrary entry goes.
const cacheSize = 10_000

func (c *endpointCache) get(ref webhook.EndpointRef) cachedEndpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[ref]
}

func (c *endpointCache) put(ref webhook.EndpointRef, e cachedEndpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[webhook.EndpointRef]cachedEndpoint{}
	}
	if len(c.entries) >= cacheSize {
		for other := range c.entries {
			delete(c.entries, other)
			break
		}
	}
	c.entries[ref] = e
}
