package redisstore

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// CreateEndpoint implements [webhook.Store]. The brand's list is written first:
// an id in it without settings is not seen by anybody, and goes when the list is full.
func (s *Store) CreateEndpoint(ctx context.Context, e webhook.Endpoint) (webhook.Endpoint, bool, error) {
	if err := s.beforeSealing(ctx); err != nil {
		return webhook.Endpoint{}, false, err
	}
	packed, err := s.packEndpoint(e)
	if err != nil {
		return webhook.Endpoint{}, false, err
	}
	if err := s.enlist(ctx, e.Ref()); err != nil {
		return webhook.Endpoint{}, false, err
	}
	answer, err := s.one(ctx, "create endpoint",
		call{script: scriptCreate, keys: []string{keysOfEndpoint(e.Ref()).endpoint},
			args: []any{packed, e.DisabledReason, e.MaxInFlight, millis(s.cfg.Now()), e.RateLimit.PerSecond, burstOf(e.RateLimit)}})
	if err != nil {
		return webhook.Endpoint{}, false, err
	}
	switch a := list(answer); text(a, 0) {
	case "created": // listed once more: another may have taken the id for left over
		if err := s.relist(ctx, e.Ref()); err != nil {
			return webhook.Endpoint{}, false, err
		}
		return e, true, nil
	case "deleted":
		if err := s.unlist(ctx, e.Ref()); err != nil {
			return webhook.Endpoint{}, false, err
		}
		return webhook.Endpoint{}, false, webhook.ErrDeleted
	default:
		stored, err := readEndpoint(e.Ref(), text(a, 1), text(a, 2), s.cfg.Keys)
		return disabledSince(stored, text(a, 3), text(a, 4)), false, err
	}
}

// relist adds the id to the brand's list, and the brand to that of all.
func (s *Store) relist(ctx context.Context, ref webhook.EndpointRef) error {
	now := s.cfg.Now()
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.SAdd(ctx, keysOfBrand(ref.Brand).endpoints, ref.ID)
		if s.listed.due(ref.Brand, now) {
			listBrand(ctx, p, ref.Brand, now)
		}
		return nil
	})
	if err != nil {
		return unavailable("create endpoint", err)
	}
	s.listed.done(now, ref.Brand)
	return nil
}

// enlist adds the id to the brand's list. Errors: [webhook.ErrLimit].
func (s *Store) enlist(ctx context.Context, ref webhook.EndpointRef) error {
	member := call{script: scriptMember, keys: []string{keysOfBrand(ref.Brand).endpoints}, args: []any{ref.ID, s.cfg.EndpointsPerBrand}}
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

// dropLeftOver takes ids without an endpoint out of a brand's list: their
// creation, or their deletion, was cut off.
func (s *Store) dropLeftOver(ctx context.Context, brand string) error {
	ids, err := s.rdb.SMembers(ctx, keysOfBrand(brand).endpoints).Result()
	if err != nil {
		return unavailable("create endpoint", err)
	}
	there := make([]*redis.BoolCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			there[i] = p.HExists(ctx, keysOfEndpoint(webhook.EndpointRef{Brand: brand, ID: id}).endpoint, "settings")
		}
		return nil
	})
	if err != nil {
		return unavailable("create endpoint", err)
	}
	for i, id := range ids {
		if !there[i].Val() {
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
	made, err := s.rdb.HExists(ctx, keysOfEndpoint(ref).endpoint, "settings").Result()
	if err == nil && made {
		err = s.rdb.SAdd(ctx, keysOfBrand(ref.Brand).endpoints, ref.ID).Err()
	}
	if err != nil {
		return unavailable("unlist endpoint", err)
	}
	return nil
}

// unlist takes an id out of its brand's list.
func (s *Store) unlist(ctx context.Context, ref webhook.EndpointRef) error {
	if err := s.rdb.SRem(ctx, keysOfBrand(ref.Brand).endpoints, ref.ID).Err(); err != nil {
		return unavailable("unlist endpoint", err)
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
			cmds[i] = askEndpoint(ctx, p, ref)
		}
		return nil
	})
	if err != nil && err != redis.Nil {
		return nil, unavailable("endpoints", err)
	}
	var found []webhook.Endpoint
	for i, ref := range refs {
		e, ok, err := readAnswer(ref, cmds[i].Val(), keys)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, e)
		}
	}
	return found, nil
}

// askEndpoint asks for what readAnswer reads, and for the revision, the last of the fields.
func askEndpoint(ctx context.Context, rdb redis.Cmdable, ref webhook.EndpointRef) *redis.SliceCmd {
	return rdb.HMGet(ctx, keysOfEndpoint(ref).endpoint, "settings", "disabled", "deleted", "disabledAt", "disabledBy", "rev")
}

// readAnswer reads an endpoint; not ok when there is none, or it was deleted.
func readAnswer(ref webhook.EndpointRef, fields []any, keys KeyRing) (e webhook.Endpoint, ok bool, err error) {
	if text(fields, 0) == "" || text(fields, 2) != "" {
		return webhook.Endpoint{}, false, nil
	}
	e, err = readEndpoint(ref, text(fields, 0), text(fields, 1), keys)
	return disabledSince(e, text(fields, 3), text(fields, 4)), err == nil, err
}
